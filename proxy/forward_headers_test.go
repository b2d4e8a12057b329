package proxy_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iqgateway/proxy"
)

// recordHeaders is an upstream that hands out the header of each request.
func recordHeaders(t *testing.T) (*httptest.Server, <-chan http.Header) {
	t.Helper()
	seen := make(chan http.Header, 10)
	up := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		h := r.Header.Clone()
		h.Set("Host", r.Host)
		seen <- h
	}))
	t.Cleanup(up.Close)
	return up, seen
}

func TestRequestHeaderIsAnAllowList(t *testing.T) {
	up, seen := recordHeaders(t)
	g := newGate(t, up.URL, nil)
	g.raw(t, strings.Join([]string{
		"GET /svc/x HTTP/1.1", "Host: gw.test", "Connection: close, Authorization, X-Hop", "X-Hop: 1",
		"X-Api-Key: CAN_KEYA", "Authorization: Bearer CAN_KEYA", "Cookie: s=1", "Proxy-Authorization: Basic eA==",
		"X-Forwarded-For: 10.0.0.1", "Forwarded: for=10.0.0.1", "X-Real-IP: 10.0.0.1", "True-Client-IP: 10.0.0.1",
		"X-Forwarded-Proto: http", "X-Forwarded-Port: 1", "X-Forwarded-Prefix: /p", "X-Forwarded-Uri: /healthz",
		"X-Original-URL: /session", "X-Rewrite-URL: /session", "X-HTTP-Method-Override: DELETE", "X-Method-Override: DELETE",
		"X-Skipper-Proxy: http://127.0.0.1:22", "Via: 1.1 elsewhere", "Max-Forwards: 0", "TE: trailers",
		"Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", "Expect: 100-continue",
		"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "baggage: a=b",
		"Idempotency-Key: k", "Cache-Control: no-cache", "Priority: u=1",
		"X-Request-Id: theirs", "X-Request-Priority: batch", "X-Request-Timeout-Ms: 60000", "X-Gateway-Wait: 0",
		"Accept: application/hal+json", "Accept: text/csv", "Accept-Language: en-US", "Accept-Encoding: br",
		"If-None-Match: \"1\"", "Range: bytes=0-1", "Prefer: return=minimal", "User-Agent: shop/1",
	}, "\r\n")+"\r\n\r\n", "")
	want := http.Header{
		"Host":            {strings.TrimPrefix(up.URL, "http://")},
		"Authorization":   {"Bearer CAN_AT"},
		"Via":             {"1.1 iqgateway"},
		"Accept":          {"application/hal+json", "text/csv"},
		"Accept-Language": {"en-US"}, "Accept-Encoding": {"br"},
		"If-None-Match": {`"1"`}, "Range": {"bytes=0-1"}, "Prefer": {"return=minimal"}, "User-Agent": {"shop/1"},
	}
	if diff := cmp.Diff(want, receive(t, seen, "request")); diff != "" {
		t.Errorf("what went upstream (-want +got):\n%s", diff)
	}
	dropped := g.finished(t).Dropped
	if !slices.IsSorted(dropped) || !slices.Contains(dropped, "X-Skipper-Proxy") || slices.Contains(dropped, "Accept") {
		t.Errorf("dropped %q", dropped)
	}
	if own := func(name string) bool {
		return strings.HasPrefix(name, "X-Request-") || strings.HasPrefix(name, "X-Gateway-")
	}; slices.ContainsFunc(dropped, own) {
		t.Errorf("the gateway's own fields are called dropped: %q", dropped)
	}
	if len(dropped) > 32 {
		t.Errorf("%d names for one log line", len(dropped))
	}
}

func TestGatewayAddsNothingOfItsOwn(t *testing.T) {
	up, seen := recordHeaders(t)
	g := newGate(t, up.URL, nil)
	g.raw(t, "GET /svc/x HTTP/1.1\r\nHost: gw.test\r\nConnection: close\r\n\r\n", "")
	want := http.Header{
		"Host": {strings.TrimPrefix(up.URL, "http://")}, "Authorization": {"Bearer CAN_AT"}, "Via": {"1.1 iqgateway"},
	}
	if diff := cmp.Diff(want, receive(t, seen, "request")); diff != "" {
		t.Errorf("what went upstream (-want +got):\n%s", diff)
	}
}

func TestHeadersOfTheServiceGoUpstream(t *testing.T) {
	up, seen := recordHeaders(t)
	g := newGate(t, up.URL, func(g *gate) {
		g.Service.ForwardHeaders = []string{"SOAPAction", "Idempotency-Key"}
		g.Service.TrustedTracing = true
		g.Token = ""
	})
	g.raw(t, "GET /svc/x HTTP/1.1\r\nHost: gw.test\r\nConnection: close\r\n"+
		"soapaction: op\r\nidempotency-key: k\r\ntraceparent: 00-1\r\nbaggage: a=b\r\nX-Other: 1\r\n\r\n", "")
	want := http.Header{
		"Host": {strings.TrimPrefix(up.URL, "http://")}, "Via": {"1.1 iqgateway"},
		"Soapaction": {"op"}, "Idempotency-Key": {"k"}, "Baggage": {"a=b"},
	}
	if diff := cmp.Diff(want, receive(t, seen, "request")); diff != "" {
		t.Errorf("what went upstream (-want +got):\n%s", diff)
	}
}

func TestServiceRefusesHeadersThatNeverGoUpstream(t *testing.T) {
	pool := openPool(t, "https://crm.example.test", proxy.TransportSettings{})
	for _, name := range []string{
		"Authorization", "cookie", "HOST", "Transfer-Encoding", "Connection", "X-Forwarded-For",
		"x-http-method-override", "Via", "traceparent", "Tracestate", "baggage", "", "a b", "a:b", "é",
	} {
		_, err := proxy.NewService(proxy.ServiceOptions{Pool: pool, ForwardHeaders: []string{name}})
		if err == nil || !strings.Contains(err.Error(), "headers.forward") {
			t.Errorf("headers.forward [%q]: %v", name, err)
		}
	}
	if _, err := proxy.NewService(proxy.ServiceOptions{}); err == nil {
		t.Error("a service without a pool was accepted")
	}
}
