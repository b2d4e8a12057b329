package proxy

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const jarHost = "dataconnect.iqmetrix.net"

// answer has the jar learn the fields of one answer.
func (j *jar) answer(path string, fields ...string) []cookie {
	changed := j.learn(jarHost, path, true, fields, cookieNow)
	j.put(jarHost, changed, cookieNow)
	return changed
}

func TestJar(t *testing.T) {
	tests := map[string]struct {
		answers [][]string
		path    string
		plain   bool
		after   time.Duration
		want    string
	}{
		"nothing":                      {},
		"one":                          {answers: [][]string{{"s=1; Path=/"}}, want: "s=1"},
		"the later answer wins":        {answers: [][]string{{"s=1; Path=/"}, {"s=2; Path=/"}}, want: "s=2"},
		"the later field wins":         {answers: [][]string{{"s=1; Path=/", "s=2; Path=/"}}, want: "s=2"},
		"names are case-sensitive":     {answers: [][]string{{"s=1; Path=/", "S=2; Path=/"}}, want: "s=1; S=2"},
		"longer paths come first":      {answers: [][]string{{"a=1; Path=/", "a=2; Path=/reports"}}, want: "a=2; a=1"},
		"other paths stay":             {answers: [][]string{{"a=1; Path=/lists"}}, want: ""},
		"deleted":                      {answers: [][]string{{"s=1; Path=/"}, {"s=; Path=/; Max-Age=0"}}, want: ""},
		"deleted in the same answer":   {answers: [][]string{{"s=1; Path=/", "s=; Path=/; Max-Age=0"}}, want: ""},
		"deleted at another path only": {answers: [][]string{{"s=1; Path=/"}, {"s=; Path=/x; Max-Age=0"}}, want: "s=1"},
		"not expired":                  {answers: [][]string{{"s=1; Path=/; Max-Age=60"}}, after: 59 * time.Second, want: "s=1"},
		"expired":                      {answers: [][]string{{"s=1; Path=/; Max-Age=60"}}, after: time.Minute, want: ""},
		"secure":                       {answers: [][]string{{"s=1; Path=/; Secure"}}, want: "s=1"},
		"secure never over plain http": {answers: [][]string{{"s=1; Path=/; Secure", "t=2; Path=/"}}, plain: true, want: "t=2"},
		"quotation marks go back":      {answers: [][]string{{`s="a b"; Path=/`}}, want: `s="a b"`},
		"junk does no harm":            {answers: [][]string{{"=", "s=1; Path=/", "a b=c", "\x00"}}, want: "s=1"},
	}
	for name, tt := range tests {
		var j jar
		for _, fields := range tt.answers {
			j.answer("/reports/daily", fields...)
		}
		if tt.path == "" {
			tt.path = "/reports/weekly"
		}
		if got := j.header(jarHost, tt.path, !tt.plain, cookieNow.Add(tt.after)); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
		if got := j.header("crm.iqmetrix.net", tt.path, true, cookieNow); got != "" {
			t.Errorf("%s: another host gets %q", name, got)
		}
	}
}

// An upstream that sets its cookie with every answer changes nothing.
func TestJarKnowsWhatIsNew(t *testing.T) {
	var j jar
	for _, tt := range []struct {
		field string
		new   bool
	}{
		{"s=1; Path=/", true},
		{"s=1; Path=/", false},
		{"s=1; Path=/; Max-Age=600", true},
		{"s=1; Path=/; Max-Age=630", false},
		{"s=1; Path=/; Max-Age=900", true},
		{"s=1; Path=/; Max-Age=900; Secure", true},
		{"x=; Path=/; Max-Age=0", false},
		{"s=; Path=/; Max-Age=0", true},
	} {
		if got := len(j.answer("/", tt.field)) > 0; got != tt.new {
			t.Errorf("%s is new: %v", tt.field, got)
		}
	}
	if len(j.hosts) != 0 {
		t.Errorf("an emptied jar keeps %v", j.hosts)
	}
}

func TestJarIsBounded(t *testing.T) {
	var j jar
	for i := range 3 * maxCookies {
		j.answer("/", fmt.Sprintf("c%d=x; Path=/", i))
	}
	got := j.of(jarHost)
	if len(got) != maxCookies || got[maxCookies-1].name != fmt.Sprintf("c%d", 3*maxCookies-1) {
		t.Errorf("%d cookies kept, the last is %s", len(got), got[len(got)-1].name)
	}
	for i := range 10 {
		j.answer("/", fmt.Sprintf("big%d=%s; Path=/", i, strings.Repeat("x", 3000)))
	}
	if field := j.header(jarHost, "/", true, cookieNow); len(field) > maxCookieHeader || len(j.of(jarHost)) != 2 {
		t.Errorf("%d bytes in %d cookies", len(field), len(j.of(jarHost)))
	}
	many := make([]string, 1000)
	for i := range many {
		many[i] = fmt.Sprintf("c%d=x; Path=/", i)
	}
	if changed := new(jar).answer("/", many...); len(changed) != maxSetCookies {
		t.Errorf("%d fields of one answer were read", len(changed))
	}
	for i := range 3 * maxCookieHosts {
		host := fmt.Sprintf("h%d", i)
		j.put(host, j.learn(host, "/", true, []string{"s=1"}, cookieNow), cookieNow)
	}
	if len(j.hosts) != maxCookieHosts || j.of(jarHost) != nil {
		t.Errorf("hosts %v", j.hosts)
	}
}

// Dropping a session that was refused spares the one that came meanwhile.
func TestJarRemovesValues(t *testing.T) {
	var j jar
	j.answer("/", "s=old; Path=/", "t=1; Path=/")
	sent := j.of(jarHost)
	j.answer("/", "s=new; Path=/")
	j.remove(jarHost, sent)
	if got := j.header(jarHost, "/", true, cookieNow); got != "s=new" {
		t.Errorf("%q is left", got)
	}
	j.remove(jarHost, j.of(jarHost))
	if len(j.hosts) != 0 {
		t.Errorf("%v is left", j.hosts)
	}
}

func BenchmarkJarHeader(b *testing.B) {
	var j jar
	j.answer("/", "DataConnectState=0123456789abcdef0123456789abcdef; Path=/; HttpOnly", "affinity=x; Path=/")
	b.ReportAllocs()
	for b.Loop() {
		j.header(jarHost, "/reports/daily", true, cookieNow)
	}
}
