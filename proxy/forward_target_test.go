package proxy_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"iqgateway/proxy"
)

// targets is what the provider's URLs look like, and worse.
func targets() []string {
	return []string{
		`/v1/Companies(1)/Customers(a0b1)?$filter=Name%20eq%20'O%27Neil'&$top=5&x&a=1&a=0`,
		`/v1/Items(SourceId="g")`,
		`/v1/Companies%28123%29`,
		`/v1/Companies(14146)/Customers(1)?$filter=Name%20eq%20'x'`,
		`/%c3%A9%2F%2f`,
		`/s?q=a+b%20c`,
		`/s?`,
		`/s?a=1?b=2`,
		`/s?a=1;b=2&c=3`,
		`/a;p=1,2/b`,
		`/a//b///c`,
		`/`,
		`/$metadata`,
		`/!$&'()*+,;=:@-._~`,
		`/[x]|{y}^` + "`",
		`/<x>?"<>"`,
		`/x?a=%2B&b=%&c=%zz`,
		`/` + strings.Repeat("0123456789abcdef", 512), // 8 KiB
	}
}

func TestTargetArrivesByteForByteOverHTTP1(t *testing.T) {
	lines := make(chan string, 1)
	up := newRawUpstream(t, func(_ int, c net.Conn, r *bufio.Reader) {
		for {
			head := readHead(r)
			if head == "" {
				return
			}
			line, _, _ := strings.Cut(head, "\r\n")
			lines <- line
			_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
		}
	})
	g := newGate(t, up.URL, nil)
	for _, target := range targets() {
		g.raw(t, "GET /svc"+target+" HTTP/1.1\r\nHost: gw.test\r\nConnection: close\r\n\r\n", "")
		if got := receive(t, lines, "request line"); got != "GET "+target+" HTTP/1.1" {
			t.Errorf("%.80q became %.80q", target, got)
		}
	}
}

func TestTargetArrivesByteForByteOverHTTP2(t *testing.T) {
	seen := make(chan [2]string, 1)
	up := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen <- [2]string{r.Proto, r.RequestURI}
	}))
	up.EnableHTTP2 = true
	up.StartTLS()
	t.Cleanup(up.Close)
	g := newGate(t, up.URL, func(g *gate) { g.Settings.Trust = trusting(t, certificatePEM(up)) })
	for _, target := range targets() {
		g.raw(t, "GET /svc"+target+" HTTP/1.1\r\nHost: gw.test\r\nConnection: close\r\n\r\n", "")
		if got := receive(t, seen, "request"); got != [2]string{"HTTP/2.0", target} {
			t.Errorf("%.80q became %.80q", target, got)
		}
	}
}

func TestUpstreamPrefixStandsBeforeThePath(t *testing.T) {
	lines := make(chan string, 1)
	up := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { lines <- r.RequestURI }))
	t.Cleanup(up.Close)
	for _, prefix := range []string{"/sim/crm", "/sim%2Fcrm"} {
		g := newGate(t, up.URL+prefix, nil)
		g.do(t, http.MethodGet, "/svc/v1/x(1)?a=1;b", nil, nil)
		if got, want := receive(t, lines, "request"), prefix+"/v1/x(1)?a=1;b"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A path that begins with two slashes names another host when it is written as
// the opaque part of a URL.
func TestTargetCannotNameAHost(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the request went upstream")
	}))
	t.Cleanup(up.Close)
	g := newGate(t, up.URL, nil)
	for _, path := range []string{"/svc//evil.test/x", "/svcx"} {
		got := g.raw(t, "GET "+path+" HTTP/1.1\r\nHost: gw.test\r\nConnection: close\r\n\r\n", "")
		if !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.Contains(got, "#malformed-request") {
			t.Errorf("%s was answered\n%s", path, got)
		}
	}
}

func TestPlainUpstreamBehindEgressProxy(t *testing.T) {
	lines := make(chan string, 2)
	egress := newRawUpstream(t, func(_ int, c net.Conn, r *bufio.Reader) {
		line, _, _ := strings.Cut(readHead(r), "\r\n")
		lines <- line
		_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
	})
	g := newGate(t, "http://crm.example.test", func(g *gate) { g.Settings.ProxyURL, g.Settings.AllowPlaintext = egress.URL, true })
	g.do(t, http.MethodGet, `/svc/v1/x(1)?q="`, nil, nil)
	if got, want := receive(t, lines, "request line"), `GET http://crm.example.test/v1/x(1)?q=" HTTP/1.1`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}

	g = newGate(t, "https://crm.example.test", func(g *gate) { g.Settings.ProxyURL = egress.URL })
	res, _ := g.do(t, http.MethodGet, "/svc/v1/x", nil, nil)
	if got, want := receive(t, lines, "request line"), "CONNECT crm.example.test:443 HTTP/1.1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if res.StatusCode != http.StatusBadGateway {
		t.Errorf("a tunnel that never became TLS gave %d", res.StatusCode)
	}
}

func TestProxyOfTheEnvironmentIsIgnored(t *testing.T) {
	evil := newRawUpstream(t, func(int, net.Conn, *bufio.Reader) { t.Error("the proxy of the environment was asked") })
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"} {
		t.Setenv(name, evil.URL)
	}
	// Loopback is always exempt from the environment's proxies, so the host
	// must be another; it does not resolve, and nothing may be dialled.
	g := newGate(t, "http://crm.invalid", func(g *gate) { g.Settings.AllowPlaintext = true })
	res, _ := g.do(t, http.MethodGet, "/svc/x", nil, nil)
	if res.StatusCode != http.StatusBadGateway {
		t.Errorf("status %d", res.StatusCode)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the redirect was followed")
	}))
	t.Cleanup(other.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", other.URL+"/x")
			w.WriteHeader(status)
		}))
		g := newGate(t, up.URL, func(g *gate) {
			u, _ := url.Parse(up.URL)
			g.Locations = proxy.NewLocations([]proxy.Origin{{Environment: "sandbox", Service: "crm", Upstream: u}})
		})
		res, _ := g.do(t, http.MethodPost, "/svc/x", strings.NewReader("a"), nil)
		if res.StatusCode != status || res.Header.Get("Location") != other.URL+"/x" {
			t.Errorf("%d became %d, Location %q", status, res.StatusCode, res.Header.Get("Location"))
		}
		up.Close()
	}
}
