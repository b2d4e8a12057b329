package tokencache

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func epoch() time.Time { return time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC) }

func TestNewLife(t *testing.T) {
	cases := map[string]struct {
		lifetime, ahead  time.Duration
		random           float64
		refresh, expires time.Duration // after asking
		leeway           time.Duration
	}{
		"12 h":                    {12 * time.Hour, 10 * time.Minute, 0, 11*time.Hour + 50*time.Minute, 12 * time.Hour, 5 * time.Second},
		"12 h, jitter":            {12 * time.Hour, 10 * time.Minute, 0.5, 11*time.Hour + 49*time.Minute, 12 * time.Hour, 5 * time.Second},
		"shorter than ahead":      {10 * time.Second, 10 * time.Minute, 0, 5 * time.Second, 10 * time.Second, time.Second},
		"a second":                {time.Second, 10 * time.Minute, 0, 500 * time.Millisecond, time.Second, 100 * time.Millisecond},
		"longer than is believed": {48 * time.Hour, time.Hour, 0, 23 * time.Hour, 24 * time.Hour, 5 * time.Second},
	}
	for name, c := range cases {
		l := newLife(epoch(), c.lifetime, c.ahead, c.random)
		if !l.issued.Equal(epoch()) || l.refresh.Sub(epoch()) != c.refresh || l.expires.Sub(epoch()) != c.expires || l.leeway != c.leeway {
			t.Errorf("%s: %+v", name, l)
		}
	}
}

func TestUsable(t *testing.T) {
	tok := &token{life: newLife(epoch(), 12*time.Hour, 10*time.Minute, 0)}
	cases := map[time.Duration]bool{
		0: true, 12*time.Hour - 6*time.Second: true, 12*time.Hour - 5*time.Second: false, 12 * time.Hour: false, 13 * time.Hour: false,
	}
	for after, want := range cases {
		if tok.usable(epoch().Add(after)) != want {
			t.Errorf("%s after it was issued: usable %t", after, !want)
		}
	}
	if (*token)(nil).usable(epoch()) {
		t.Error("no token is usable")
	}
}

// After a suspension the monotonic clock knows nothing of the time that
// passed; the wall clock does.
func TestWallClockEndsATokenToo(t *testing.T) {
	now := time.Now()
	l := newLife(now, time.Hour, time.Minute, 0)
	awake := now.Add(2 * time.Hour).Round(0) // wall clock only
	if left := l.left(awake); left != -time.Hour {
		t.Errorf("left %s", left)
	}
}

// However often anybody asks, and whatever else fails in between, a refused
// credential is tried at most three times in any hour.
func TestRefusalsAreRare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h history
		var tried []time.Time
		now := epoch()
		for range 60 {
			now = now.Add(time.Duration(rapid.Int64Range(1, int64(20*time.Minute)).Draw(t, "wait")))
			if now.Before(h.next(true)) {
				continue
			}
			if rapid.Bool().Draw(t, "refused") {
				h = h.refused(now)
				tried = append(tried, now)
			} else {
				h = h.failed(now, 0, 0)
			}
			if n := len(tried); n > maxRefusals && tried[n-1].Sub(tried[n-1-maxRefusals]) < refusalWindow {
				t.Fatalf("four refusals within %s", tried[n-1].Sub(tried[n-1-maxRefusals]))
			}
		}
	})
}

func TestRefusedPace(t *testing.T) {
	var h history
	now := epoch()
	var waits []time.Duration
	for range 6 {
		h = h.refused(now)
		waits = append(waits, h.next(true).Sub(now))
		now = h.next(true)
	}
	want := []time.Duration{time.Minute, 10 * time.Minute, 49 * time.Minute, time.Minute, 10 * time.Minute, 49 * time.Minute}
	for i := range want {
		if waits[i] != want[i] {
			t.Fatalf("waits %v, want %v", waits, want)
		}
	}
}

func TestFailedPace(t *testing.T) {
	var h history
	for n, want := range []struct{ calm, urgent time.Duration }{
		{time.Second, 100 * time.Millisecond},
		{2 * time.Second, 200 * time.Millisecond},
		{4 * time.Second, 400 * time.Millisecond},
		{8 * time.Second, 800 * time.Millisecond},
		{16 * time.Second, time.Second},
		{32 * time.Second, time.Second},
		{time.Minute, time.Second},
		{time.Minute, time.Second},
	} {
		h = h.failed(epoch(), 0, 0)
		if calm, urgent := h.next(false).Sub(epoch()), h.next(true).Sub(epoch()); calm != want.calm || urgent != want.urgent {
			t.Errorf("failure %d: calm %s, urgent %s, want %+v", n+1, calm, urgent, want)
		}
	}
	if d := backoff(1000, time.Second, time.Minute, 0.999999); d < 30*time.Second || d > time.Minute {
		t.Errorf("after many failures: %s", d)
	}
}

func TestAskedForWait(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{
		-time.Second: 100 * time.Millisecond, 30 * time.Second: 30 * time.Second, time.Hour: time.Minute,
	} {
		if got := (history{}).failed(epoch(), asked, 0).next(true).Sub(epoch()); got != want {
			t.Errorf("Retry-After %s: %s, want %s", asked, got, want)
		}
	}
}
