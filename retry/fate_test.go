package retry

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/internal/exchange"
)

// One attempt of a write may have been executed, and the repetition is refused
// before anything is sent: the write must not be told to be safe to repeat.
func TestDoubtOutlivesRepetitions(t *testing.T) {
	caller := errors.New("the caller has left")
	for name, c := range map[string]struct {
		ask   ask
		steps []step
		want  exchange.Outcome
	}{
		"lost, then the breaker opens":             {put(), []step{failing(lost), failing(breaker)}, exchange.OutcomeUnknown},
		"lost, then no connection":                 {put(), []step{failing(lost), failing(refused)}, exchange.OutcomeUnknown},
		"lost, then unprocessed":                   {put(), []step{failing(lost), failing(ignored)}, exchange.OutcomeUnknown},
		"answered 504, then the breaker opens":     {put(), []step{status(504), failing(breaker)}, exchange.OutcomeUnknown},
		"no connection, lost, breaker":             {put(), []step{unread(failing(refused)), failing(lost), failing(breaker)}, exchange.OutcomeUnknown},
		"no connection, then the breaker opens":    {put(), []step{unread(failing(refused)), failing(breaker)}, exchange.NotExecuted},
		"never any connection":                     {put(), []step{unread(failing(refused))}, exchange.NotExecuted},
		"a read has no fate":                       {get(), []step{failing(lost), failing(refused)}, exchange.OutcomeNone},
		"lost, then an error that is no problem":   {put(), []step{failing(lost), failing(func(bool) error { return caller })}, "no problem at all"},
		"lost, then a problem that says nothing":   {put(), []step{failing(lost), failing(func(bool) error { return exchange.Refuse(exchange.InternalError, "odd") })}, exchange.OutcomeUnknown},
		"lost, then a problem wrapped in an error": {put(), []step{failing(lost), failing(func(w bool) error { return errors.Join(caller, breaker(w)) })}, exchange.OutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				next := &below{do: in(c.steps...)}
				_, _, err := c.ask.send(t, staged(t, Options{}, defaults(), next))
				if err == nil || outcomeOf(err) != c.want {
					t.Fatalf("%v: outcome %q, want %q", err, outcomeOf(err), c.want)
				}
				if c.want != exchange.NotExecuted && c.ask.write && nothingSent(err) {
					t.Errorf("the stages above take it for unsent: %v", err)
				}
			})
		})
	}
}

// The refusal stays what it is: its type, its Retry-After, its members; only its
// fate changes, and the text says why.
func TestDoubtfulKeepsTheProblem(t *testing.T) {
	cause := &attemptError{kind: KindConnect, unsent: true}
	p := exchange.Refuse(exchange.BreakerOpen, "the breaker is open. Nothing was sent.").Because(cause)
	p.Outcome, p.RetryAfter, p.Extra = exchange.NotExecuted, time.Second, map[string]any{"upstream": "crm"}
	got, ok := errors.AsType[*exchange.Problem](doubtful(p))
	if !ok || got.Type != p.Type || got.RetryAfter != p.RetryAfter || got.Extra["upstream"] != "crm" || got.Outcome != exchange.OutcomeUnknown {
		t.Fatalf("%+v", got)
	}
	if !strings.Contains(got.Detail, "may have been executed") || !strings.HasSuffix(got.Detail, p.Detail) {
		t.Errorf("detail %q", got.Detail)
	}
	if !errors.Is(got, cause) || nothingSent(got) {
		t.Errorf("cause lost, or nothing sent: %v", got)
	}
	if p.Outcome != exchange.NotExecuted {
		t.Error("the problem itself was changed: it may be shared")
	}
	p.Detail = strings.Repeat("x", 2000)
	if got, _ := errors.AsType[*exchange.Problem](doubtful(p)); len(got.Detail) > 1024 {
		t.Error("the detail has outgrown its bound")
	}
}

// The context ends during the wait: at once, with the fate that is known.
func TestEndOfTheContextDuringTheWait(t *testing.T) {
	left := errors.New("the caller left")
	for name, c := range map[string]struct {
		ask   ask
		first step
		cause error // nil = the deadline passes
		want  exchange.Outcome
	}{
		"the caller leaves after a 503":        {get(), after(503, "5"), left, "no problem at all"},
		"the caller leaves after a lost write": {put(), failing(lost), left, "no problem at all"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				next := &below{do: always(c.first)}
				stage := staged(t, Options{Random: func() float64 { return 0.99 }}, defaults(), next)
				req, ex := c.ask.request(t)
				ctx, cancel := context.WithCancelCause(req.Context())
				source := &closing{}
				if req.Body != nil {
					source.ReadCloser = req.Body
					req.Body = source
				}
				time.AfterFunc(10*time.Millisecond, func() { cancel(c.cause) })
				start := time.Now()
				_, err := stage.RoundTrip(req.WithContext(ctx))
				if waited := time.Since(start); waited != 10*time.Millisecond || next.attempts != 1 {
					t.Errorf("ended after %s and %d attempts", waited, next.attempts)
				}
				if !errors.Is(err, c.cause) || outcomeOf(err) != c.want || ex.RetryResult != string(ResultLeft) || ex.Retries != 0 {
					t.Errorf("%v, %q, %d retries", err, ex.RetryResult, ex.Retries)
				}
				if req.Body != nil && source.closed != 1 {
					t.Errorf("the body was closed %d times", source.closed)
				}
			})
		})
	}
}

// A clock that jumps, or a machine that sleeps, may let the deadline pass in a
// wait that was to end before it.
func TestDeadlineDuringTheWait(t *testing.T) {
	for name, c := range map[string]struct {
		ask   ask
		first step
		want  exchange.Outcome
	}{
		"a read after a 503":  {get(), status(503), exchange.OutcomeNone},
		"a write after a 503": {put(), status(503), exchange.OutcomeUnknown},
		"a lost write":        {put(), failing(lost), exchange.OutcomeUnknown},
		"an unsent write":     {put(), unread(failing(refused)), exchange.NotExecuted},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				early := time.Now().Add(-time.Hour)
				next := &below{do: always(c.first)}
				stage := staged(t, Options{Random: func() float64 { return 0.99 }, Now: func() time.Time { return early }}, defaults(), next)
				req, ex := c.ask.request(t)
				ctx, cancel := context.WithTimeout(req.Context(), 50*time.Millisecond)
				defer cancel()
				_, err := stage.RoundTrip(req.WithContext(ctx))
				if outcomeOf(err) != c.want || ex.RetryResult != string(ResultDeadline) {
					t.Errorf("%v: outcome %q, %q", err, outcomeOf(err), ex.RetryResult)
				}
			})
		})
	}
}

// closing counts the closings of a body.
type closing struct {
	io.ReadCloser
	closed int
}

func (c *closing) Close() error {
	c.closed++
	return c.ReadCloser.Close()
}
