package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iqgateway/internal/exchange"
	"iqgateway/proxy"
)

// traceOf is a trace that a caller began.
func traceOf(sampled bool, state string) exchange.Trace {
	t := exchange.NewTrace()
	t.Parent, t.Sampled, t.State, t.Told = exchange.NewSpanID(), sampled, state, true
	return t
}

// inTrace has exchanges be of a trace when they come to the attempt stage.
func inTrace(trace exchange.Trace) func(*http.Request, http.RoundTripper) (*http.Response, error) {
	return func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		ex := exchange.From(r.Context())
		ex.Trace, ex.Breaker = trace, exchange.BreakerHalfOpen
		return next.RoundTrip(r)
	}
}

// TestAttemptsAreNoted: where each went, what it met, and how its answer ended.
func TestAttemptsAreNoted(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
	tests := map[string]struct {
		answer  string
		idle    bool // it stays silent afterwards
		status  int
		failure string
		body    string // how the body ended
	}{
		"whole":            {answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", status: 200},
		"no body":          {answer: "HTTP/1.1 204 No Content\r\n\r\n", status: 204},
		"an upstream ill":  {answer: "HTTP/1.1 503 Ill\r\nContent-Length: 0\r\n\r\n", status: 503},
		"truncated":        {answer: head + "some", status: 200, body: "body"},
		"silent in a body": {answer: head + "some", idle: true, status: 200, body: "body_idle"},
		"no answer":        {failure: "reset"},
		"no HTTP":          {answer: "what?\r\n\r\n", failure: "protocol"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			up := newRawUpstream(t, func(_ int, c net.Conn, r *bufio.Reader) {
				readHead(r)
				_, _ = io.WriteString(c, tt.answer)
				if tt.idle {
					_, _ = io.Copy(io.Discard, r)
				}
			})
			g := newGate(t, up.URL, func(g *gate) {
				g.Between = inTrace(exchange.NewTrace())
				g.Service.BodyIdle = patience
				if tt.idle {
					g.Service.BodyIdle = short
				}
			})
			g.raw(t, "GET /svc/x HTTP/1.1\r\nHost: gw.test\r\nConnection: close\r\n\r\n", "")
			tries := g.finished(t).Tries
			if len(tries) != 1 {
				t.Fatalf("%d attempts", len(tries))
			}
			try := tries[0]
			if try.Span == (exchange.SpanID{}) || try.Host != strings.TrimPrefix(up.URL, "http://") || try.Breaker != exchange.BreakerHalfOpen ||
				try.Status != tt.status || try.Failure != tt.failure || try.Took <= 0 {
				t.Errorf("%+v", try)
			}
			took, failure, ended := try.Body.Get()
			if ended != (tt.status != 0) || failure != tt.body || ended && took < try.Took {
				t.Errorf("its body: %v, %q after %v; want %q", ended, failure, took, tt.body)
			}
		})
	}
}

// TestAnAnswerWithoutABodyIsWhole: who closes it unread gives nothing up.
func TestAnAnswerWithoutABodyIsWhole(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }))
	t.Cleanup(up.Close)
	g := newGate(t, up.URL, func(g *gate) {
		g.Between = func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
			res, err := next.RoundTrip(r)
			if err == nil {
				_ = res.Body.Close()
				res.Body = http.NoBody
			}
			return res, err
		}
	})
	g.do(t, http.MethodGet, "/svc/x", nil, nil)
	if info := receive(t, g.attempts, "attempt"); info.Kind != proxy.FailedNot || info.Status != http.StatusNotModified {
		t.Errorf("%+v", info)
	}
	if _, failure, ended := g.finished(t).Tries[0].Body.Get(); !ended || failure != "" {
		t.Errorf("ended %v, %q", ended, failure)
	}
}

// TestTrustedUpstreamsAreToldOfEachAttempt, and others of none (SEC-34).
func TestTrustedUpstreamsAreToldOfEachAttempt(t *testing.T) {
	sampled, kept := traceOf(true, "vendor=1,other=2"), traceOf(false, "")
	passed, begun := sampled, kept
	passed.Told = false
	begun.Told, begun.Parent = false, exchange.SpanID{}
	tests := map[string]struct {
		trusted bool
		trace   exchange.Trace
		baggage []string
		want    [3]string // traceparent with %s for the span, tracestate, baggage
	}{
		"trusted":              {true, sampled, []string{"a=b"}, [3]string{"00-" + sampled.ID.String() + "-%s-01", "vendor=1,other=2", "a=b"}},
		"not sampled":          {true, kept, nil, [3]string{"00-" + kept.ID.String() + "-%s-00", "", ""}},
		"told to nobody":       {true, passed, nil, [3]string{"00-" + passed.ID.String() + "-" + passed.Parent.String() + "-01", "vendor=1,other=2", ""}},
		"nor begun":            {true, begun, []string{"a=b"}, [3]string{"", "", "a=b"}},
		"in no trace":          {true, exchange.Trace{}, []string{"a=b;c", "d=%20e;f=g"}, [3]string{"", "", "a=b;c, d=%20e;f=g"}},
		"malformed baggage":    {true, kept, []string{"a=b", "c"}, [3]string{"00-" + kept.ID.String() + "-%s-00", "", ""}},
		"too much of it":       {true, kept, []string{"a=" + strings.Repeat("b", 8191)}, [3]string{"00-" + kept.ID.String() + "-%s-00", "", ""}},
		"not trusted":          {false, sampled, []string{"a=b"}, [3]string{}},
		"not, and in no trace": {false, exchange.Trace{}, nil, [3]string{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			up, seen := recordHeaders(t)
			g := newGate(t, up.URL, func(g *gate) {
				g.Service.TrustedTracing, g.Between = tt.trusted, inTrace(tt.trace)
			})
			header := http.Header{
				"Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, "Tracestate": {"theirs=1"}, "Baggage": tt.baggage,
			}
			g.do(t, http.MethodGet, "/svc/x", nil, header)
			ex, h := g.finished(t), receive(t, seen, "request")
			if want := tt.want[0]; strings.Contains(want, "%s") {
				tt.want[0] = fmt.Sprintf(want, ex.Tries[0].Span)
			}
			got := [3]string{h.Get("Traceparent"), h.Get("Tracestate"), strings.Join(h["Baggage"], ", ")}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("traceparent, tracestate, baggage (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEachAttemptHasASpanOfItsOwn: the upstream's work is told apart by them.
func TestEachAttemptHasASpanOfItsOwn(t *testing.T) {
	told := make(chan string, 2)
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		told <- r.Header.Get("Traceparent")
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(up.Close)
	trace := traceOf(false, "")
	g := newGate(t, up.URL, func(g *gate) {
		g.Service.TrustedTracing, g.Between, g.Tokens = true, inTrace(trace), map[string]string{"retail": "CAN_AT"}
	})
	g.do(t, http.MethodGet, "/svc/x", nil, nil)
	tries := g.finished(t).Tries
	if len(tries) != 2 || tries[0].Span == tries[1].Span {
		t.Fatalf("%+v", tries)
	}
	for _, try := range tries {
		if want, got := "00-"+trace.ID.String()+"-"+try.Span.String()+"-00", receive(t, told, "request"); got != want {
			t.Errorf("told %q, want %q", got, want)
		}
	}
}
