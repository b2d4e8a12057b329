package quotasim

import (
	"testing"
	"time"

	"iqgateway/limiter"
)

func TestUpstreamCountsInWindows(t *testing.T) {
	tests := []struct {
		name     string
		anchored bool
		at       []int // in seconds, of 2 per 10 s
		statuses []int
	}{
		{
			"aligned with the clock", false,
			[]int{3, 4, 9, 10, 11, 12, 20},
			[]int{200, 200, 429, 200, 200, 429, 200},
		},
		{
			"from the first request on", true,
			[]int{3, 4, 10, 12, 13, 22, 23},
			[]int{200, 200, 429, 429, 200, 200, 200},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := newUpstream(Upstream{Limit: 2, Window: 10 * time.Second, Anchored: tt.anchored}, newSource(1, drawUpstream))
			for i, at := range tt.at {
				if got := u.arrive(time.Duration(at)*time.Second, true).status; got != tt.statuses[i] {
					t.Errorf("request at %d s: status %d, want %d", at, got, tt.statuses[i])
				}
			}
		})
	}
}

func TestUpstreamTellsWhatIsLeft(t *testing.T) {
	tests := []struct {
		name  string
		round Rounding
		want  int64
	}{
		{"down", Floor, 6},
		{"nearest", Nearest, 7},
		{"up", Ceil, 7},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := newUpstream(Upstream{Limit: 5, Window: 10 * time.Second, Rounding: tt.round}, newSource(1, drawUpstream))
			u.arrive(time.Second, false)
			o := u.observe(u.arrive(3400*time.Millisecond, true))
			if o.Kind != limiter.Windowed || o.Limit != 5 || o.Remaining != 3 || o.ResetSeconds != tt.want {
				t.Errorf("read %+v, want 3 of 5 left for %d s", o, tt.want)
			}
			if want := origin().Add(10 * time.Second); !o.Reset.Equal(want) {
				t.Errorf("the window is named %v, want %v", o.Reset, want)
			}
		})
	}
}

func TestUpstreamWhims(t *testing.T) {
	const second = time.Second
	start := func(p Upstream) *upstream {
		p.Limit, p.Window = 4, 10*second
		return newUpstream(p, newSource(1, drawUpstream))
	}
	t.Run("free answers are not counted", func(t *testing.T) {
		if r := start(Upstream{Free: 1}).arrive(second, true); r.status != 304 || r.remaining != 4 {
			t.Errorf("status %d with %d left, want 304 with 4", r.status, r.remaining)
		}
	})
	t.Run("hidden limits leave tokens", func(t *testing.T) {
		u := start(Upstream{Hidden: 1})
		if r := u.arrive(second, true); r.status != 429 || r.remaining != 4 || r.window.Hidden != 1 {
			t.Errorf("status %d with %d left, want 429 with 4", r.status, r.remaining)
		}
	})
	t.Run("silent answers have no fields", func(t *testing.T) {
		u := start(Upstream{Silent: 1})
		if o := u.observe(u.arrive(second, true)); o.Kind != limiter.Silent {
			t.Errorf("read %v, want nothing", o.Kind)
		}
	})
	t.Run("the limit changes", func(t *testing.T) {
		u := start(Upstream{ChangeAt: 2 * second, ChangeTo: 1})
		u.arrive(second, true)
		if r := u.arrive(3*second, true); r.status != 429 || r.limit != 1 {
			t.Errorf("status %d of %d, want 429 of 1", r.status, r.limit)
		}
	})
	t.Run("others count too", func(t *testing.T) {
		u := start(Upstream{})
		for range 3 {
			u.arrive(second, false)
		}
		if r := u.arrive(second, true); r.remaining != 0 || r.window.External != 3 || r.window.Own != 1 {
			t.Errorf("%d left after %+v, want 0", r.remaining, r.window)
		}
	})
}

func TestWindowsAreFoundByName(t *testing.T) {
	u := newUpstream(Upstream{Limit: 9, Window: 10 * time.Second, Clock: clock{Offset: time.Minute}}, newSource(1, drawUpstream))
	first := u.arrive(time.Second, true).window
	second := u.arrive(12*time.Second, true).window
	name := func(seconds float64) int64 { return origin().UnixMilli() + int64(seconds*1000) }
	if got := u.named(name(69.6)); got != first {
		t.Errorf("found %+v, want the first window", got)
	}
	if got := u.named(name(80.4)); got != second {
		t.Errorf("found %+v, want the second window", got)
	}
	if got := u.named(name(100)); got != nil {
		t.Errorf("found %+v, want none", got)
	}
	if first.End != 10*time.Second {
		t.Errorf("the first window ends at %v of true time, want 10s", first.End)
	}
}
