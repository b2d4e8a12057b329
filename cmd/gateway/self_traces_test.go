package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"iqgateway/internal/exchange"
	"iqgateway/internal/fleet"
	"iqgateway/internal/redisconn"
	"iqgateway/observability"
)

const (
	someTrace   = "4bf92f3577b34da6a3ce929d0e0e4736"
	traceParent = "00-" + someTrace + "-00f067aa0ba902b7-01"
)

// otherReplica is what another replica answers: requests that began at these
// seconds.
func otherReplica(t *testing.T, name string, at ...int64) fleet.Answer {
	t.Helper()
	d := traceDocument{TraceID: someTrace, Replica: name}
	for _, s := range at {
		d.Requests = append(d.Requests, requestDocument{RequestID: fmt.Sprintf("%s-%d", name, s), Replica: name, Started: time.Unix(s, 0)})
	}
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return fleet.Answer{Replica: name, Text: text}
}

func TestTraceOverTheFleet(t *testing.T) {
	noAnswer := fmt.Errorf("%w: %w", fleet.ErrNoAnswer, context.DeadlineExceeded)
	many := make([]int64, maxTraced+5)
	for i := range many {
		many[i] = int64(i)
	}
	for name, tt := range map[string]struct {
		answers []fleet.Answer
		err     error
		want    string // requests, omitted and silent ones
		unknown bool   // an error: somebody may know
	}{
		"nobody else":        {want: ""},
		"nobody knows":       {answers: []fleet.Answer{otherReplica(t, "b")}},
		"in their order":     {answers: []fleet.Answer{otherReplica(t, "b", 3, 1), otherReplica(t, "c", 2)}, want: "b-1 c-2 b-3 0 []"},
		"some are silent":    {answers: []fleet.Answer{otherReplica(t, "b", 1), {Replica: "c", Err: noAnswer}}, want: "b-1 0 [c: the replica did not answer in time]"},
		"one has left":       {answers: []fleet.Answer{{Replica: "c", Err: fleet.ErrNobody}}},
		"only silence":       {answers: []fleet.Answer{{Replica: "c", Err: fleet.ErrAsking}}, unknown: true},
		"nonsense":           {answers: []fleet.Answer{{Replica: "c", Text: []byte("x")}}, unknown: true},
		"Redis is away":      {err: fleet.ErrStore, unknown: true},
		"Redis without keys": {err: fmt.Errorf("%w: %w", fleet.ErrStore, redisconn.ErrNoKeys)},
		"not asked":          {answers: []fleet.Answer{otherReplica(t, "b", 1), {Replica: "c", Err: fleet.ErrNotAsked}}, want: "b-1 0 [c: more replicas are alive than are asked]"},
		"nor known":          {answers: []fleet.Answer{otherReplica(t, "b"), {Replica: "c", Err: fleet.ErrNotAsked}}},
		"asked too often":    {err: fleet.ErrAsking, unknown: true},
		"too many":           {answers: []fleet.Answer{otherReplica(t, "b", many...)}, want: "5 []"},
	} {
		finder := requestFinder{replica: "a", recent: observability.NewRecent(), askAll: func(_ context.Context, caller, kind string, payload []byte) ([]fleet.Answer, error) {
			if caller != "pos" || kind != questionFindTrace || !strings.Contains(string(payload), someTrace) {
				t.Errorf("asked as %s for %s %s", caller, kind, payload)
			}
			return tt.answers, tt.err
		}}
		text, err := finder.find(t.Context(), requestQuestion{ID: strings.ToUpper(someTrace), Caller: "pos"})
		if (err != nil) != tt.unknown || (text == nil) != (tt.want == "") {
			t.Errorf("%s: %s, %v", name, text, err)
		}
		if text == nil {
			continue
		}
		if got := traceSummary(t, text); !strings.HasSuffix(got, tt.want) {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func traceSummary(t *testing.T, text []byte) string {
	t.Helper()
	var d traceDocument
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	var parts, silent []string
	for _, r := range d.Requests {
		parts = append(parts, r.RequestID)
	}
	for _, s := range d.Silent {
		silent = append(silent, s.Replica+": "+s.Reason)
	}
	return fmt.Sprint(strings.Join(parts, " "), " ", d.Omitted, " ", silent)
}

func TestTraceOf(t *testing.T) {
	for text, want := range map[string]bool{
		someTrace: true, strings.ToUpper(someTrace): true, strings.Repeat("0", 32): false, strings.Repeat("g", 32): false,
		someTrace[1:]: false, someTrace + "0": false, "": false, "r1-1tcab4uta9g6fhq2": false,
	} {
		if _, ok := traceOf(text); ok != want {
			t.Errorf("%q: %v", text, ok)
		}
	}
}

// An answer to another replica fits into what it takes, however much there is to
// tell; only the caller's own is told.
func TestAnswersOfTracesAreBounded(t *testing.T) {
	finder := requestFinder{replica: "a", recent: observability.NewRecent()}
	h := observability.Observe(observability.ObserveOptions{Replica: "a", Recent: finder.recent})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ex := exchange.From(r.Context())
		ex.Caller = &exchange.Caller{Name: r.Header.Get("X-Caller")}
		ex.Problem = exchange.Refuse(exchange.QuotaExceeded, strings.Repeat("<", 1000))
		for range 100 {
			ex.Waited(ex.Start, exchange.Wait{Kind: exchange.WaitQuota, Bucket: strings.Repeat("<", 300)})
		}
	}))
	for range 20 {
		for _, caller := range []string{"pos", "web"} {
			r := httptest.NewRequest(http.MethodGet, "/crm/v1/x", http.NoBody)
			r.Header.Set("Traceparent", traceParent)
			r.Header.Set("X-Caller", caller)
			h.ServeHTTP(httptest.NewRecorder(), r)
		}
	}
	text, err := finder.answerTrace(t.Context(), []byte(`{"id":"`+someTrace+`","caller":"pos"}`))
	if err != nil || len(text) > fleet.MaxAnswer {
		t.Fatalf("%d bytes, %v", len(text), err)
	}
	var d traceDocument
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if n := len(d.Requests); n == 0 || n+d.Omitted != 20 || slices.ContainsFunc(d.Requests, func(r requestDocument) bool { return r.Caller != "pos" }) {
		t.Errorf("%d requests, %d omitted", n, d.Omitted)
	}
	for _, bad := range []string{"x", `{"id":"x"}`} {
		if text, err := finder.answerTrace(t.Context(), []byte(bad)); err == nil {
			t.Errorf("%s is answered %s", bad, text)
		}
	}
}

// Everything of a trace is shown, in lines that a terminal takes, and to callers
// what is theirs alone.
func TestExplainTrace(t *testing.T) {
	r := newSickRig(t, "  crm: {FAULTS}\n", rigOptions{
		access: `{crm: read}`,
		flags: []string{
			"--set", "telemetry.traces.exporter=otlp", "--set", "telemetry.traces.endpoint=http://127.0.0.1:1",
			"--set", "telemetry.traces.sample=0%", "--set", "telemetry.traces.trace_url=http://jaeger.test/trace/{trace_id}",
		},
	})
	within := setHeader("Traceparent", traceParent)
	read := r.own(t, r.do(t, http.MethodGet, customers, "", within).want(t, http.StatusOK))
	refused := r.own(t, r.do(t, http.MethodDelete, "/crm/v1/Companies(1)/Customers(2)", "", within).want(t, http.StatusForbidden))
	other := r.own(t, r.do(t, http.MethodGet, customers, "", within, r.byTill).want(t, http.StatusOK), r.byTill)
	r.unexported(t)
	out := r.explained(t, strings.ToUpper(someTrace))
	for _, want := range []string{
		"trace " + someTrace + ": 3 requests", "http://jaeger.test/trace/" + someTrace, read.RequestID + ": GET", refused.RequestID + ": DELETE", other.RequestID + ": GET",
		"quota.acquire", "token.get", "attempt 1", "what to do: docs/errors.md#not-allowed", "not sent upstream: Traceparent",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	fits(t, out)
	var d traceDocument
	if err := json.Unmarshal([]byte(r.explained(t, someTrace, "-o", "json")), &d); err != nil || len(d.Requests) != 3 || d.Requests[0].RequestID != read.RequestID {
		t.Errorf("%+v, %v", d, err)
	}
	var mine traceDocument
	if err := json.Unmarshal([]byte(r.do(t, http.MethodGet, pathOwnRequests+someTrace, "", r.byTill).want(t, http.StatusOK).text), &mine); err != nil ||
		len(mine.Requests) != 1 || mine.Requests[0].RequestID != other.RequestID {
		t.Errorf("the other caller gets %+v, %v", mine, err)
	}
	if read.TraceID != someTrace || read.TraceURL == "" || len(read.Waits) < 2 || read.Attempts[0].Body != bodyWhole || read.Attempts[0].Host == "" {
		t.Errorf("%+v", read)
	}
}

// unexported fails the test if a trace of which nothing is exported is said to be
// seen somewhere.
func (r *sickRig) unexported(t *testing.T) {
	t.Helper()
	const id = "5bf92f3577b34da6a3ce929d0e0e4737"
	r.own(t, r.do(t, http.MethodGet, customers, "", setHeader("Traceparent", "00-"+id+"-00f067aa0ba902b7-00")).want(t, http.StatusOK))
	text := r.do(t, http.MethodGet, pathOwnRequests+id, "").want(t, http.StatusOK).text
	if strings.Contains(text, "trace_url") || strings.Contains(r.explained(t, id), "jaeger.test") {
		t.Errorf("a trace that is not exported has a URL: %s", text)
	}
}

// fits fails the test unless lines of more than one word fit into a terminal.
func fits(t *testing.T, out string) {
	t.Helper()
	for line := range strings.Lines(out) {
		if line = strings.TrimRight(line, "\n"); utf8.RuneCountInString(line) > terminalWidth && len(strings.Fields(line)) > 1 {
			t.Errorf("%d columns: %s", utf8.RuneCountInString(line), line)
		}
	}
}

func TestReplicasThatDoNotTellOfATrace(t *testing.T) {
	var out strings.Builder
	writeTrace(&out, traceDocument{
		TraceID: someTrace, Omitted: 1, Silent: []silentReplica{{Replica: "7q3mzk4a", Reason: fleet.ErrNoAnswer.Error()}, {Reason: "Redis does not answer"}},
	})
	if !strings.Contains(out.String(), "7q3mzk4a has not answered") || !strings.Contains(out.String(), "other replicas have not") || !strings.Contains(out.String(), "1 request more, older") {
		t.Error(out.String())
	}
	fits(t, out.String())
}
