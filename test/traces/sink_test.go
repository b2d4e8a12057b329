package traces_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"iqgateway/test/rig"
	"iqgateway/test/traces"
)

func text(key, value string) *common.KeyValue {
	return &common.KeyValue{Key: key, Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: value}}}
}

// message is one trace of two spans, and a link.
func message(t *testing.T) []byte {
	t.Helper()
	id := func(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n) }
	parent := &otlp.Span{
		TraceId: id(1, 16), SpanId: id(2, 8), Name: "GET /x", Kind: otlp.Span_SPAN_KIND_SERVER, StartTimeUnixNano: 1000, EndTimeUnixNano: 5000,
		Attributes: []*common.KeyValue{text("iqgw.request_id", "r1-abc"), text("b", "2"), text("a", "1")},
		Links:      []*otlp.Span_Link{{TraceId: id(1, 16), SpanId: id(3, 8)}, {TraceId: id(9, 16), SpanId: id(9, 8)}},
	}
	child := &otlp.Span{
		TraceId: id(1, 16), SpanId: id(3, 8), ParentSpanId: id(2, 8), Name: "GET", Kind: otlp.Span_SPAN_KIND_CLIENT,
		StartTimeUnixNano: 2000, EndTimeUnixNano: 4000, Status: &otlp.Status{Code: otlp.Status_STATUS_CODE_ERROR, Message: "reset"},
	}
	body, err := proto.Marshal(&otlp.TracesData{ResourceSpans: []*otlp.ResourceSpans{{ScopeSpans: []*otlp.ScopeSpans{{Spans: []*otlp.Span{child, parent}}}}}})
	rig.Must(t, err)
	return body
}

const messageTree = `[A] GET /x (server, unset)
    a = 1
    b = 2
    iqgw.request_id = <request id>
    -> [A] GET
    -> a span elsewhere
  GET (client, error)
      status: reset
`

func startedSink(t *testing.T) *traces.Sink {
	t.Helper()
	address, err := rig.FreeAddress()
	rig.Must(t, err)
	sink := traces.NewSink(address)
	rig.Must(t, sink.Start(t.Context()))
	t.Cleanup(func() { rig.Must(t, sink.Stop()) })
	return sink
}

// export posts a message and returns the status, 0 with an error.
func export(ctx context.Context, sink *traces.Sink, body []byte, coding string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+sink.Address+"/v1/traces", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	if coding != "" {
		req.Header.Set("Content-Encoding", coding)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

func TestSinkReceives(t *testing.T) {
	body := message(t)
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := w.Write(body)
	rig.Must(t, errors.Join(err, w.Close()))
	for coding, sent := range map[string][]byte{"": body, "gzip": packed.Bytes()} {
		sink := startedSink(t)
		if status, err := export(t.Context(), sink, sent, coding); status != http.StatusOK || err != nil {
			t.Fatalf("%q: %d %v", coding, status, err)
		}
		spans := sink.Spans()
		if got := traces.Tree(spans); got != messageTree {
			t.Errorf("%q: got\n%s", coding, got)
		}
		if err := traces.Check(spans); err != nil {
			t.Error(err)
		}
	}
}

func TestSinkMoods(t *testing.T) {
	sink, body := startedSink(t), message(t)
	sink.Be(traces.Mood{Status: http.StatusServiceUnavailable})
	if status, err := export(t.Context(), sink, body, ""); status != http.StatusServiceUnavailable || err != nil {
		t.Errorf("refusing: %d %v", status, err)
	}
	sink.Be(traces.Mood{Hang: true})
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := export(short, sink, body, ""); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("hanging: %v", err)
	}
	if n := len(sink.Spans()); n != 0 || sink.Posts() != 2 {
		t.Errorf("%d spans of %d exports", n, sink.Posts())
	}
	rig.Must(t, sink.Stop())
	if _, err := export(t.Context(), sink, body, ""); err == nil {
		t.Error("it was stopped")
	}
	rig.Must(t, sink.Start(t.Context()))
	sink.Be(traces.Mood{Delay: time.Millisecond})
	if status, err := export(t.Context(), sink, body, ""); status != http.StatusOK || err != nil || len(sink.Spans()) != 2 {
		t.Errorf("started again: %d %v", status, err)
	}
	sink.Be(traces.Mood{Discard: true})
	if status, err := export(t.Context(), sink, body, ""); status != http.StatusOK || err != nil || len(sink.Spans()) != 2 {
		t.Errorf("forgetting: %d %v", status, err)
	}
	sink.Be(traces.Mood{})
	if status, _ := export(t.Context(), sink, []byte("{}"), ""); status != http.StatusBadRequest || len(sink.Odd()) != 1 {
		t.Errorf("JSON is taken for protobuf: %d %q", status, sink.Odd())
	}
}
