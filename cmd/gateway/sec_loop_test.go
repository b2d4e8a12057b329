package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"iqgateway/auth"
	"iqgateway/internal/dnstest"
)

// relay stands for the network: connections to it end where the test says, which
// may be a gateway that does not run yet.
type relay struct {
	Addr string

	mu sync.Mutex
	to string
}

func newRelay(t *testing.T) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{Addr: l.Addr().String()}
	var all sync.WaitGroup
	t.Cleanup(all.Wait)
	t.Cleanup(func() { _ = l.Close() })
	all.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			r.mu.Lock()
			to := r.to
			r.mu.Unlock()
			far, err := net.Dial("tcp", to)
			if err != nil {
				_ = near.Close()
				continue
			}
			all.Go(func() { _, _ = io.Copy(far, near); _ = far.Close() })
			all.Go(func() { _, _ = io.Copy(near, far); _ = near.Close() })
		}
	})
	return r
}

// leadTo says where connections end from now on.
func (r *relay) leadTo(address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.to = address
}

func (r *relay) port() string { return r.Addr[strings.LastIndexByte(r.Addr, ':')+1:] }

// loopConfig is a gateway whose upstream's name may lead to a gateway.
const loopConfig = `version: 1
server:
  address: 127.0.0.1:0
  lame_duck: 0s
  forward_proxy: {address: "127.0.0.1:0"}
  tls: TLS
admin: {address: "127.0.0.1:0"}
environments:
  looped: {url: "URL", resolver: "RESOLVER", upstream_tls: TRUST, proxy_url: "EGRESS", allow_plaintext: true}
credentials:
  retail: {environment: looped, token_url: "TOKENS", client_id: a, client_secret: b, username: c, password: d}
callers:
  storefront:
    keys: [{id: s-1, sha256: DIGEST}]
    access: [{credential: retail, services: {"*": write}}]
telemetry: {logs: {level: debug}}
`

// looped is a gateway of such a configuration, and its log.
type looped struct {
	addresses
	key  string
	logs *lockedBuffer
}

func newLooped(t *testing.T, values ...string) *looped {
	t.Helper()
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"access_token":"loop-token","expires_in":43199}`)
	}))
	t.Cleanup(tokens.Close)
	dns := dnstest.Start(t)
	dns.Set("crm.loop.localhost", "127.0.0.1")
	dns.Set("accounts.loop.localhost", "127.0.0.1")
	key, digest := auth.NewKey()
	file := filepath.Join(t.TempDir(), "gateway.yaml")
	text := strings.NewReplacer(append(values, "TLS", "{mode: none}", "TRUST", "{}", `"EGRESS"`, `""`,
		"TOKENS", tokens.URL+"/token", "RESOLVER", dns.Addr, "DIGEST", digest)...).Replace(loopConfig)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	g := &looped{key: key, logs: &lockedBuffer{}}
	g.addresses = startProgram(t, g.logs, nil, "run", "-c", file)
	return g
}

// ask sends requests to the gateway's own address and returns their statuses.
func (g *looped) ask(t *testing.T, n int, roots *x509.CertPool) map[int]int {
	t.Helper()
	scheme := "http"
	if roots != nil {
		scheme = "https"
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "gw.test"}}
	t.Cleanup(transport.CloseIdleConnections)
	statuses := map[int]int{}
	for range n {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, scheme+"://"+g.Server+"/crm/v1/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Api-Key", g.key)
		res, err := (&http.Client{Transport: transport}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if statuses[res.StatusCode]++; err != nil || !strings.Contains(string(text), "loop-detected") {
			t.Errorf("%v %s: %s", err, res.Status, text)
		}
	}
	return statuses
}

// lines counts the access lines of each status, with the attempts in them.
func (g *looped) lines() (count, attempts int) {
	for text := range strings.Lines(g.logs.String()) {
		var line accessLine
		if json.Unmarshal([]byte(text), &line) == nil && line.Msg == "request" {
			count++
			attempts += line.Attempts
		}
	}
	return count, attempts
}

// manyLoops would open a breaker that counts them.
const manyLoops = 40

// wantLoop sends requests that come back to a gateway: each is answered 508, for
// one more request, and the breaker does not hide it.
func (g *looped) wantLoop(t *testing.T, roots *x509.CertPool, back *looped) {
	t.Helper()
	if statuses := g.ask(t, manyLoops, roots); statuses[http.StatusLoopDetected] != manyLoops {
		t.Errorf("statuses %v", statuses)
	}
	want := 2 * manyLoops
	count := func() (lines, attempts int) {
		lines, attempts = g.lines()
		if back != g {
			n, a := back.lines()
			lines, attempts = lines+n, attempts+a
		}
		return lines, attempts
	}
	await(t, "the access lines", func() bool { n, _ := count(); return n >= want })
	if lines, attempts := count(); lines != want || attempts != manyLoops {
		t.Errorf("%d requests were served and %d sent, want %d and %d", lines, attempts, want, manyLoops)
	}
}

// The native name leads to the gateway itself, over HTTP/2 as its listener speaks it.
func TestLoopOverHTTP2(t *testing.T) {
	dir, roots, way := t.TempDir(), x509.NewCertPool(), newRelay(t)
	writeCertificate(t, roots, filepath.Join(dir, "gateway"), "gw.test", "127.0.0.1", "crm.loop.localhost")
	g := newLooped(t, "URL", "https://{service}.loop.localhost:"+way.port(), "TRUST", "{ca_file: "+filepath.Join(dir, "gateway.ca")+"}",
		"TLS", "{mode: files, certificates: [{cert_file: "+dir+"/gateway.crt, key_file: "+dir+"/gateway.key}]}")
	way.leadTo(g.Server)
	g.wantLoop(t, roots, g)
}

func TestLoopOverHTTP1(t *testing.T) {
	t.Parallel()
	way := newRelay(t)
	g := newLooped(t, "URL", "http://{service}.loop.localhost:"+way.port())
	way.leadTo(g.Server)
	g.wantLoop(t, nil, g)
}

// The egress proxy hands requests to the gateway's own listener for HTTP_PROXY,
// and adds itself to Via.
func TestLoopThroughHTTPProxy(t *testing.T) {
	t.Parallel()
	var own atomic.Pointer[url.URL]
	onward := &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return own.Load(), nil }}
	t.Cleanup(onward.CloseIdleConnections)
	egress := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host == "accounts.loop.test" {
			_, _ = io.WriteString(w, `{"access_token":"loop-token","expires_in":43199}`)
			return
		}
		out := r.Clone(r.Context())
		out.RequestURI = ""
		out.Header.Set("Via", out.Header.Get("Via")+", HTTP/1.1 squid (old, but good)")
		res, err := onward.RoundTrip(out)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer res.Body.Close()
		maps.Copy(w.Header(), res.Header)
		w.WriteHeader(res.StatusCode)
		_, _ = io.Copy(w, res.Body)
	}))
	t.Cleanup(egress.Close)
	g := newLooped(t, "URL", "http://{service}.loop.test", `"EGRESS"`, `"`+egress.URL+`"`, "TOKENS", "http://accounts.loop.test/token")
	own.Store(&url.URL{Scheme: "http", Host: g.ForwardProxy})
	g.wantLoop(t, nil, g)
}

// A gateway before another one is a loop too: the second would charge the same
// quota again, so it ends where the circle begins.
func TestLoopOverTwoGateways(t *testing.T) {
	t.Parallel()
	first, second := newRelay(t), newRelay(t)
	a := newLooped(t, "URL", "http://{service}.loop.localhost:"+second.port())
	b := newLooped(t, "URL", "http://{service}.loop.localhost:"+first.port())
	first.leadTo(a.Server)
	second.leadTo(b.Server)
	a.wantLoop(t, nil, b)
}

// A token call that comes back is no refused password, which would stop the account.
func TestLoopOfTokenCalls(t *testing.T) {
	way := newRelay(t)
	g := newLooped(t, "URL", "http://{service}.loop.localhost:"+way.port(), "TOKENS", "http://accounts.loop.localhost:"+way.port()+"/v1/oauth2/token")
	way.leadTo(g.Server)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+g.Server+"/crm/v1/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", g.key)
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil || res.StatusCode != http.StatusServiceUnavailable || strings.Contains(string(text), "rejected") {
		t.Errorf("%s %s %v", res.Status, text, err)
	}
	if log := g.logs.String(); !strings.Contains(log, "loop-detected") || strings.Contains(log, "unauthenticated") {
		t.Errorf("the log tells\n%s", log)
	}
}
