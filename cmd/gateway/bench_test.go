package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"iqgateway/auth"
)

// BenchmarkPassThrough sends 1 KiB answers over loopback through a bare
// httputil.ReverseProxy and through the whole gateway (access log, metrics,
// authentication, routing, token), with the same upstream and client.
func BenchmarkPassThrough(b *testing.B) {
	upstream, _ := benchOrigin(b, oneKiB)
	target, err := url.Parse(upstream.URL)
	if err != nil {
		b.Fatal(err)
	}
	bare := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
	})
	defer bare.Close()

	key, digest := auth.NewKey()
	dir := b.TempDir()
	text := strings.NewReplacer("SIM", upstream.URL, "DIGEST", digest, "DIR", dir, "ACCESS", `{"*": write}`,
		"{mode: self_signed}", "{mode: none}", "level: debug", "level: info").Replace(rigConfig)
	file := filepath.Join(dir, "gateway.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	gateway := startProgram(b, io.Discard, rigEnviron(), "run", "-c", file)

	const path = "/crm/v1/Companies(14146)/Customers?$top=5"
	b.Run("bare", func(b *testing.B) { pump(b, bare.URL+path, "") })
	b.Run("gateway", func(b *testing.B) { pump(b, "http://"+gateway.Server+path, key) })
}

// pump sends requests one after the other on each of GOMAXPROCS connections.
func pump(b *testing.B, address, key string) {
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	defer transport.CloseIdleConnections()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, address, nil)
			if err != nil {
				b.Error(err)
				return
			}
			if key != "" {
				req.Header.Set("X-Api-Key", key)
			}
			resp, err := transport.RoundTrip(req)
			if err != nil {
				b.Error(err)
				return
			}
			n, err := io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if err != nil || n != 1024 || resp.StatusCode != http.StatusOK {
				b.Errorf("%s, %d bytes, %v", resp.Status, n, err)
				return
			}
		}
	})
}

// oneKiB is the answer that is measured with.
var oneKiB = strings.Repeat("x", 1<<10)

// benchOrigin is an upstream that answers token calls, and all others with body.
// asked counts these.
func benchOrigin(tb testing.TB, body string) (origin *httptest.Server, asked *atomic.Int64) {
	tb.Helper()
	asked = new(atomic.Int64)
	origin = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/token") {
			_, _ = io.WriteString(w, `{"access_token":"bench-token","expires_in":43199}`)
			return
		}
		asked.Add(1)
		_, _ = io.WriteString(w, body)
	}))
	tb.Cleanup(origin.Close)
	return origin, asked
}
