package limiter

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"iqgateway/internal/exchange"
)

// far is a store that is not in memory, as far as the limiter knows. It can
// fail, hang and panic.
type far struct {
	*Memory
	delay time.Duration

	mu   sync.Mutex
	mode string // "", fail, hang, panic
	asks []Ask
}

var errAway = errors.New("connection refused")

func newFar() *far { return &far{Memory: NewMemory(MemoryOptions{})} }

func (f *far) set(mode string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mode = mode
}

func (f *far) note(ask Ask) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asks = append(f.asks, ask)
	return f.mode
}

func (f *far) Acquire(ctx context.Context, key Key, ask Ask) (Answer, error) {
	switch f.note(ask) {
	case "fail":
		return Answer{}, errAway
	case "hang":
		<-ctx.Done()
		return Answer{}, ctx.Err()
	case "panic":
		panic("nil map")
	}
	if f.delay > 0 {
		<-time.After(f.delay)
	}
	return f.Memory.Acquire(ctx, key, ask)
}

func overFar(f *far) func(*Options) {
	return func(o *Options) { o.Store = f }
}

// inBubble makes the store within the bubble, as its clock and locks must be.
func inBubble(t *testing.T, s Settings, o *origin, f func(*rig, *far)) {
	t.Helper()
	var store *far
	bubble(t, s, o, func(options *Options) {
		store = newFar()
		overFar(store)(options)
	}, func(r *rig) { f(r, store) })
}

func TestReloadKeepsTheState(t *testing.T) {
	o := &origin{limit: 10, window: time.Minute}
	bubble(t, patient(), o, nil, func(r *rig) {
		r.mustSend(7, want{})
		s := patient()
		s.MaxWait[Interactive] = 0
		r.use(s)
		r.mustSend(3, want{})
		if _, _, err := r.send(want{class: "interactive"}); err == nil {
			r.Error("an eleventh request went out after a reload")
		}
		if got := r.limiter.all()[0].settings().MaxWait[Interactive]; got != 0 {
			r.Errorf("the new settings are not in use: %s", got)
		}
	})
}

func TestRequestsWaitThroughAReload(t *testing.T) {
	o := &origin{limit: 10, window: 10 * time.Second}
	bubble(t, patient(), o, nil, func(r *rig) {
		r.mustSend(10, want{class: "batch"})
		var group sync.WaitGroup
		group.Go(func() { r.mustSend(1, want{class: "batch"}) })
		synctest.Wait()
		r.use(patient())
		group.Wait()
	})
}

func TestUnusedBucketIsForgottenOnceIdle(t *testing.T) {
	o := &origin{limit: 10, window: 10 * time.Second, delay: 2 * time.Second}
	bubble(t, patient(), o, nil, func(r *rig) {
		var group sync.WaitGroup
		group.Go(func() { r.mustSend(1, want{}) })
		synctest.Wait()
		r.set.Release()
		r.set.Release() // the second does nothing
		if len(r.limiter.all()) != 1 {
			r.Error("a bucket with a request under way was forgotten")
		}
		group.Wait()
		<-time.After(time.Minute)
		if left := r.limiter.all(); len(left) != 0 {
			r.Errorf("%d buckets are left", len(left))
		}
		r.set = nil
		r.use(patient())
		r.mustSend(5, want{})
	})
}

func TestABucketGivenTwiceIsRefused(t *testing.T) {
	l := New(Options{Replica: "r"})
	_, err := l.Use([]Bucket{{Key: rigKey(), Of: "retail"}, {Key: rigKey()}})
	if err == nil || !strings.Contains(err.Error(), "production/crm/authenticated") || strings.Contains(err.Error(), "client-17") {
		t.Errorf("%v", err)
	}
	if len(l.all()) != 0 {
		t.Error("a refused configuration left a bucket")
	}
}

func TestStageNeedsABucketOnlyWhereSomethingCounts(t *testing.T) {
	l := New(Options{Replica: "r"})
	set, err := l.Use(nil)
	if err != nil {
		t.Fatal(err)
	}
	counted := false
	o := &origin{limit: 1, window: time.Minute}
	stage := set.Stage(StageOptions{Bucket: func(*exchange.Exchange) (Key, bool) { return rigKey(), counted }})(o)
	send := func() error {
		resp, err := stage.RoundTrip(requestOf(t, want{}))
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}
	if err := send(); err != nil || o.attempts != 1 {
		t.Errorf("what nothing counts must pass: %v", err)
	}
	counted = true
	if err := send(); err == nil || o.attempts != 1 || strings.Contains(err.Error(), "client-17") {
		t.Errorf("an unknown bucket must not pass: %v", err)
	}
}

func TestCloseGivesLeasesBack(t *testing.T) {
	o := &origin{limit: 1000, window: time.Minute}
	inBubble(t, patient(), o, func(r *rig, f *far) {
		for range 200 { // a rate that is worth a lease
			r.mustSend(1, want{})
			<-time.After(10 * time.Millisecond)
		}
		r.mustSend(1, want{})
		if err := r.limiter.Close(r.Context()); err != nil {
			r.Fatal(err)
		}
		last := f.asks[len(f.asks)-1]
		if !last.Leaving || last.Keep != 0 || last.Sent != 201 {
			r.Errorf("the last ask: leaving %v, keeps %d, sent %d", last.Leaving, last.Keep, last.Sent)
		}
		view, err := f.View(r.Context(), rigKey(), nil)
		if err != nil || view.Own != 201 {
			r.Errorf("the store still counts %d tokens (%v)", view.Own, err)
		}
		_, ex, err := r.send(want{class: "batch"})
		if p := r.refusal(err); p.Type != exchange.QuotaUnavailable || ex.QuotaResult != string(ReasonStore) {
			r.Errorf("after Close: %s, %s", p.Type, ex.QuotaResult)
		}
		if _, err := r.limiter.Use(nil); err == nil {
			r.Error("a closed limiter takes a configuration")
		}
	})
}

func TestCloseIsBounded(t *testing.T) {
	o := &origin{limit: 1000, window: time.Minute}
	inBubble(t, patient(), o, func(r *rig, f *far) {
		r.mustSend(3, want{})
		f.set("hang")
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		began := time.Now()
		err := r.limiter.Close(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 of 1") {
			r.Errorf("%v", err)
		}
		if took := time.Since(began); took > 2*time.Second {
			r.Errorf("Close took %s", took)
		}
	})
}

func TestStoreThatFails(t *testing.T) {
	for _, mode := range []string{"fail", "hang", "panic"} {
		t.Run(mode, func(t *testing.T) {
			o := &origin{limit: 100, window: 10 * time.Second}
			inBubble(t, patient(), o, func(r *rig, f *far) {
				r.mustSend(2, want{})
				f.set(mode)
				for range 30 {
					r.mustSend(1, want{class: "batch"})
					<-time.After(200 * time.Millisecond)
				}
				s, err := r.limiter.View(r.Context(), "production/crm/authenticated")
				if err != nil || !s.Away {
					r.Errorf("the store is not seen as away (%v)", err)
				}
				f.set("")
				<-time.After(2 * time.Second)
				r.mustSend(3, want{class: "batch"})
				<-time.After(2 * time.Second)
				if len(r.log.states) != 2 || r.log.states[0] == nil || r.log.states[1] != nil {
					r.Errorf("the store's states were told as %v", r.log.states)
				}
				if _, refused, most := o.tally(); refused != 0 || most > 100 {
					r.Errorf("%d refused, %d in one window", refused, most)
				}
			})
		})
	}
}

func TestStoreThatFailsFromTheStart(t *testing.T) {
	tests := map[OnStoreError]struct {
		sent bool
		kind exchange.ProblemType
	}{
		UseLocalShare: {true, ""},
		Allow:         {true, ""},
		Deny:          {false, exchange.QuotaUnavailable},
	}
	for way, tt := range tests {
		s := patient()
		s.OnStoreError = way
		o := &origin{limit: 100, window: 10 * time.Second}
		inBubble(t, s, o, func(r *rig, f *far) {
			f.set("fail")
			status, ex, err := r.send(want{class: "interactive"})
			if tt.sent {
				if err != nil || status != http.StatusOK {
					r.Errorf("way %d: %d %v", way, status, err)
				}
				return
			}
			if p := r.refusal(err); p.Type != tt.kind || ex.QuotaResult != string(ReasonStore) || !strings.Contains(p.Detail, "on_store_error") {
				r.Errorf("way %d: %s: %s", way, p.Type, p.Detail)
			}
		})
	}
}

// What net/http sends again by itself spends tokens too.
func TestResendsAreCharged(t *testing.T) {
	o := &origin{limit: 100, window: time.Minute, resends: 2}
	bubble(t, patient(), o, nil, func(r *rig) {
		r.mustSend(5, want{})
		<-time.After(3 * time.Second)
		if own := r.own(); own != 15 {
			r.Errorf("%d tokens are spent for 15 requests on the wire", own)
		}
		if r.log.resent != 10 {
			r.Errorf("%d repetitions reported, want 10", r.log.resent)
		}
	})
}

func TestTripsAreShared(t *testing.T) {
	o := &origin{limit: 1000, window: time.Minute}
	inBubble(t, patient(), o, func(r *rig, f *far) {
		f.delay = 2 * time.Millisecond
		for range 20 * 16 { // a third of the limit in 20 s
			r.mustSend(1, want{})
			<-time.After(62 * time.Millisecond)
		}
		if trips := len(f.asks); trips > 320*3/10 {
			r.Errorf("%d trips for 320 requests", trips)
		}
	})
}

func TestNames(t *testing.T) {
	b := Bucket{Key: rigKey(), Of: "retail"}
	if diff := cmp.Diff("production/crm/authenticated/retail", b.name().String()); diff != "" {
		t.Error(diff)
	}
}
