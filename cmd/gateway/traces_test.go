package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// spanSink takes what is exported; names and texts can be found in it as they
// stand.
type spanSink struct {
	*httptest.Server

	sent chan []byte
	got  []byte
}

func newSpanSink(t testing.TB) *spanSink {
	t.Helper()
	s := &spanSink{sent: make(chan []byte, 1024)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		select {
		case s.sent <- text:
		default: // nobody waits for so much
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// await returns once a text has arrived.
func (s *spanSink) await(t *testing.T, text string) {
	t.Helper()
	late := time.After(time.Minute)
	for !bytes.Contains(s.got, []byte(text)) {
		select {
		case sent := <-s.sent:
			s.got = append(s.got, sent...)
		case <-late:
			t.Fatalf("%q did not arrive in a minute", text)
		}
	}
}

// A refusal leads its caller to the trace, which is kept though none is sampled; a
// reload changes where both are, for what comes after it.
func TestRefusalLeadsToItsTrace(t *testing.T) {
	t.Parallel()
	first, second := newSpanSink(t), newSpanSink(t)
	const quiet = "telemetry: {logs: {level: debug}"
	to := func(s *spanSink, ui string) string {
		return quiet + ", traces: {exporter: otlp, sample: 0%, endpoint: '" + s.URL + "', trace_url: 'https://" + ui + "/{trace_id}'}"
	}
	const refused = "/nosuchservice/v1/x"
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	r := newRig(t, rigOptions{flags: adminTokenFlags(), environ: []string{"OTEL_BSP_SCHEDULE_DELAY=1"}})
	ask := func(want string) (id string) {
		t.Helper()
		a := r.do(t, http.MethodGet, refused, "", func(req *http.Request) { req.Header.Set("Traceparent", parent) }).want(t, http.StatusNotFound)
		if !strings.Contains(a.text, `"trace_id":"0af7651916cd43dd8448eb211c80319c"`) || !strings.Contains(a.text, want) {
			t.Errorf("no %s in %s", want, a.text)
		}
		return a.Header.Get("X-Request-Id")
	}
	if id := ask(`"trace_id"`); id == "" {
		t.Error("no request id")
	}
	r.rewrite(t, quiet, to(first, "one.example"))
	r.reload(t)
	first.await(t, ask(`"trace_url":"https://one.example/0af7651916cd43dd8448eb211c80319c"`))
	r.rewrite(t, to(first, "one.example"), to(second, "two.example"))
	if done := r.reload(t); len(done.NeedsRestart) > 0 {
		t.Errorf("needs a restart: %v", done.NeedsRestart)
	}
	second.await(t, ask(`"trace_url":"https://two.example/0af7651916cd43dd8448eb211c80319c"`))
	for range 2 { // strangers are shown none, as theirs is not exported
		a := r.do(t, http.MethodGet, refused, "", func(req *http.Request) { req.Header.Del("X-Api-Key") }).want(t, http.StatusUnauthorized)
		if !strings.Contains(a.text, `"trace_id"`) || strings.Contains(a.text, "trace_url") {
			t.Errorf("a stranger got %s", a.text)
		}
	}
}
