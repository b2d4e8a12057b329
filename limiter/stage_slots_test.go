package limiter

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func slotted() Settings {
	s := patient()
	s.Kind, s.Assume = Concurrency, 8
	return s
}

func TestSlotsAreHeldUntilTheBodyEnds(t *testing.T) {
	tests := map[string]func(body io.ReadCloser) error{
		"closed":   io.ReadCloser.Close,
		"read out": func(b io.ReadCloser) error { _, err := io.Copy(io.Discard, b); return err },
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			o := &origin{slots: 8}
			bubble(t, slotted(), o, nil, func(r *rig) {
				var open []io.ReadCloser
				for range 8 {
					resp, _, err := r.open(want{class: "batch"})
					if err != nil || resp.StatusCode != http.StatusOK {
						r.Fatal(err)
					}
					open = append(open, resp.Body)
				}
				var ninth atomic.Bool
				var group sync.WaitGroup
				group.Go(func() {
					status, _, err := r.send(want{class: "batch"})
					if err != nil || status != http.StatusOK {
						r.Errorf("%d %v", status, err)
					}
					ninth.Store(true)
				})
				<-time.After(20 * time.Second)
				if ninth.Load() {
					r.Fatal("the ninth request went out beside eight open answers")
				}
				if err := end(open[0]); err != nil {
					r.Fatal(err)
				}
				synctest.Wait()
				if !ninth.Load() {
					<-time.After(time.Second)
					r.Errorf("the ninth request waits although a slot is free (a second later: %v)", ninth.Load())
				}
				group.Wait()
				for _, b := range open {
					_ = b.Close()
				}
				if o.most > 8 || o.refused > 0 {
					r.Errorf("%d at once, %d refused", o.most, o.refused)
				}
			})
		})
	}
}

func TestSlotsOfFailedAttemptsComeBack(t *testing.T) {
	for name, failure := range map[string]error{"lost": errors.New("connection reset"), "nothing sent": unsentError{true}} {
		t.Run(name, func(t *testing.T) {
			o := &origin{slots: 8}
			o.before = func(n int64) error {
				if n <= 20 {
					return failure
				}
				return nil
			}
			bubble(t, slotted(), o, nil, func(r *rig) {
				for range 20 {
					if _, _, err := r.send(want{class: "interactive"}); !errors.Is(err, failure) {
						r.Fatal(err)
					}
				}
				r.mustSend(20, want{class: "interactive"})
				<-time.After(3 * time.Second)
				if own := r.own(); own != 0 {
					r.Errorf("%d slots are taken while nothing is under way", own)
				}
			})
		})
	}
}

func TestManyRequestsShareTheSlots(t *testing.T) {
	o := &origin{slots: 8, delay: 200 * time.Millisecond}
	bubble(t, slotted(), o, nil, func(r *rig) {
		var group sync.WaitGroup
		began := time.Now()
		for range 80 {
			group.Go(func() { r.mustSend(1, want{class: "batch"}) })
		}
		group.Wait()
		if o.most != 8 || o.refused != 0 {
			r.Errorf("%d at once, %d refused", o.most, o.refused)
		}
		if took := time.Since(began); took > 2500*time.Millisecond {
			r.Errorf("80 requests of 0.2 s took %s with eight slots", took)
		}
	})
}

// Others use slots too: the 429 is tried again once one of ours is free.
func TestSlotRefusalIsTriedAgain(t *testing.T) {
	o := &origin{slots: 8}
	bubble(t, slotted(), o, nil, func(r *rig) {
		var theirs []*http.Response
		for range 8 {
			theirs = append(theirs, o.answer(0))
		}
		status, ex, err := r.send(want{class: "batch"})
		if err != nil || status != http.StatusTooManyRequests || ex.Attempts != 2 {
			r.Errorf("%d %v after %d attempts", status, err, ex.Attempts)
		}
		for _, resp := range theirs {
			_ = resp.Body.Close()
		}
		if r.log.refused[RefusedHidden] != 2 {
			r.Errorf("429s are counted as %v", r.log.refused)
		}
		<-time.After(3 * time.Second)
		if own := r.own(); own != 0 {
			r.Errorf("%d slots are taken while nothing is under way", own)
		}
	})
}
