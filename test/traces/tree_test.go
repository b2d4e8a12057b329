package traces_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"iqgateway/test/rig"
	"iqgateway/test/traces"
)

// scenario is something that happens, and what is traced of it.
type scenario struct {
	name    string // of the golden file
	prepare func(*testing.T, *subject)
	act     func(*testing.T, *subject)
	// traces is how many begin in act.
	traces int
	// met tells whether what was to be traced did happen: what a busy machine has
	// kept from happening is tried again. Nil = it always does.
	met func([]traces.Span) bool
}

// TestSpanTrees: whatever becomes of a request, it leaves exactly the spans that
// tell it.
func TestSpanTrees(t *testing.T) {
	t.Parallel()
	for name, scenarios := range map[string][]scenario{
		"cache": cacheScenarios(), "quota": quotaScenarios(), "token": tokenScenarios(),
		"others": slices.Concat(upstreamScenarios(), callerScenarios()),
	} {
		t.Run(name, func(t *testing.T) { // they wait more than they reckon
			t.Parallel()
			s := newSubject(t, treeSettings())
			s.do(t, ask{target: customers}, http.StatusOK) // there is a token
			for _, one := range scenarios {
				t.Run(one.name, func(t *testing.T) { s.play(t, one) })
			}
		})
	}
}

// play runs a scenario and compares what it leaves.
func (s *subject) play(t *testing.T, one scenario) {
	t.Helper()
	const tries = 5
	var spans []traces.Span
	for try := 1; ; try++ {
		s.RemoveFaults(0)
		if one.prepare != nil {
			one.prepare(t, s)
		}
		s.settle(t)
		s.sink.Forget()
		one.act(t, s)
		spans = s.collect(t, one.traces)
		if one.met == nil || one.met(spans) {
			break
		}
		if try == tries {
			t.Fatalf("it did not happen in %d tries:\n%s", tries, traces.Tree(spans))
		}
	}
	if err := traces.Check(spans, s.origin); err != nil {
		t.Error(err)
	}
	golden(t, one.name, traces.Tree(spans))
}

// settle waits until all that was done before is in the sink.
func (s *subject) settle(t *testing.T) {
	t.Helper()
	s.gauge(t, 0, "http_server_active_requests")
	s.mark(t)
}

// collect waits for so many traces and returns their spans, and all others that
// came.
func (s *subject) collect(t *testing.T, want int) []traces.Span {
	t.Helper()
	s.await(t, "the traces are here", func() bool { return len(begun(s.sink.Spans())) >= want })
	s.gauge(t, 0, "http_server_active_requests")
	return s.mark(t)
}

// begun returns the spans with which a trace begins, or the gateway's part of
// one, or what goes on when that has ended.
func begun(spans []traces.Span) []traces.Span {
	return slices.DeleteFunc(slices.Clone(spans), func(s traces.Span) bool {
		return s.Kind != "server" && s.Parent != "" && s.Name != "cache.fetch"
	})
}

// mark sends a request whose span comes after all that was traced before, and
// returns what did.
func (s *subject) mark(t *testing.T) []traces.Span {
	t.Helper()
	s.marks++
	id := s.do(t, ask{target: "/nonsense/mark"}, http.StatusNotFound).id()
	trace := s.traceOf(t, id)
	return slices.DeleteFunc(s.sink.Spans(), func(span traces.Span) bool { return span.Trace == trace })
}

// traceOf waits for the trace of a request and returns its id.
func (s *subject) traceOf(t *testing.T, id string) (trace string) {
	t.Helper()
	s.await(t, "the trace of "+id, func() bool {
		span, here := s.sink.Find(func(span traces.Span) bool { return span.Text("iqgw.request_id") == id })
		trace = span.Trace
		return here
	})
	return trace
}

// golden compares a text with a file, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		rig.Must(t, os.WriteFile(file, []byte(got), 0o600))
		return
	}
	want, err := os.ReadFile(file)
	rig.Must(t, err)
	if got != string(want) {
		t.Errorf("got\n%s\nwant %s:\n%s", got, file, want)
	}
}
