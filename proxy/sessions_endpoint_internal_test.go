package proxy

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

const (
	production = "https://dataconnect.iqmetrix.net"
	refused    = "refused"
	none       = "" // the configured host goes on
)

// originCase is what becomes of a value of PreferredEndpoint.
type originCase struct{ upstream, value, want string }

func TestPreferredOriginOfTheProvider(t *testing.T) {
	checkOrigins(t, []originCase{
		// The provider's own.
		{production, "https://dataconnect-useast.iqmetrix.net", "https://dataconnect-useast.iqmetrix.net"},
		{production, "https://DataConnect-USEast.IQmetrix.NET/", "https://dataconnect-useast.iqmetrix.net"},
		{production, "https://rqdataconnect18.iqmetrix.net:443", "https://rqdataconnect18.iqmetrix.net"},
		{production, "dataconnectrc-useast.iqmetrix.net", "https://dataconnectrc-useast.iqmetrix.net"},
		{production, "https://eu.dataconnect.iqmetrix.net", "https://eu.dataconnect.iqmetrix.net"},
		{production, production, none},
		{production, production + ":443/", none},
		{production, "", none},
		// Others' hosts, in every disguise.
		{production, "https://evil.test", refused},
		{production, "https://iqmetrix.net", refused},
		{production, "https://iqmetrix.net.evil.test", refused},
		{production, "https://eviliqmetrix.net", refused},
		{production, "https://dataconnect.iqmetrix.net.", none},
		{production, "https://dataconnect-useast.iqmetrix.net.", refused},
		{production, "https://x.iqmetrix.net@evil.test", refused},
		{production, "https://evil.test#.iqmetrix.net", refused},
		{production, "https://evil.test?.iqmetrix.net", refused},
		{production, `https://evil.test\.iqmetrix.net`, refused},
		{production, "https://evil.test%2f.iqmetrix.net", refused},
		{production, "https://evil_test.iqmetrix.net", refused},
		{production, "https://*.iqmetrix.net", refused},
		{production, "https://.iqmetrix.net", refused},
		{production, "https://-a.iqmetrix.net", refused},
		{production, "https://xn--.iqmetrix.net/x", refused},
		{production, "https://ìq.iqmetrix.net", refused},
		{production, "https://" + strings.Repeat("a", 64) + ".iqmetrix.net", refused},
		{production, "https://" + strings.Repeat("a.", 200) + "iqmetrix.net", refused},
		{production, "https://127.0.0.1", refused},
		{production, "https://169.254.169.254", refused},
		{production, "https://[::1]", refused},
		{production, "https://localhost", refused},
		{production, "//evil.test", refused},
		{production, "///x.iqmetrix.net", refused},
		{production, "https:x.iqmetrix.net", refused},
		{production, "https://", refused},
		// More or less than a scheme and a host.
		{production, "http://dataconnect-useast.iqmetrix.net", refused},
		{production, "ftp://dataconnect-useast.iqmetrix.net", refused},
		{production, "javascript://dataconnect-useast.iqmetrix.net", refused},
		{production, "https://user:pw@dataconnect-useast.iqmetrix.net", refused},
		{production, "https://dataconnect-useast.iqmetrix.net/path", refused},
		{production, "https://dataconnect-useast.iqmetrix.net//", refused},
		{production, "https://dataconnect-useast.iqmetrix.net?a", refused},
		{production, "https://dataconnect-useast.iqmetrix.net?", refused},
		{production, "https://dataconnect-useast.iqmetrix.net#", refused},
		{production, "https://dataconnect-useast.iqmetrix.net:8443", refused},
		{production, "https://dataconnect-useast.iqmetrix.net:", refused},
		{production, "https://dataconnect-useast.iqmetrix.net:99999", refused},
		{production, "https://dataconnect-useast.iqmetrix.net ", refused},
		{production, "https://dataconnect\r\n.iqmetrix.net", refused},
	})
}

func TestPreferredOriginElsewhere(t *testing.T) {
	const (
		own = "https://dataconnect.staging.example.com"
		sim = "http://127.0.0.1:8081/dataconnect"
	)
	checkOrigins(t, []originCase{
		// An environment with a URL of its own.
		{own, "https://dataconnect2.staging.example.com", "https://dataconnect2.staging.example.com"},
		{own, "https://dataconnect.iqmetrix.net", refused},
		{own, "https://dataconnect.production.example.com", refused},
		{own, "https://example.com", refused},
		{own + ":8443", "https://dataconnect2.staging.example.com:8443", "https://dataconnect2.staging.example.com:8443"},
		{own + ":8443", "https://dataconnect2.staging.example.com", refused},
		// Nobody owns what lies below a public suffix.
		{"https://example.com", "https://evil.com", refused},
		{"https://example.co.uk", "https://evil.co.uk", refused},
		{"https://ours.azurewebsites.net", "https://evil.azurewebsites.net", refused},
		{"https://dataconnect", "https://evil", refused},
		{"https://dataconnect.corp.internal", "https://dataconnect2.corp.internal", "https://dataconnect2.corp.internal"},
		// One host for several services has no label to replace.
		{"https://api.iqmetrix.net/dataconnect", "https://dataconnect.iqmetrix.net", refused},
		{"http://dataconnect.sim.test", "http://b.sim.test", "http://b.sim.test"},
		{"http://dataconnect.sim.test:81", "https://b.sim.test", "https://b.sim.test"},
		{"http://dataconnect.sim.test:81", "http://b.sim.test", refused},
		// A literal address names itself only, on any port.
		{sim, "http://127.0.0.1:9090", "http://127.0.0.1:9090"},
		{sim, "https://127.0.0.1:9443", "https://127.0.0.1:9443"},
		{sim, "127.0.0.1:8081", none},
		{sim, "http://127.0.0.2:9090", refused},
		{sim, "http://localhost:9090", refused},
		{sim, "http://[::ffff:127.0.0.1]:9090", refused},
		{sim, "http://127.0.0.1.iqmetrix.net:9090", refused},
		{sim, "http://169.254.169.254", refused},
		{sim, "https://dataconnect.iqmetrix.net", refused},
		{"http://localhost:8081/x", "http://localhost:9090", "http://localhost:9090"},
		{"https://[::1]:8443", "https://[::1]:9443", "https://[::1]:9443"},
		{"https://127.0.0.1:8443", "http://127.0.0.1:8080", refused},
	})
}

func checkOrigins(t *testing.T, tests []originCase) {
	t.Helper()
	for _, tt := range tests {
		got, err := preferredOrigin(tt.value, parseURL(tt.upstream))
		text := originText(got)
		if err != nil {
			text = refused
			if len(tt.value) > 12 && strings.Contains(err.Error(), tt.value) {
				t.Errorf("the error repeats the value: %v", err)
			}
		}
		if text != tt.want {
			t.Errorf("for %s, %q became %q (%v), want %q", tt.upstream, tt.value, text, err, tt.want)
		}
	}
}

func FuzzPreferredOrigin(f *testing.F) {
	for _, seed := range []string{
		"https://dataconnect-useast.iqmetrix.net", "https://evil.test", "https://a@b.iqmetrix.net", "x.iqmetrix.net",
		"https://evil.test/.iqmetrix.net", "https://[::1].iqmetrix.net", "https://a.iqmetrix.net:443", "HTTPS://A.IQMETRIX.NET/",
	} {
		f.Add(seed)
	}
	upstream := parseURL("https://dataconnect.iqmetrix.net")
	f.Fuzz(func(t *testing.T, value string) {
		u, err := preferredOrigin(value, upstream)
		if err != nil || u == nil {
			return
		}
		again, err := url.Parse(u.String())
		if err != nil || *again != *u || u.Scheme != "https" || u.Port() != "" || !strings.HasSuffix(u.Host, ".iqmetrix.net") ||
			strings.ContainsAny(u.Host, "@/\\?#%: ") {
			t.Errorf("%q became %q", value, u)
		}
	})
}

func TestEndpointOverTime(t *testing.T) {
	a, b := parseURL("https://a.iqmetrix.net"), parseURL("https://b.iqmetrix.net")
	at := func(minutes int) time.Time { return cookieNow.Add(time.Duration(minutes) * time.Minute) }
	var e endpoint
	if !e.due(false, at(0)) {
		t.Error("nobody would ask the first time")
	}
	learn := func(origin *url.URL, minute int, changed bool, want *url.URL) {
		t.Helper()
		if got := e.learn(origin, at(minute), at(minute)); got != changed || originText(e.origin) != originText(want) {
			t.Errorf("minute %d: changed %v, uses %v; want %v", minute, got, e.origin, want)
		}
	}
	due := func(minute int, doubt, want bool) {
		t.Helper()
		if got := e.due(doubt, at(minute)); got != want {
			t.Errorf("minute %d, doubt %v: due %v", minute, doubt, got)
		}
	}
	learn(a, 0, true, a)
	due(14, false, false)
	due(15, false, true)
	learn(a, 15, false, a)
	due(15, true, false) // it has just been asked
	due(16, true, true)

	if e.drop(b, at(20)) || !e.drop(a, at(20)) || e.drop(a, at(20)) || e.origin != nil {
		t.Error("dropping is about the host in use, once")
	}
	due(24, false, false)
	due(24, true, false)
	due(25, false, true)
	learn(a, 22, false, nil) // named again by a session call for a caller
	due(24, false, false)
	due(25, false, true)
	learn(b, 23, true, b) // another host is not the one that failed
	learn(a, 25, true, a)
	learn(nil, 40, true, nil)
	due(54, true, false)
	due(55, false, true)
}

func BenchmarkPreferredOrigin(b *testing.B) {
	upstream := parseURL("https://dataconnect.iqmetrix.net")
	b.ReportAllocs()
	for b.Loop() {
		_, _ = preferredOrigin("https://dataconnect-useast.iqmetrix.net", upstream)
	}
}
