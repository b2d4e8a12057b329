package breaker

import (
	"errors"
	"testing"
	"time"
)

func TestForceOpen(t *testing.T) {
	alone(t, usual(), func(r *replica) {
		err := r.Force(r.Context(), key(), Forced{State: Open, For: time.Minute, By: "ann", Why: "maintenance"})
		if err != nil {
			t.Fatal(err)
		}
		p := r.refused()
		if p.Extra["reason"] != "forced" || p.RetryAfter < time.Minute || p.RetryAfter > 66*time.Second {
			t.Errorf("%+v", p)
		}
		s := r.List()[0]
		if s.Forced == nil || s.Forced.By != "ann" || s.Forced.Why != "maintenance" || s.OpenFor != time.Minute || s.Reason != ReasonForced {
			t.Errorf("%+v", s)
		}
		rest(time.Minute)
		r.passes()
		r.is(Closed)
		if got := r.noted(); got != "closed>open forced, open>closed time" {
			t.Error(got)
		}
	})
}

// A breaker that is forced closed lets everything pass, and what it sees then
// does not open it afterwards.
func TestForceClosed(t *testing.T) {
	alone(t, usual(), func(r *replica) {
		r.become(always(500))
		r.many(20, "/")
		r.refuses()
		if err := r.Force(r.Context(), key(), Forced{State: Closed, For: time.Hour, By: "ann"}); err != nil {
			t.Fatal(err)
		}
		before := r.count()
		r.many(100, "/")
		if n := r.count() - before; n != 100 {
			t.Errorf("%d of 100 pass", n)
		}
		r.is(Closed)
		rest(time.Hour)
		r.many(1, "/") // its own state was open all the time: this is a probe
		r.is(Open)
	})
}

func TestReset(t *testing.T) {
	alone(t, usual(), func(r *replica) {
		r.become(always(500))
		r.many(20, "/")
		if err := r.Force(r.Context(), key(), Forced{State: Open, For: time.Hour, By: "ann"}); err != nil {
			t.Fatal(err)
		}
		if err := r.Reset(r.Context(), key(), "bob"); err != nil {
			t.Fatal(err)
		}
		s := r.List()[0]
		if s.State != Closed || s.Forced != nil || s.Failures != 0 || s.By != "bob" || s.Reason != ReasonReset {
			t.Errorf("%+v", s)
		}
		before := r.count()
		r.many(19, "/")
		if n := r.count() - before; n != 19 {
			t.Errorf("%d of 19 pass", n)
		}
	})
}

func TestOrdersThatCannotBe(t *testing.T) {
	alone(t, usual(), func(r *replica) {
		if err := r.Force(r.Context(), Key{Environment: "x", Service: "y"}, Forced{State: Open, For: time.Hour}); !errors.Is(err, ErrUnknown) {
			t.Errorf("%v", err)
		}
		if err := r.Reset(r.Context(), Key{}, "ann"); !errors.Is(err, ErrUnknown) {
			t.Errorf("%v", err)
		}
		for _, f := range []Forced{{State: HalfOpen, For: time.Hour}, {State: Open}, {State: Open, For: 25 * time.Hour}} {
			if err := r.Force(r.Context(), key(), f); err == nil {
				t.Errorf("%+v is possible", f)
			}
		}
		r.is(Closed)
	})
}

// An operator's word is about the service, wherever it is.
func TestForcedOutlivesAnotherOrigin(t *testing.T) {
	alone(t, usual(), func(r *replica) {
		if err := r.Force(r.Context(), key(), Forced{State: Open, For: time.Hour, By: "ann"}); err != nil {
			t.Fatal(err)
		}
		u := usual()
		u.Origin = "https://other.example"
		r.use(u)
		r.refuses()
	})
}
