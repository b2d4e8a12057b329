package traces_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"iqgateway/test/traces"
)

// sampledAt has nothing sampled, unless its caller says so.
func sampledAt(sample string) settings {
	return settings{
		sample: sample, slow: "2s", trusted: true,
		services: "  crm: {headers: {forward: [X-Sim-Fault]}, breaker: {min_requests: 1000000}, retry: {max_attempts: 1}, cache: {mode: none}}\n",
	}
}

// TestAlwaysKept: of a sample of nothing there are still the errors, the refusals
// and what is slow, each whole.
func TestAlwaysKept(t *testing.T) {
	t.Parallel()
	s := newSubject(t, sampledAt("0%"))
	s.do(t, ask{target: customers}, http.StatusOK) // there is a token
	for name, tt := range map[string]struct {
		ask    ask
		status int
		spans  []string // of its trace; nil = it is not kept
	}{
		"plain":          {ask{target: customers}, http.StatusOK, nil},
		"not found":      {ask{target: "/crm/v1/Companies(14146)/Nothing"}, http.StatusNotFound, nil}, // the upstream says so
		"error":          {ask{target: customers, fault: "kind=status&status=500"}, http.StatusInternalServerError, []string{"GET", "cache.lookup", "quota.acquire", "server", "token.get"}},
		"broken off":     {ask{target: customers, fault: "kind=truncate&bytes=5"}, http.StatusOK, []string{"GET", "cache.lookup", "quota.acquire", "server", "token.get"}},
		"refused":        {ask{target: "/nonsense/x"}, http.StatusNotFound, []string{"server"}},
		"slow":           {ask{target: customers, fault: "kind=latency&delay=2100ms"}, http.StatusOK, []string{"GET", "cache.lookup", "quota.acquire", "server", "token.get"}},
		"a stranger's":   {ask{target: customers, header: map[string]string{"X-Api-Key": "wrong"}}, http.StatusUnauthorized, nil},
		"stranger's own": {ask{target: customers, header: map[string]string{"X-Api-Key": "wrong", "Traceparent": sampledParent}}, http.StatusUnauthorized, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s.settle(t)
			s.sink.Forget()
			a := s.do(t, tt.ask, tt.status)
			s.gauge(t, 0, "http_server_active_requests")
			spans := s.mark(t)
			if !slices.Equal(kinds(spans), tt.spans) {
				t.Errorf("%q, want %q\n%s", kinds(spans), tt.spans, traces.Tree(spans))
			}
			for _, span := range spans {
				if id := span.Text("iqgw.request_id"); span.Kind == "server" && id != a.id() {
					t.Errorf("it is that of %s", id)
				}
			}
			if err := traces.Check(spans, s.origin); err != nil {
				t.Error(err)
			}
		})
	}
}

// kinds are the names of the spans but of those of a server, sorted; nil = none.
func kinds(spans []traces.Span) (names []string) {
	for _, s := range spans {
		if s.Kind == "server" {
			s.Name = "server"
		}
		names = append(names, s.Name)
	}
	slices.Sort(names)
	return names
}

const (
	callersID      = "4bf92f3577b34da6a3ce929d0e0e4736"
	sampledParent  = "00-" + callersID + "-00f067aa0ba902b7-01"
	unsampledParnt = "00-" + callersID + "-00f067aa0ba902b7-00"
)

// inbound is what a caller sends of its trace, and what is believed.
type inbound struct {
	parent, state, baggage string
	ours                   bool // the trace is a new one
	kept                   bool // at a sample of nothing
	toldState, toldBaggage string
}

func inbounds() map[string]inbound {
	long := func(n int, one string) string {
		return strings.TrimSuffix(strings.Repeat(one+",", n), ",")
	}
	members := make([]string, 100)
	for i := range members {
		members[i] = fmt.Sprintf("v%d=1", i)
	}
	return map[string]inbound{
		"sampled":              {parent: sampledParent, state: "a=1,b=2", baggage: "k=v", kept: true, toldState: "a=1,b=2", toldBaggage: "k=v"},
		"not sampled":          {parent: unsampledParnt},
		"a later version":      {parent: "01-" + callersID + "-00f067aa0ba902b7-01-more", kept: true},
		"none":                 {ours: true},
		"zeros":                {parent: "00-" + strings.Repeat("0", 32) + "-" + strings.Repeat("0", 16) + "-01", ours: true},
		"no parent id":         {parent: "00-" + callersID + "-0000000000000000-01", ours: true},
		"a thousand bytes":     {parent: sampledParent + strings.Repeat("x", 1000), ours: true},
		"upper case":           {parent: strings.ToUpper(sampledParent), ours: true},
		"an invalid version":   {parent: "ff" + sampledParent[2:], ours: true},
		"a hundred members":    {parent: sampledParent, state: strings.Join(members, ","), kept: true},
		"two hundred baggages": {parent: sampledParent, baggage: long(200, "k=v"), kept: true},
		"state without parent": {state: "a=1", ours: true},
		"baggage of 20 KB":     {parent: sampledParent, baggage: "k=" + strings.Repeat("v", 20_000), kept: true},
	}
}

// TestInboundContext: a caller's trace goes on where it is well-formed, and what
// is not harms nobody (W3C Trace Context and Baggage).
func TestInboundContext(t *testing.T) {
	t.Parallel()
	s := newSubject(t, sampledAt("0%"))
	s.do(t, ask{target: customers}, http.StatusOK)
	for name, tt := range inbounds() {
		t.Run(name, func(t *testing.T) {
			s.settle(t)
			s.sink.Forget()
			s.ClearLedger()
			header := map[string]string{}
			for field, value := range map[string]string{"Traceparent": tt.parent, "Tracestate": tt.state, "Baggage": tt.baggage} {
				if value != "" {
					header[field] = value
				}
			}
			s.do(t, ask{target: customers, header: header}, http.StatusOK)
			s.gauge(t, 0, "http_server_active_requests")
			spans := s.mark(t)
			if kept := len(spans) > 0; kept != tt.kept {
				t.Fatalf("kept: %t\n%s", kept, traces.Tree(spans))
			}
			s.wantTold(t, tt, spans)
		})
	}
}

// wantTold looks at what the upstream was told.
func (s *subject) wantTold(t *testing.T, tt inbound, spans []traces.Span) {
	t.Helper()
	told := s.seen("crm")[0].Header
	parts := strings.Split(told.Get("Traceparent"), "-")
	if len(parts) != 4 || parts[0] != "00" || (parts[1] == callersID) == tt.ours || parts[2] == "00f067aa0ba902b7" || (parts[3] == "01") != tt.kept {
		t.Fatalf("the upstream was told %q", told.Get("Traceparent"))
	}
	if told.Get("Tracestate") != tt.toldState || tt.toldBaggage != "" && told.Get("Baggage") != tt.toldBaggage || len(told.Get("Baggage")) > 8192 {
		t.Errorf("the upstream was told %q and %.100q", told.Get("Tracestate"), told.Get("Baggage"))
	}
	for _, span := range spans {
		if span.Trace != callersID {
			t.Errorf("%s is of the trace %s", span.Name, span.Trace)
		}
		if span.Kind == "server" && span.Parent != "00f067aa0ba902b7" {
			t.Errorf("its parent is %q", span.Parent)
		}
		if span.Kind == "client" && span.ID != parts[2] {
			t.Errorf("the upstream was told %s is its parent, not the attempt %s", parts[2], span.ID)
		}
	}
}

// TestUntrustedUpstreamIsToldNothing: nothing of a trace goes to an upstream that
// is not trusted, and nothing to its token endpoint.
func TestUntrustedUpstreamIsToldNothing(t *testing.T) {
	t.Parallel()
	s := newSubject(t, settings{})
	for _, target := range []string{customers, items} {
		s.do(t, ask{target: target, header: map[string]string{"Traceparent": sampledParent, "Tracestate": "a=1", "Baggage": "k=v"}}, http.StatusOK)
	}
	if len(s.seen("accounts")) == 0 || len(s.seen("crm")) == 0 || len(s.seen("catalogs")) == 0 {
		t.Fatal("not all upstreams were asked")
	}
	for _, e := range s.seen("") {
		for _, name := range []string{"Traceparent", "Tracestate", "Baggage", "B3", "X-B3-Traceid", "Uber-Trace-Id"} {
			if told := e.Header.Values(name); len(told) > 0 {
				t.Errorf("%s was told %s: %q", e.Service, name, told)
			}
		}
	}
}
