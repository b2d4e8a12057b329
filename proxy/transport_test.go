package proxy_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"iqgateway/proxy"
)

func TestPoolsOutliveGenerations(t *testing.T) {
	transports := proxy.NewTransports()
	key := proxy.PoolKey{Environment: "sandbox", Origin: "https://crmdemo.iqmetrix.net"}
	settings := proxy.TransportSettings{Connect: time.Second}
	open := func(key proxy.PoolKey, s proxy.TransportSettings) *proxy.Pool {
		t.Helper()
		p, err := transports.Open(key, s)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	first := open(key, settings)
	if open(key, settings) != first {
		t.Error("a reload without a change made a new pool")
	}
	slower := settings
	slower.Connect = time.Minute
	changed := open(key, slower)
	if changed == first {
		t.Error("a changed setting was ignored")
	}
	if open(key, settings) != first {
		t.Error("the old generation lost its pool while the new one was made")
	}
	if open(proxy.PoolKey{Environment: "rc", Origin: key.Origin}, settings) == first {
		t.Error("two environments share a pool")
	}
	for range 3 {
		first.Close()
	}
	if open(key, settings) == first {
		t.Error("a closed pool came back")
	}
	if open(key, slower) != changed {
		t.Error("closing one pool lost another")
	}
}

func TestCredentialsHaveTheirOwnConnections(t *testing.T) {
	pool := openPool(t, "https://crm.example.test", proxy.TransportSettings{})
	retail, err := pool.For("retail")
	if err != nil {
		t.Fatal(err)
	}
	again, _ := pool.For("retail")
	other, _ := pool.For("wholesale")
	anonymous, _ := pool.For("")
	if retail != again || retail == other || retail == anonymous || other == anonymous {
		t.Error("connections are shared between credentials, or not within one")
	}
}

func TestSettingsThatCannotWork(t *testing.T) {
	tests := map[string]struct {
		origin   string
		settings proxy.TransportSettings
		want     string
	}{
		"no scheme":                        {"crm.iqmetrix.net", proxy.TransportSettings{}, "is no http or https URL"},
		"ftp":                              {"ftp://crm.iqmetrix.net", proxy.TransportSettings{}, "is no http or https URL"},
		"plain":                            {"http://crm.iqmetrix.net", proxy.TransportSettings{}, "allow_plaintext"},
		"plain, by a name of this machine": {"http://localhost.iqmetrix.net", proxy.TransportSettings{}, "allow_plaintext"},
		"proxy":                            {"https://a.test", proxy.TransportSettings{ProxyURL: "user:CAN_PW@proxy"}, "proxy_url"},
	}
	for name, tt := range tests {
		_, err := proxy.NewTransports().Open(proxy.PoolKey{Environment: "e", Origin: tt.origin}, tt.settings)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "CAN_PW") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnreachableUpstreams(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for origin, want := range map[string]string{
		closed.URL:                                       "connection_refused",
		"http://crm.invalid":                             "dns_error",
		"http://169.254.169.254":                         "destination_ip_prohibited",
		"http://[::ffff:169.254.169.254]":                "destination_ip_prohibited",
		"http://0.0.0.0:" + portOf(closed.URL):           "destination_ip_prohibited",
		"http://[64:ff9b::7f00:1]:" + portOf(closed.URL): "destination_ip_prohibited",
	} {
		g := newGate(t, origin, func(g *gate) { g.Settings.AllowPlaintext = true })
		res, body := g.do(t, http.MethodPost, "/svc/x", strings.NewReader("a"), nil)
		if res.StatusCode != http.StatusBadGateway || !strings.HasPrefix(res.Header.Get("Proxy-Status"), "iqgateway; error="+want+";") ||
			!strings.Contains(body, `"outcome":"not_executed"`) {
			t.Errorf("%s: %d, Proxy-Status %q\n%s", origin, res.StatusCode, res.Header.Get("Proxy-Status"), body)
		}
	}
}

func portOf(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

// Every way of ending a request gives everything back.
func TestNothingLeaks(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("requests", func(t *testing.T) {
		up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/abort" {
				panic(http.ErrAbortHandler)
			}
			_, _ = w.Write([]byte("ok"))
		}))
		t.Cleanup(up.Close)
		g := newGate(t, up.URL, func(g *gate) { g.Service.BodyIdle, g.Service.Total = patience, patience })
		for _, path := range []string{"/ok", "/abort", "/ok", "//x"} {
			g.do(t, http.MethodGet, "/svc"+path, nil, nil)
			g.do(t, http.MethodPost, "/svc"+path, strings.NewReader("a"), nil)
		}
	})
}
