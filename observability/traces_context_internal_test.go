package observability

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"iqgateway/internal/exchange"
)

const (
	someTrace  = "0af7651916cd43dd8448eb211c80319c"
	someParent = "b7ad6b7169203331"
	wellFormed = "00-" + someTrace + "-" + someParent + "-01"
)

// W3C Trace Context, section 3.2.2 and 4.3: what is not well-formed is as none.
func TestTraceparent(t *testing.T) {
	upper := strings.ToUpper(someTrace)
	for name, tt := range map[string]struct {
		fields  []string
		ok      bool
		sampled bool
	}{
		"sampled":                       {fields: []string{wellFormed}, ok: true, sampled: true},
		"not sampled":                   {fields: []string{"00-" + someTrace + "-" + someParent + "-00"}, ok: true},
		"random trace id":               {fields: []string{"00-" + someTrace + "-" + someParent + "-02"}, ok: true},
		"unknown flags":                 {fields: []string{"00-" + someTrace + "-" + someParent + "-ff"}, ok: true, sampled: true},
		"a later version":               {fields: []string{"01-" + someTrace + "-" + someParent + "-01"}, ok: true, sampled: true},
		"a later version with more":     {fields: []string{"cc-" + someTrace + "-" + someParent + "-01-what-the-future-holds"}, ok: true, sampled: true},
		"a later version with dash":     {fields: []string{"cc-" + someTrace + "-" + someParent + "-01-"}, ok: true, sampled: true},
		"a later version, flags longer": {fields: []string{"cc-" + someTrace + "-" + someParent + "-011"}},
		"version 00 with more":          {fields: []string{wellFormed + "-more"}},
		"version ff":                    {fields: []string{"ff-" + someTrace + "-" + someParent + "-01"}},
		"none":                          {},
		"empty":                         {fields: []string{""}},
		"two fields":                    {fields: []string{wellFormed, wellFormed}},
		"two in one field":              {fields: []string{wellFormed + "," + wellFormed}},
		"blanks around":                 {fields: []string{" " + wellFormed}},
		"no trace id":                   {fields: []string{"00-" + strings.Repeat("0", 32) + "-" + someParent + "-01"}},
		"no parent id":                  {fields: []string{"00-" + someTrace + "-" + strings.Repeat("0", 16) + "-01"}},
		"upper case":                    {fields: []string{"00-" + upper + "-" + someParent + "-01"}},
		"no digits":                     {fields: []string{"00-" + strings.Repeat("g", 32) + "-" + someParent + "-01"}},
		"long":                          {fields: []string{wellFormed + strings.Repeat("0", 1000)}},
	} {
		got, ok := callersTrace(http.Header{"Traceparent": tt.fields, "Tracestate": {"vendor=1"}})
		if ok != tt.ok || got.Sampled != tt.sampled {
			t.Errorf("%s: %v %+v", name, ok, got)
		}
		if ok && (got.ID.String() != someTrace || got.Parent.String() != someParent || got.State != "vendor=1") {
			t.Errorf("%s: %+v", name, got)
		}
		if !ok && (got != exchange.Trace{}) {
			t.Errorf("%s: kept %+v", name, got)
		}
	}
}

// Section 3.3: what cannot be passed on as it came is dropped, the trace stays.
func TestTracestate(t *testing.T) {
	members := func(n int) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(string(rune('a'+i%26)) + string(rune('a'+i/26)) + "=1")
		}
		return b.String()
	}
	for name, tt := range map[string]struct {
		fields []string
		want   string
	}{
		"none":           {nil, ""},
		"one":            {[]string{"congo=t61rcWkgMzE"}, "congo=t61rcWkgMzE"},
		"several fields": {[]string{"rojo=00f067aa0ba902b7", "congo=t61rcWkgMzE"}, "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"},
		"tenants":        {[]string{"fw529a3039@dt=FfffffCE"}, "fw529a3039@dt=FfffffCE"},
		"32 members":     {[]string{members(32)}, members(32)},
		"33 members":     {[]string{members(33)}, ""},
		"100 members":    {[]string{members(100)}, ""},
		"too long":       {[]string{"a=" + strings.Repeat("x", 255), "b=" + strings.Repeat("x", 255)}, ""},
		"a key twice":    {[]string{"a=1,a=2"}, ""},
		"no value":       {[]string{"a"}, ""},
		"upper case":     {[]string{"A=1"}, ""},
		"control bytes":  {[]string{"a=1\x00"}, ""},
	} {
		got, ok := callersTrace(http.Header{"Traceparent": {wellFormed}, "Tracestate": tt.fields})
		if !ok || got.State != tt.want {
			t.Errorf("%s: %v, %q, want %q", name, ok, got.State, tt.want)
		}
	}
	if got, ok := callersTrace(http.Header{"Tracestate": {"a=1"}}); ok || got.State != "" {
		t.Errorf("without a traceparent: %+v", got)
	}
}

// reference is the grammar of the specification.
var reference = regexp.MustCompile(`^(?:00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})|(?:0[1-9a-f]|[1-9a-e][0-9a-f]|f[0-9a-e])-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-(?s:.*))?)$`)

func FuzzTraceparent(f *testing.F) {
	for _, s := range []string{wellFormed, "cc" + wellFormed[2:] + "-x", "ff" + wellFormed[2:], wellFormed + "-", strings.ToUpper(wellFormed), "00-" + strings.Repeat("0", 52)} {
		f.Add(s, "a=1,b@c=2")
	}
	f.Fuzz(func(t *testing.T, parent, state string) {
		got, ok := callersTrace(http.Header{"Traceparent": {parent}, "Tracestate": {state}})
		m := reference.FindStringSubmatch(parent)
		want := m != nil && m[1]+m[4] != strings.Repeat("0", 32) && m[2]+m[5] != strings.Repeat("0", 16)
		if ok != want {
			t.Fatalf("%q: %v, want %v", parent, ok, want)
		}
		if !ok {
			return
		}
		if got.ID.String() != m[1]+m[4] || got.Parent.String() != m[2]+m[5] || got.Sampled != strings.Contains("13579bdf", (m[3] + m[6])[1:]) {
			t.Errorf("%q: %+v", parent, got)
		}
		if kept, err := trace.ParseTraceState(got.State); err != nil || kept.Len() > 32 || len(got.State) > maxTraceState {
			t.Errorf("tracestate %q became %q: %v", state, got.State, err)
		}
	})
}
