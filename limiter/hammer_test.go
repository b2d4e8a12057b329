package limiter

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Everything at once, in real time: requests that wait, leave and fail, reloads,
// operators, a store that comes and goes.
func TestHammer(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	o := &origin{limit: 400, window: time.Second, delay: time.Millisecond}
	o.before = func(n int64) error {
		if n%17 == 0 {
			return unsentError{n%2 == 0}
		}
		return nil
	}
	f := newFar()
	r := newRig(t, patient(), o, overFar(f))
	ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
	defer cancel()
	var group sync.WaitGroup
	for i := range 24 {
		group.Go(func() {
			for ctx.Err() == nil {
				one, leave := context.WithTimeout(ctx, time.Duration(rand.IntN(400))*time.Millisecond)
				w := want{caller: string(rune('a' + i%7)), class: Class(i % Classes).String(), ctx: one, noWait: i%5 == 0}
				_, ex, err := r.send(w)
				if err == nil && ex.QuotaView != nil {
					_ = ex.QuotaView()
				}
				leave()
			}
		})
	}
	group.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			f.set([]string{"", "", "fail", ""}[n%4])
			_ = r.limiter.List(ctx)
			<-time.After(50 * time.Millisecond)
		}
		f.set("")
	})
	group.Wait()
	end, stop := context.WithTimeout(t.Context(), 5*time.Second)
	defer stop()
	if err := r.limiter.Close(end); err != nil {
		t.Error(err)
	}
	sent, _, most := o.tally()
	if sent < 400 || most > 400 {
		t.Errorf("%d attempts, %d in one window of 400", sent, most)
	}
	left := 0
	for _, n := range r.log.reasons() {
		left += n
	}
	if left < int(sent) {
		t.Errorf("%d requests have left the queue, %d attempts", left, sent)
	}
}

// Slots are given back whatever happens.
func TestHammerSlots(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	o := &origin{slots: 8, delay: time.Millisecond}
	o.before = func(n int64) error {
		if n%5 == 0 {
			return unsentError{n%2 == 0}
		}
		return nil
	}
	r := newRig(t, slotted(), o, overFar(newFar()))
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	var group sync.WaitGroup
	for i := range 24 {
		group.Go(func() {
			for ctx.Err() == nil {
				one, leave := context.WithTimeout(ctx, time.Duration(rand.IntN(100))*time.Millisecond)
				_, _, _ = r.send(want{caller: string(rune('a' + i%7)), class: "batch", ctx: one})
				leave()
			}
		})
	}
	group.Wait()
	if err := r.limiter.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if o.most > 8 || o.refused > 0 || o.open != 0 || o.attempts < 100 {
		t.Errorf("%d attempts, %d at once, %d refused, %d still open", o.attempts, o.most, o.refused, o.open)
	}
}
