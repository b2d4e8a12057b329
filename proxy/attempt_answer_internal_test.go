package proxy

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/internal/exchange"
)

// pipeBody gives what is sent into it; a read ends with its context.
type pipeBody struct {
	ended  <-chan struct{} // of the attempt's context
	cause  func() error
	chunks chan string
	closed bool
}

func (b *pipeBody) Read(p []byte) (int, error) {
	select {
	case chunk, ok := <-b.chunks:
		if !ok {
			return 0, io.EOF
		}
		return copy(p, chunk), nil
	case <-b.ended:
		return 0, b.cause()
	}
}

func (b *pipeBody) Close() error {
	b.closed = true
	return nil
}

// newAnswer returns an answer's body with an idle time of one second and what
// its attempt reports.
func newAnswer(t *testing.T) (*answerBody, *pipeBody, *[]AttemptInfo) {
	t.Helper()
	infos := new([]AttemptInfo)
	n, _ := newRun(t, nil)
	n.ctx, n.cancel = context.WithCancelCause(t.Context())
	n.start = time.Now()
	n.hooks = AttemptHooks{Done: func(_ context.Context, i AttemptInfo) { *infos = append(*infos, i) }}
	inner := &pipeBody{
		ended:  n.ctx.Done(),
		cause:  func() error { return context.Cause(n.ctx) },
		chunks: make(chan string, 100),
	}
	return newAnswerBody(inner, n, time.Second), inner, infos
}

func TestAnswerEndsAttemptOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, inner, infos := newAnswer(t)
		inner.chunks <- "some"
		close(inner.chunks)
		<-time.After(time.Minute) // a caller in no hurry: nobody reads, nothing stalls
		text, err := io.ReadAll(b)
		if string(text) != "some" || err != nil {
			t.Errorf("read %q, %v", text, err)
		}
		_ = b.Close()
		if len(*infos) != 1 || (*infos)[0].Kind != FailedNot || (*infos)[0].Duration != time.Minute || !inner.closed {
			t.Errorf("reports %+v, closed %v", *infos, inner.closed)
		}
	})
}

func TestSlowCallerIsNotAStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, inner, infos := newAnswer(t)
		for range 10 {
			inner.chunks <- "x"
			<-time.After(900 * time.Millisecond)
			if _, err := b.Read(make([]byte, 10)); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Hour)
		}
		if len(*infos) != 0 {
			t.Errorf("the attempt ended: %+v", *infos)
		}
		_ = b.Close()
	})
}

func TestStalledAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, inner, infos := newAnswer(t)
		inner.chunks <- "some"
		start := time.Now()
		_, err := io.ReadAll(b)
		if !errors.Is(err, errBodyIdle) || time.Since(start) != time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		if len(*infos) != 1 || (*infos)[0].Kind != FailedBodyIdle {
			t.Errorf("reports %+v", *infos)
		}
	})
}

func TestWhyAnAnswerBrokeOff(t *testing.T) {
	for cause, want := range map[error]FailureKind{
		errTotal: FailedDeadline, callerDeadlineError{time.Second}: FailedCallerTime, context.DeadlineExceeded: FailedDeadline, context.Canceled: FailedCallerGone,
		errBodyIdle: FailedBodyIdle, nil: FailedBody,
	} {
		if got := classifyBody(cause); got != want {
			t.Errorf("%v: %q, want %q", cause, got, want)
		}
	}
}

func TestAbortedExchangeSaysWhy(t *testing.T) {
	broken := errors.New("broken")
	gone, leave := context.WithCancel(t.Context())
	leave()
	tests := map[string]struct {
		left bool
		read error // nil: closed without reading
		want error
	}{
		"complete":        {false, io.EOF, nil},
		"broken":          {false, broken, broken},
		"caller left":     {true, broken, ErrCallerGone},
		"write failed":    {false, nil, ErrCallerGone},
		"wrapped end":     {false, &failure{kind: FailedBody, err: io.EOF}, io.EOF},
		"truncated":       {false, io.ErrUnexpectedEOF, io.ErrUnexpectedEOF},
		"left, but whole": {true, io.EOF, nil},
	}
	for name, tt := range tests {
		ex := &exchange.Exchange{}
		caller := t.Context()
		if tt.left {
			caller = gone
		}
		b := &responseBody{ReadCloser: &failingBody{tt.read}, exchange: ex, caller: caller}
		if tt.read != nil {
			_, _ = b.Read(nil)
		}
		_ = b.Close()
		if !errors.Is(ex.Aborted, tt.want) || (tt.want == nil) != (ex.Aborted == nil) {
			t.Errorf("%s: aborted %v, want %v", name, ex.Aborted, tt.want)
		}
	}
	if !errors.Is(ErrCallerGone, context.Canceled) {
		t.Error("the access log cannot tell that the caller left")
	}
}

type failingBody struct{ err error }

func (b *failingBody) Read([]byte) (int, error) { return 0, b.err }

func (b *failingBody) Close() error { return nil }
