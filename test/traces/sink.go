package traces

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Mood is how a [Sink] treats who exports to it. The zero value takes everything
// at once.
type Mood struct {
	Delay   time.Duration // before it answers
	Status  int           // that it answers instead of taking the spans; 0 = 200
	Hang    bool          // it answers nothing until the exporter leaves
	Discard bool          // it reads the spans and forgets them, to cost nothing
}

// Sink is an OTLP/HTTP receiver on loopback that keeps all spans. It is safe for
// concurrent use.
type Sink struct {
	// Address is its host:port, also while it is stopped.
	Address string

	mu     sync.Mutex
	mood   Mood
	spans  []Span
	raw    [][]byte // the exported messages, for sweeps
	posts  int      // exports that came, taken or not
	odd    []string // what an exporter may not send
	conns  int      // connections that were opened
	server *http.Server
}

const (
	tracesPath = "/v1/traces"
	protobuf   = "application/x-protobuf"
)

// NewSink returns one that is not started.
func NewSink(address string) *Sink { return &Sink{Address: address} }

// Start listens; a sink that was stopped can be started again.
func (s *Sink) Start(ctx context.Context) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", s.Address)
	if err != nil {
		return fmt.Errorf("the sink: %w", err)
	}
	server := &http.Server{Handler: s, ReadHeaderTimeout: time.Minute, ConnState: func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.mu.Lock()
			s.conns++
			s.mu.Unlock()
		}
	}}
	s.mu.Lock()
	s.server = server
	s.mu.Unlock()
	go func() { _ = server.Serve(l) }() // ends with Stop
	return nil
}

// Stop cuts all connections and listens no more.
func (s *Sink) Stop() error {
	s.mu.Lock()
	server := s.server
	s.mu.Unlock()
	return server.Close()
}

// Be changes its mood.
func (s *Sink) Be(m Mood) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mood = m
}

// Spans returns what came since the last Forget.
func (s *Sink) Spans() []Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.spans)
}

// Find returns the latest span for which is says so.
func (s *Sink) Find(is func(Span) bool) (Span, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range slices.Backward(s.spans) {
		if is(one) {
			return one, true
		}
	}
	return Span{}, false
}

// Raw returns the messages as they came since the last Forget.
func (s *Sink) Raw() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.raw)
}

// Odd returns what exporters have sent that OTLP does not allow.
func (s *Sink) Odd() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.odd)
}

// Posts returns how many exports have come, taken or not.
func (s *Sink) Posts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.posts
}

// Connections returns how many were opened.
func (s *Sink) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns
}

// Forget drops the spans.
func (s *Sink) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spans, s.raw = nil, nil
}

// ServeHTTP implements [http.Handler].
func (s *Sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.posts++
	mood := s.mood
	s.mu.Unlock()
	if mood.Discard {
		_, _ = io.Copy(io.Discard, r.Body) // an exporter that leaves has no answer
		w.Header().Set("Content-Type", protobuf)
		return
	}
	body, err := message(r)
	if err != nil {
		s.note(err.Error())
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if !mood.pass(r.Context()) {
		return
	}
	if mood.Status != 0 {
		w.WriteHeader(mood.Status)
		return
	}
	var request otlp.TracesData // what an ExportTraceServiceRequest is on the wire, without all of gRPC
	if err := proto.Unmarshal(body, &request); err != nil {
		s.note(err.Error())
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.keep(body, &request)
	w.Header().Set("Content-Type", protobuf) // of an empty ExportTraceServiceResponse
}

// pass waits as the mood has it; false = the exporter has left.
func (m Mood) pass(ctx context.Context) bool {
	if m.Hang {
		<-ctx.Done()
		return false
	}
	if m.Delay == 0 {
		return true
	}
	t := time.NewTimer(m.Delay)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

const maxMessage = 16 << 20

// message reads what OTLP/HTTP 1.x section "Binary Protobuf Encoding" allows.
func message(r *http.Request) ([]byte, error) {
	if r.Method != http.MethodPost || r.URL.Path != tracesPath || r.Header.Get("Content-Type") != protobuf {
		return nil, fmt.Errorf("%s %s with %q is no export of spans", r.Method, r.URL.Path, r.Header.Get("Content-Type"))
	}
	var body io.Reader = r.Body
	switch coding := r.Header.Get("Content-Encoding"); coding {
	case "":
	case "gzip":
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		body = unpacked
	default:
		return nil, fmt.Errorf("content coding %q", coding)
	}
	limited := &io.LimitedReader{R: body, N: maxMessage + 1}
	text, err := readAll(limited)
	if err == nil && limited.N == 0 {
		err = errors.New("the message is too large")
	}
	return text, err
}

func (s *Sink) note(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.odd = append(s.odd, text)
}

func (s *Sink) keep(body []byte, request *otlp.TracesData) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.raw = append(s.raw, body)
	s.spans = append(s.spans, spansOf(request)...)
}
