package proxy_test

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"iqgateway/internal/exchange"
	"iqgateway/proxy"
)

// BenchmarkForward compares the forward and attempt stages with a bare
// httputil.ReverseProxy in front of the same upstream.
func BenchmarkForward(b *testing.B) {
	payload := []byte(strings.Repeat("x", 1024))
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(payload)
	}))
	defer up.Close()
	upstream, err := url.Parse(up.URL)
	if err != nil {
		b.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true, DialContext: (&net.Dialer{}).DialContext}
	defer transport.CloseIdleConnections()
	bare := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(upstream) },
		Transport: transport,
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	b.Run("bare", func(b *testing.B) { measure(b, bare) })
	b.Run("gateway", func(b *testing.B) { measure(b, benchmarkGateway(b, upstream)) })
}

func benchmarkGateway(b *testing.B, upstream *url.URL) http.Handler {
	b.Helper()
	pool, err := proxy.NewTransports().Open(proxy.PoolKey{Environment: "sandbox", Origin: upstream.String()}, proxy.TransportSettings{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	service, err := proxy.NewService(proxy.ServiceOptions{Pool: pool, BodyIdle: patience, Total: patience, MaxBody: 1 << 20})
	if err != nil {
		b.Fatal(err)
	}
	services := proxy.Services{{Environment: "sandbox", Service: "crm"}: service}
	forward := proxy.NewForward(proxy.ForwardOptions{
		Services:  services,
		Transport: proxy.NewAttempt(proxy.AttemptOptions{Services: services}),
		Errors:    proxy.NewErrors(proxy.ErrorsOptions{}),
		Locations: proxy.NewLocations([]proxy.Origin{{Environment: "sandbox", Service: "crm", Upstream: upstream}}),
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := exchange.With(r.Context(), &exchange.Exchange{ID: "r1-1", Target: &exchange.Target{
			Environment: "sandbox", Service: "crm", Upstream: upstream, Path: r.URL.EscapedPath(), Authentication: "bearer",
		}})
		forward.ServeHTTP(w, r.WithContext(exchange.WithAuthorizer(ctx, bearer("token"))))
	})
}

func measure(b *testing.B, handler http.Handler) {
	server := httptest.NewServer(handler)
	defer server.Close()
	client := server.Client()
	client.Transport.(*http.Transport).MaxIdleConnsPerHost = 64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, server.URL+"/v1/Companies(1)/Customers(2)", nil)
			req.Header.Set("Accept", "application/hal+json")
			res, err := client.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			if _, err := io.Copy(io.Discard, res.Body); err != nil {
				b.Error(err)
			}
			_ = res.Body.Close()
		}
	})
}

// BenchmarkRefuse is the cost of saying no.
func BenchmarkRefuse(b *testing.B) {
	errors := proxy.NewErrors(proxy.ErrorsOptions{})
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/x", nil)
	p := exchange.Refuse(exchange.UnknownService, "no service named x")
	b.ReportAllocs()
	for b.Loop() {
		errors.Refuse(httptest.NewRecorder(), r, p)
	}
}
