package certs

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// fleet is what a domain's first certificate hangs on.
type fleet struct {
	loads    error // nil = it is there
	isTorn   bool
	refuses  error // of orders; nil = the certificate is there then
	settings int

	after  time.Duration // until change is called; 0 = never
	change func()

	began  time.Time
	orders []time.Duration // since it began
	anew   []bool
	shown  error
	told   int
}

func (w *fleet) first() *first {
	w.began = time.Now()
	return &first{
		load: func(context.Context) error {
			if w.after > 0 && time.Since(w.began) >= w.after {
				w.after = 0
				w.change()
			}
			return w.loads
		},
		torn: func(context.Context) bool { return w.isTorn },
		order: func(_ context.Context, anew bool) error {
			w.orders, w.anew = append(w.orders, time.Since(w.began).Round(time.Minute)), append(w.anew, anew)
			if w.refuses == nil {
				w.loads = nil
			}
			return w.refuses
		},
		settings: func() any { return w.settings },
		show: func(err error) bool {
			other := w.shown == nil || w.shown.Error() != err.Error()
			w.shown = err
			return other
		},
		tell: func(error) { w.told++ },
	}
}

// within runs it for a time, and reports whether there is a certificate then.
func (w *fleet) within(t *testing.T, d time.Duration) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	return w.first().run(ctx)
}

// A CA that refuses is asked again after minutes, less and less often, and told
// of each time.
func TestFirstCertificateIsOrderedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &fleet{loads: fs.ErrNotExist, refuses: errors.New("refused")}
		if w.within(t, 70*time.Minute) || !errors.Is(w.shown, w.refuses) {
			t.Errorf("it ended with %v", w.shown)
		}
		if n := len(w.orders); n < 7 || n > 9 || w.told != n {
			t.Errorf("ordered at %v, told %d times", w.orders, w.told)
		}
		for i := 1; i < len(w.orders); i++ {
			if pause := w.orders[i] - w.orders[i-1]; pause > lastPause+time.Minute {
				t.Errorf("a pause of %v", pause)
			}
		}
	})
}

// Who waits to try again sees at once what another replica has got.
func TestFirstCertificateOfAnotherReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &fleet{loads: fs.ErrNotExist, refuses: errors.New("refused")}
		w.after, w.change = 10*time.Second, func() {
			w.loads = nil
		}
		if !w.within(t, time.Minute) || time.Since(w.began) > 12*time.Second || len(w.orders) != 1 {
			t.Errorf("after %v, %d orders", time.Since(w.began), len(w.orders))
		}
	})
}

// A storage that fails is no reason to order; one that is back is looked at soon.
func TestFirstCertificateWithoutAStorage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &fleet{loads: errors.New("away")}
		w.after, w.change = time.Hour, func() {
			w.loads = nil
		}
		if !w.within(t, 2*time.Hour) || time.Since(w.began) > time.Hour+2*time.Second || len(w.orders) != 0 || w.told != 1 {
			t.Errorf("after %v, %d orders, told %d times", time.Since(w.began), len(w.orders), w.told)
		}
	})
}

// What does not fit together is replaced, but not while it may be being stored.
func TestFirstCertificateThatIsTorn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &fleet{loads: errors.New("unusable"), isTorn: true}
		if !w.within(t, time.Minute) || time.Since(w.began) < 3*storageLook || !slices.Equal(w.anew, []bool{true}) {
			t.Errorf("after %v, orders %v", time.Since(w.began), w.anew)
		}
	})
}

// Other settings are tried at once.
func TestFirstCertificateWithOtherSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &fleet{loads: fs.ErrNotExist, refuses: errors.New("unknown authority")}
		w.after, w.change = 5*time.Second, func() {
			w.refuses = nil
			w.settings++
		}
		if !w.within(t, time.Minute) || time.Since(w.began) > 7*time.Second || len(w.orders) != 2 {
			t.Errorf("after %v, %d orders", time.Since(w.began), len(w.orders))
		}
	})
}

func TestOrderPause(t *testing.T) {
	for tries, want := range map[int]time.Duration{0: time.Minute, 1: time.Minute, 2: 2 * time.Minute, 3: 5 * time.Minute, 4: 10 * time.Minute, 5: 15 * time.Minute, 1000: 15 * time.Minute} {
		least, most := orderPause(tries, 0), orderPause(tries, 0.999)
		if least != want*8/10 || most <= least || most > want {
			t.Errorf("after %d tries %v to %v, want at most %v", tries, least, most, want)
		}
	}
}

// An expired certificate is renewed as eagerly as a missing one.
func TestOverdueRenewals(t *testing.T) {
	now := time.Now()
	refused := errors.New("refused")
	for _, tt := range []struct {
		name string
		p    problem
		due  time.Time
		end  time.Time
		want bool
	}{
		{"no problem", problem{at: now.Add(-24 * time.Hour)}, time.Time{}, now.Add(-time.Hour), false},
		{"valid, failed just now", problem{refused, now.Add(-59 * time.Minute)}, time.Time{}, now.Add(time.Hour), false},
		{"valid, failed long ago", problem{refused, now.Add(-time.Hour)}, time.Time{}, now.Add(time.Hour), true},
		{"expired, failed just now", problem{refused, now.Add(-14 * time.Minute)}, time.Time{}, now.Add(-time.Second), false},
		{"expired, failed long ago", problem{refused, now.Add(-15 * time.Minute)}, time.Time{}, now.Add(-time.Second), true},
		{"due, and nothing heard", problem{}, now.Add(-59 * time.Minute), now.Add(time.Hour), false},
		{"due for long, and nothing heard", problem{}, now.Add(-time.Hour), now.Add(time.Hour), true},
		{"expired, and nothing heard", problem{}, now.Add(-15 * time.Minute), now.Add(-time.Second), true},
		{"due for long, failed just now", problem{refused, now.Add(-time.Minute)}, now.Add(-24 * time.Hour), now.Add(time.Hour), false},
	} {
		if got := overdue(tt.p, tt.due, tt.end, now); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}

// The lock of the fleet is free between tries: a replica that cannot reach the CA
// keeps no other from it. Nobody is asked on the terminal.
func TestACMEHoldsNoLockBetweenTries(t *testing.T) {
	storage := newStorage(t)
	a := newTestACME(t, ACMEOptions{Domains: []string{"gw.test"}, Storage: storage, HTTP: true})
	begin(t, a)
	eventually(t, "the first try has failed", func() bool { return a.problem("gw.test").err != nil })
	if got, err := storage.TryLock(t.Context(), "issue_cert_gw.test"); !got || err != nil {
		t.Errorf("the lock is held: %t, %v", got, err)
	}
	if err := storage.Unlock(t.Context(), "issue_cert_gw.test"); err != nil {
		t.Error(err)
	}
}
