package breaker

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// Failures that are no row, between answers.
func TestOpensAtTheRatio(t *testing.T) {
	for name, tt := range map[string]struct {
		well, ill int // in turns
		want      State
	}{
		"half":           {1, 1, Open},
		"more than half": {1, 3, Open},
		"less than half": {3, 2, Closed},
	} {
		t.Run(name, func(t *testing.T) {
			alone(t, usual(), func(r *replica) {
				for range 20 {
					r.become(always(200))
					r.many(tt.well, "/")
					r.become(always(503))
					r.many(tt.ill, "/")
				}
				r.is(tt.want)
			})
		})
	}
}

// An upstream that takes connections and never answers: its failures take as
// long as the window, or longer.
func TestAStalledUpstreamOpens(t *testing.T) {
	for _, header := range []time.Duration{5 * time.Second, 30 * time.Second, 90 * time.Second} {
		for _, rate := range []int{1, 20} { // a second
			alone(t, usual(), func(r *replica) {
				r.become(late(header, TimedOut))
				var all sync.WaitGroup
				for range 60 * rate {
					all.Go(func() { r.many(1, "/") })
					rest(time.Second / time.Duration(rate))
				}
				rest(header)
				before := r.count()
				r.is(Open)
				r.many(1, "/")
				if r.count() > before+1 {
					t.Error("it is still asked")
				}
				all.Wait()
			})
		}
	}
}

// What was counted is how many requests begin, not how many results there are.
func TestRecoveryOfAStalledUpstream(t *testing.T) {
	alone(t, usual(), func(r *replica) {
		const rate = 50
		for range 60 * rate {
			r.many(1, "/")
			rest(time.Second / rate)
		}
		r.become(late(30*time.Second, TimedOut))
		var all sync.WaitGroup
		for range 31 * rate {
			all.Go(func() { r.many(1, "/") })
			rest(time.Second / rate)
		}
		r.is(Open)
		if s := r.find(key()).steady; s < rate*9/10 || s > rate*11/10 {
			t.Errorf("%v requests a second before it opened, want %d", s, rate)
		}
		all.Wait()
	})
}

func TestOpensAfterARow(t *testing.T) {
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
