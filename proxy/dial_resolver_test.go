package proxy_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/dnstest"
	"iqgateway/proxy"
)

// upstreamName is a name of this machine by its spelling, so that it may lead to
// loopback; only the servers of these tests know it.
const upstreamName = "crm.upstream.localhost"

// The environment's own resolver is asked, and it alone: a name that it cannot
// tell is not looked up elsewhere.
func TestResolverOfTheEnvironment(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(r.Host)) }))
	t.Cleanup(up.Close)
	origin := "http://" + upstreamName + ":" + portOf(up.URL)
	for name, tt := range map[string]struct {
		mood   dnstest.Mood
		known  []string
		status int
		stream bool // it was asked over TCP too
	}{
		"answers":                  {dnstest.Well, []string{"127.0.0.1"}, http.StatusOK, false},
		"a dead address before":    {dnstest.Well, []string{"127.0.0.99", "127.0.0.1"}, http.StatusOK, false},
		"too long for UDP":         {dnstest.Truncating, []string{"127.0.0.1"}, http.StatusOK, true},
		"SERVFAIL":                 {dnstest.Failing, []string{"127.0.0.1"}, http.StatusBadGateway, false},
		"no answer":                {dnstest.Silent, []string{"127.0.0.1"}, http.StatusBadGateway, false},
		"no such name":             {dnstest.Well, nil, http.StatusBadGateway, false},
		"metadata, truncated":      {dnstest.Truncating, []string{"169.254.169.254"}, http.StatusBadGateway, true},
		"metadata in IPv6 clothes": {dnstest.Well, []string{"::ffff:169.254.169.254"}, http.StatusBadGateway, false},
		"NAT64 to metadata":        {dnstest.Well, []string{"64:ff9b::a9fe:a9fe"}, http.StatusBadGateway, false},
		"this network":             {dnstest.Well, []string{"0.0.0.0"}, http.StatusBadGateway, false},
	} {
		t.Run(name, func(t *testing.T) {
			dns := dnstest.Start(t)
			dns.Be(tt.mood)
			dns.Set(upstreamName, tt.known...)
			g := newGate(t, origin, func(g *gate) {
				if g.Settings.Resolver = dns.Addr; tt.mood == dnstest.Silent {
					g.Settings.Connect = time.Second / 2
				}
			})
			res, body := g.do(t, http.MethodPost, "/svc/x", strings.NewReader("a"), nil)
			if res.StatusCode != tt.status {
				t.Errorf("%d %s", res.StatusCode, body)
			}
			wantReason(t, tt.known, res, body)
			if udp, tcp := dns.Asked(); udp == 0 || (tcp > 0) != tt.stream {
				t.Errorf("%d questions over UDP, %d over TCP", udp, tcp)
			}
		})
	}
}

func wantReason(t *testing.T, known []string, res *http.Response, body string) {
	t.Helper()
	if res.StatusCode != http.StatusBadGateway {
		return
	}
	want := "error=dns_error;"
	if len(known) > 0 && !strings.HasPrefix(known[0], "127.") {
		want = "error=destination_ip_prohibited;"
	}
	if status := res.Header.Get("Proxy-Status"); !strings.Contains(status, want) || !strings.Contains(body, "not_executed") {
		t.Errorf("Proxy-Status %q, want %s\n%s", status, want, body)
	}
}

// A resolver that is gone leaves the system's unasked, even for a name that this
// one knows.
func TestResolverIsDown(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	g := newGate(t, "http://"+upstreamName+":"+portOf(closed.URL), func(g *gate) {
		g.Settings.Resolver = strings.TrimPrefix(closed.URL, "http://")
	})
	res, _ := g.do(t, http.MethodGet, "/svc/x", nil, nil)
	if status := res.Header.Get("Proxy-Status"); res.StatusCode != http.StatusBadGateway || !strings.Contains(status, "dns_error") {
		t.Errorf("%d, Proxy-Status %q", res.StatusCode, status)
	}
	if a := receive(t, g.attempts, "attempt"); a.Kind != proxy.FailedDNS {
		t.Errorf("the attempt failed by %q", a.Kind)
	}
}

// A name of the outside that suddenly leads to this machine is not followed,
// whatever its own resolver says, and no address of it is.
func TestResolverCannotLeadToThisMachine(t *testing.T) {
	dns := dnstest.Start(t)
	for _, address := range []string{"127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254"} {
		dns.Set("crm.example.test", address)
		g := newGate(t, "https://crm.example.test", func(g *gate) { g.Settings.Resolver = dns.Addr })
		res, _ := g.do(t, http.MethodGet, "/svc/x", nil, nil)
		if status := res.Header.Get("Proxy-Status"); !strings.Contains(status, "destination_ip_prohibited") {
			t.Errorf("%s: Proxy-Status %q", address, status)
		}
	}
}
