package limiter

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/exchange"
)

// A transport that panics ends its attempt all the same: its slot is not lost.
func TestAPanicEndsTheAttempt(t *testing.T) {
	for name, s := range map[string]Settings{"window": patient(), "slots": slotted()} {
		t.Run(name, func(t *testing.T) {
			o := &origin{limit: 100, window: time.Minute}
			if s.Kind == Concurrency {
				o.slots = 8
			}
			bubble(t, s, o, nil, func(r *rig) {
				r.mustSend(1, want{})
				o.before = func(int64) error { panic(http.ErrAbortHandler) }
				for range 20 {
					if !panics(func() { _, _, _ = r.send(want{class: "batch"}) }) {
						r.Error("no panic came through")
					}
				}
				o.before = nil
				if n := r.limiter.buckets[rigKey()].local.underWay(); n != 0 {
					r.Errorf("%d are under way for ever", n)
				}
				r.mustSend(8, want{class: "batch"})
			})
		})
	}
}

func panics(f func()) (panicked bool) {
	defer func() { panicked = recover() != nil }()
	f()
	return false
}

// What was taken before a reload has changed the kind of the bucket ends as it began.
func TestTheKindOfABucketChangesUnderWay(t *testing.T) {
	for name, kinds := range map[string][2]Settings{"to slots": {patient(), slotted()}, "to windows": {slotted(), patient()}} {
		for end, fail := range map[string]error{"answered": nil, "lost": unsentError{false}, "unsent": unsentError{true}} {
			t.Run(name+" "+end, func(t *testing.T) {
				o := &origin{limit: 100, window: time.Minute, delay: 10 * time.Second}
				bubble(t, kinds[0], o, nil, func(r *rig) {
					r.mustSend(1, want{})
					gate := make(chan struct{})
					o.before = func(n int64) error {
						if n > 1 && n <= 4 {
							<-gate
							return fail
						}
						return nil
					}
					done := make(chan struct{})
					for range 3 {
						go func() {
							_, _, _ = r.send(want{class: "batch"})
							done <- struct{}{}
						}()
					}
					<-time.After(time.Second)
					r.use(kinds[1])
					<-time.After(time.Second)
					close(gate)
					for range 3 {
						<-done
					}
					b := &r.limiter.buckets[rigKey()].local.ledger
					if b.open+b.older.open != 0 || b.done > b.sent || b.carry() < 0 {
						r.Errorf("%d are under way, %d of %d done, %d carried", b.open+b.older.open, b.done, b.sent, b.carry())
					}
				})
			})
		}
	}
}

// A Retry-After of an answer that is no refusal is about that request alone, as
// that of a 202 which says when to look for the result.
func TestRetryAfterOfASuccessHoldsNobody(t *testing.T) {
	o := &origin{limit: 100, window: time.Minute}
	o.header = func(_ int64, h http.Header) { h.Set("Retry-After", "30") }
	bubble(t, patient(), o, nil, func(r *rig) {
		before := time.Now()
		r.mustSend(3, want{})
		if took := time.Since(before); took > time.Second {
			r.Errorf("it took %s", took)
		}
	})
}

// A token that comes when its caller has just left goes back: nobody reads the
// answer.
func TestATokenForACallerThatHasJustLeftGoesBack(t *testing.T) {
	o := &origin{limit: 100, window: time.Minute}
	ctx, leave := context.WithCancel(t.Context())
	change := func(options *Options) {
		left := options.Hooks.Left
		options.Hooks.Left = func(i RequestInfo) {
			left(i)
			if i.Class == Batch {
				leave()
			}
		}
	}
	bubble(t, patient(), o, change, func(r *rig) {
		r.mustSend(1, want{})
		if _, _, err := r.send(want{class: "batch", ctx: ctx}); !errors.Is(err, context.Canceled) {
			r.Errorf("%v", err)
		}
		spent := r.limiter.buckets[rigKey()].local.ledger.sent
		if sent, _, _ := o.tally(); sent != 1 || r.log.returned != 1 || spent != 1 {
			r.Errorf("%d attempts, %d tokens came back, %d are spent", sent, r.log.returned, spent)
		}
	})
}

// A 429 with a long body is not tried again: it would hold a connection while it
// waits. The caller gets it whole.
func TestALong429IsNotTriedAgain(t *testing.T) {
	for name, tt := range map[string]struct{ length, attempts int }{"short": {maxDrain - 1, 2}, "long": {maxDrain + 1, 1}} {
		t.Run(name, func(t *testing.T) {
			o := &origin{limit: 10, window: 20 * time.Second}
			bubble(t, patient(), o, nil, func(r *rig) {
				r.stage = r.set.Stage(StageOptions{Bucket: func(*exchange.Exchange) (Key, bool) { return rigKey(), true }})(longer{o, tt.length})
				r.mustSend(1, want{})
				outsiders(o)
				resp, ex, err := r.open(want{class: "batch"})
				if err != nil {
					r.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				if err != nil || resp.Body.Close() != nil {
					r.Fatal(err)
				}
				if ex.Attempts != tt.attempts || tt.attempts == 1 && len(body) != tt.length {
					r.Errorf("%d attempts, %d with %d bytes", ex.Attempts, resp.StatusCode, len(body))
				}
			})
		})
	}
}

// longer is an origin whose 429s have a body of that length.
type longer struct {
	*origin
	length int
}

// RoundTrip implements [http.RoundTripper].
func (l longer) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.origin.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusTooManyRequests {
		resp.Body = io.NopCloser(strings.NewReader(strings.Repeat("x", l.length)))
	}
	return resp, err
}
