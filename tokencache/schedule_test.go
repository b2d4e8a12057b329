package tokencache

import (
	"testing"
	"time"
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
