package breaker

import (
	"strings"
	"testing"
	"time"
)

func TestOpensAtTheRatio(t *testing.T) {
	tests := map[string]struct {
		well, ill int
		want      State
	}{
		"too few":                  {0, 19, Closed},
		"as many as are needed":    {0, 20, Open},
		"half":                     {30, 30, Open},
		"less than half":           {40, 19, Closed},
		"a row, after much health": {5000, 20, Open},
		"not quite a row":          {5000, 19, Closed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			alone(t, usual(), func(r *replica) {
				r.many(tt.well, "/")
				r.become(always(503))
				r.many(tt.ill, "/")
				r.is(tt.want)
			})
		})
	}
}

func TestTheWindowRolls(t *testing.T) {
	alone(t, usual(), func(r *replica) {
		r.become(always(500))
		r.many(10, "/")
		r.become(always(200))
		r.many(5, "/")
		r.become(always(500))
		rest(31 * time.Second)
		r.many(9, "/")
		r.is(Closed) // the first ten are forgotten
		r.many(11, "/")
		r.is(Open)
	})
}

// Open times double while the upstream fails the probes, and end with the
// first that it answers.
func TestOpenTimeDoubles(t *testing.T) {
	u := usual()
	u.Settings.OpenForMax = 8 * time.Second
	alone(t, u, func(r *replica) {
		r.become(always(500))
		r.many(20, "/")
		for i, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 8 * time.Second} {
			left := r.List()[0].OpenFor
			if left > want || left < want*8/10 {
				t.Errorf("time %d: open for %s, want about %s", i+1, left, want)
			}
			rest(left - time.Millisecond)
			if p := r.refused(); p.RetryAfter < time.Second || p.Extra["reason"] == "" || p.Extra["open_until"] == nil {
				t.Errorf("%+v", p)
			}
			rest(time.Millisecond)
			before := r.count()
			r.many(3, "/")
			if n := r.count() - before; n != 1 {
				t.Errorf("time %d: %d probes", i+1, n)
			}
		}
		r.become(always(200))
		rest(8 * time.Second)
		r.passes()
		r.is(Closed)
		rest(2 * time.Second) // its load may be what it was
		r.become(always(500))
		r.many(20, "/")
		if left := r.List()[0].OpenFor; left > time.Second {
			t.Errorf("it begins with %s again", left)
		}
		if got := r.noted(); strings.Count(got, "open>half-open time") != 6 || !strings.Contains(got, "half-open>closed recovered, closed>open failures") {
			t.Error(got)
		}
	})
}

// A probe that finds nobody costs the upstream nothing: the next one is soon.
func TestProbesOfAnAbsentUpstreamDoNotDouble(t *testing.T) {
	alone(t, usual(), func(r *replica) {
		r.become(failing(Unreachable))
		r.many(20, "/")
		for range 10 {
			left := r.List()[0].OpenFor
			if left > time.Second {
				t.Fatalf("open for %s", left)
			}
			rest(left)
			r.many(2, "/")
			r.is(Open)
		}
	})
}

func TestRetryAfterOfARefusal(t *testing.T) {
	u := usual()
	u.Settings.OpenFor, u.Settings.OpenForMax = 20*time.Second, 20*time.Second
	alone(t, u, func(r *replica) {
		r.become(always(500))
		r.many(20, "/")
		for range 50 {
			left := r.List()[0].OpenFor
			if p := r.refused(); p.RetryAfter < left || p.RetryAfter > left+left/10 {
				t.Errorf("Retry-After %s, open for %s", p.RetryAfter, left)
			}
		}
	})
}

// A result of a request that began before a change says nothing of the state
// after it.
func TestLateResultsChangeNothing(t *testing.T) {
	alone(t, usual(), func(r *replica) {
		b := r.find(key())
		var late []permit
		for range 40 {
			p, _ := b.allow(r.Context())
			late = append(late, p)
		}
		r.become(always(500))
		r.many(20, "/")
		r.is(Open)
		for i := range 10 {
			late[i].end(Success, "", true)
		}
		r.is(Open)
		rest(time.Second)
		r.become(always(200))
		r.passes()
		r.is(Closed)
		for i := 10; i < 40; i++ {
			late[i].end(Failure, "5xx", true)
		}
		r.is(Closed)
		if s := r.List()[0]; s.Failures != 0 {
			t.Errorf("%d failures counted", s.Failures)
		}
	})
}

func TestReloadKeepsWhatIsKnown(t *testing.T) {
	alone(t, usual(), func(r *replica) {
		r.become(always(500))
		r.many(20, "/")
		u := usual()
		u.Settings.MinRequests = 50
		r.use(u)
		r.is(Open)
		u.Origin = "https://other.example"
		r.use(u)
		r.is(Closed)
		r.many(49, "/")
		r.is(Closed)
		r.many(1, "/")
		r.is(Open)
	})
}

func TestReleasedBreakersAreForgotten(t *testing.T) {
	bs := New(Options{})
	set, err := bs.Use([]Upstream{usual()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bs.Use([]Upstream{usual(), usual()}); err == nil {
		t.Error("an upstream twice is no error")
	}
	if len(bs.List()) != 1 {
		t.Errorf("%+v", bs.List())
	}
	set.Release()
	set.Release()
	if len(bs.List()) != 0 {
		t.Errorf("%+v", bs.List())
	}
}
