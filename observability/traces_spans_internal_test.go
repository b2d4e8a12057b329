package observability

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"

	"iqgateway/internal/exchange"
)

var began = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// told is a span as a line: when, name, kind, failure, link, attributes.
func told(s span) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s-%s %s (%s)", s.at.Sub(began), s.end.Sub(began), s.name, s.kind)
	if s.failed != "" {
		b.WriteString(" failed: " + s.failed)
	}
	if !s.link.IsZero() {
		b.WriteString(" -> " + s.link.Span.String()[:2])
	}
	for _, a := range s.attrs {
		fmt.Fprintf(&b, " %s=%v", a.Key, a.Value.AsInterface())
	}
	return b.String()
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

func bodyEnd(took time.Duration, failure string) *exchange.BodyEnd {
	b := &exchange.BodyEnd{}
	b.Set(took, failure)
	return b
}

// routed is an exchange of a caller that is known, 100 ms long.
func routed(status int, outcome string) ended {
	return ended{
		Record: Record{
			ID: "r1-1", Caller: &exchange.Caller{Name: "pos"}, Start: began, Duration: ms(100), Method: "GET", Status: status, Outcome: outcome,
			Environment: "sim", Service: "crm", Route: "/sim/crm/v1/**", Credential: "retail", Class: "batch",
		},
		peer: "10.0.0.9", protocol: "2", encrypted: true, scheme: "https",
	}
}

const routedSpan = `http.request.method=GET http.route=/sim/crm/v1/** http.response.status_code=%d url.scheme=https ` +
	`network.protocol.version=2 client.address=10.0.0.9 iqgw.request_id=r1-1 iqgw.caller=pos iqgw.environment=sim iqgw.service=crm ` +
	`iqgw.credential=retail iqgw.class=batch`

func TestSpansOfExchanges(t *testing.T) {
	link := exchange.Link{Trace: exchange.TraceID{1}, Span: exchange.SpanID{0xaa}}
	hit := routed(200, "")
	hit.Cache = exchange.CacheView{Result: exchange.CacheHit, At: ms(1), Time: ms(2)}
	follower := routed(200, "")
	follower.Cache, follower.Link = exchange.CacheView{Result: exchange.CacheCoalesced, Reason: "uri-miss", Time: ms(500)}, link
	unknown := ended{Record: Record{ID: "r1-2", Start: began, Duration: ms(1), Method: otherMethod, Status: 401, Outcome: "caller-unauthenticated"}, peer: "10.0.0.9", protocol: "1.1"}
	aborted := routed(200, outcomeAborted)
	gone := routed(statusClientGone, outcomeClientGone)
	failed := routed(502, "upstream-unreachable")
	failed.Unsure, failed.Dropped, failed.write = exchange.OutcomeUnknown, "Referer, X-Odd", true
	unread := routed(503, "breaker-open")
	unread.Unsure = exchange.NotExecuted
	theirs := routed(503, "")
	overridden := routed(403, "caller-blocked")
	overridden.Overrides = "callers.pos.blocked services.crm.cache.mode"
	server := func(status int) string { return fmt.Sprintf(routedSpan, status) }
	for name, tt := range map[string]struct {
		ended ended
		want  []string
	}{
		"hit": {hit, []string{
			"0s-100ms GET /sim/crm/v1/** (server) " + server(200) + " iqgw.cache.result=hit iqgw.outcome=ok",
			"1ms-3ms cache.lookup (internal) iqgw.cache.result=hit",
		}},
		"follower, whose lookup ends with the exchange": {follower, []string{
			"0s-100ms GET /sim/crm/v1/** (server) -> aa " + server(200) + " iqgw.cache.result=coalesced iqgw.outcome=ok",
			"0s-100ms cache.lookup (internal) iqgw.cache.result=coalesced iqgw.cache.reason=uri-miss",
		}},
		"unknown caller": {unknown, []string{
			"0s-1ms HTTP (server) http.request.method=_OTHER http.response.status_code=401 url.scheme=http network.protocol.version=1.1 " +
				"client.address=10.0.0.9 iqgw.request_id=r1-2 iqgw.outcome=caller-unauthenticated error.type=caller-unauthenticated",
		}},
		"cut":         {aborted, []string{"0s-100ms GET /sim/crm/v1/** (server) failed: aborted " + server(200) + " iqgw.outcome=aborted error.type=aborted"}},
		"caller left": {gone, []string{"0s-100ms GET /sim/crm/v1/** (server) " + server(499) + " iqgw.outcome=client_gone error.type=client_gone"}},
		"failed": {failed, []string{
			"0s-100ms GET /sim/crm/v1/** (server) failed: upstream-unreachable " + server(502) + " iqgw.outcome=upstream-unreachable " +
				"iqgw.write.outcome=unknown iqgw.headers.dropped=Referer, X-Odd error.type=upstream-unreachable",
		}},
		"a read that was refused": {unread, []string{
			"0s-100ms GET /sim/crm/v1/** (server) failed: breaker-open " + server(503) + " iqgw.outcome=breaker-open error.type=breaker-open",
		}},
		"overrides of operators": {overridden, []string{
			"0s-100ms GET /sim/crm/v1/** (server) " + server(403) + " iqgw.outcome=caller-blocked " +
				"iqgw.override=callers.pos.blocked services.crm.cache.mode error.type=caller-blocked",
		}},
		"the upstream's 5xx": {theirs, []string{"0s-100ms GET /sim/crm/v1/** (server) failed: 503 " + server(503) + " iqgw.outcome=ok error.type=503"}},
	} {
		expectSpans(t, name, &tt.ended, tt.want)
	}
}

func TestSpansOfAttempts(t *testing.T) {
	e := routed(200, "")
	e.Cache = exchange.CacheView{Result: exchange.CacheMiss, Reason: "uri-miss", Time: ms(1)}
	e.Waits = []exchange.Wait{
		{Kind: exchange.WaitToken, At: ms(2), Took: ms(3), Result: exchange.WaitWaited, Generation: 7, Link: exchange.Link{Trace: exchange.TraceID{1}, Span: exchange.SpanID{0xbb}}},
		{Kind: exchange.WaitQuota, At: ms(5), Took: ms(10), Result: exchange.QuotaWaited, Bucket: "sim/crm/authenticated", Limit: 10, Remaining: 4},
		{Kind: exchange.WaitSlot, At: ms(15), Took: ms(1), Result: exchange.WaitWaited},
		{Kind: exchange.WaitQuota, At: ms(45), Took: ms(1), Result: "eta", Failed: true},
	}
	e.Tries = []exchange.Try{
		{Host: "crm.example", At: ms(16), Took: ms(4), Failure: "reset", Breaker: exchange.BreakerClosed, Resent: 1},
		{Host: "crm.example:8443", At: ms(21), Took: ms(5), Status: 503, Body: bodyEnd(ms(6), "")},
		{Host: "127.0.0.1:80", At: ms(30), Took: ms(5), Status: 200, Body: bodyEnd(ms(8), "truncated")},
		{Host: "[::1]:443", At: ms(60), Took: ms(5), Status: 200, Body: &exchange.BodyEnd{}},
		{Host: "crm.example", At: ms(70), Took: ms(5), Status: 200, Body: bodyEnd(time.Hour, "")},
	}
	const client = "GET (client)"
	expectSpans(t, "attempts", &e, []string{
		"0s-100ms GET /sim/crm/v1/** (server) " + fmt.Sprintf(routedSpan, 200) + " iqgw.cache.result=miss iqgw.outcome=ok",
		"0s-1ms cache.lookup (internal) iqgw.cache.result=miss iqgw.cache.reason=uri-miss",
		"2ms-5ms token.get (internal) -> bb iqgw.credential=retail iqgw.token.result=waited iqgw.token.generation=7",
		"5ms-15ms quota.acquire (internal) iqgw.quota.bucket=sim/crm/authenticated iqgw.quota.result=waited iqgw.quota.wait=0.01 iqgw.quota.limit=10 iqgw.quota.remaining=4",
		"15ms-16ms slot.acquire (internal) iqgw.slot.result=waited",
		"16ms-20ms " + client + " failed: reset http.request.method=GET server.address=crm.example server.port=443 http.request.resend_count=1 iqgw.breaker.state=closed error.type=reset",
		"21ms-27ms " + client + " failed: 503 http.request.method=GET server.address=crm.example server.port=8443 http.response.status_code=503 http.request.resend_count=2 error.type=503",
		"30ms-38ms " + client + " failed: truncated http.request.method=GET server.address=127.0.0.1 server.port=80 http.response.status_code=200 http.request.resend_count=3 error.type=truncated",
		"45ms-46ms quota.acquire (internal) failed: eta iqgw.quota.result=eta iqgw.quota.wait=0.001 error.type=eta",
		"60ms-100ms " + client + " http.request.method=GET server.address=::1 server.port=443 http.response.status_code=200 http.request.resend_count=4",
		"70ms-100ms " + client + " http.request.method=GET server.address=crm.example server.port=443 http.response.status_code=200 http.request.resend_count=5",
	})
}

func TestSpansOfWork(t *testing.T) {
	fetch := routed(0, "rejected")
	fetch.Work, fetch.Method, fetch.Caller, fetch.Route = true, tokenFetch, nil, ""
	fetch.work = Work{Method: http.MethodPost, Reason: "first", Generation: 3}
	fetch.Tries = []exchange.Try{{Host: "accounts.example", At: ms(1), Took: ms(9), Status: 400}}
	expectSpans(t, "token fetch", &fetch, []string{
		"0s-100ms token.fetch (internal) failed: rejected iqgw.environment=sim iqgw.service=crm iqgw.credential=retail iqgw.token.reason=first iqgw.token.generation=3 iqgw.outcome=rejected error.type=rejected",
		"1ms-10ms POST (client) failed: 400 http.request.method=POST server.address=accounts.example server.port=443 http.response.status_code=400 error.type=400",
	})
	refresh := routed(0, "")
	refresh.Work, refresh.Method, refresh.Link, refresh.scheme = true, "cache.refresh", exchange.Link{Trace: exchange.TraceID{1}, Span: exchange.SpanID{0xcc}}, "http"
	refresh.work.Method = http.MethodGet
	refresh.Tries = []exchange.Try{{Host: "crm.example", At: ms(1), Took: ms(9), Status: 304}}
	expectSpans(t, "refresh", &refresh, []string{
		"0s-100ms cache.refresh (internal) -> cc iqgw.caller=pos iqgw.environment=sim iqgw.service=crm iqgw.credential=retail http.route=/sim/crm/v1/** iqgw.outcome=ok",
		"1ms-10ms GET (client) http.request.method=GET server.address=crm.example server.port=80 http.response.status_code=304",
	})
}

func expectSpans(t *testing.T, name string, e *ended, want []string) {
	t.Helper()
	spans := spansOf(e)
	got := make([]string, len(spans))
	for i, s := range spans {
		got[i] = told(s)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
	if e.spans() != len(spans) {
		t.Errorf("%s: %d spans were announced, %d made", name, e.spans(), len(spans))
	}
}

// An attempt has the id that an upstream that is trusted was told.
func TestSpanIDs(t *testing.T) {
	e := routed(200, "")
	e.Trace, e.Tries = exchange.NewTrace(), []exchange.Try{{Span: exchange.SpanID{9}}, {}}
	spans := spansOf(&e)
	if spans[0].id != e.Trace.Span || spans[1].id != (exchange.SpanID{9}) || spans[2].id == (exchange.SpanID{}) || spans[0].kind != trace.SpanKindServer {
		t.Errorf("%+v", spans)
	}
}

// What is sent upstream has the caller's method, or the work's.
func TestMethodsOfAttempts(t *testing.T) {
	for want, e := range map[string]*ended{
		http.MethodPut:  {Record: Record{Method: http.MethodPut}},
		http.MethodPost: {Record: Record{Method: "cache.refresh", Work: true}, work: Work{Method: http.MethodPost}},
	} {
		if got := e.tried(); got != want {
			t.Errorf("%s %v: %s, want %s", e.Method, e.Work, got, want)
		}
	}
}
