package tokencache

import (
	"net/http"
	"testing"
	"time"

	"iqgateway/internal/clocktest"
)

// REL-38: a token ends when either clock says so: an expired one is never sent,
// and one that has long to live survives a step of the wall clock.
func TestREL38TokensEndByTheStricterClock(t *testing.T) {
	for name, jump := range clocktest.Jumps() {
		clock := clocktest.New()
		tok := &token{life: newLife(clock.Now(), 12*time.Hour, 10*time.Minute, 0)}
		clock.Step(jump)
		if usable, want := tok.usable(clock.Now()), jump < 12*time.Hour; usable != want {
			t.Errorf("%s: usable %t", name, usable)
		}
		clock.Pass(12 * time.Hour)
		if tok.usable(clock.Now()) {
			t.Errorf("%s: usable after its end", name)
		}
		if fresh := (&token{life: newLife(clock.Now(), 12*time.Hour, 10*time.Minute, 0)}); !fresh.usable(clock.Now()) || !clock.Now().Before(fresh.life.refresh) {
			t.Errorf("%s: the next token would be fetched again at once", name)
		}
	}
}

// REL-38: how long to wait after failures is counted on the monotonic clock: no
// step of the wall clock brings an attempt forward, or puts it off.
func TestREL38AttemptsKeepTheirPace(t *testing.T) {
	for name, jump := range clocktest.Jumps() {
		clock := clocktest.New()
		now := clock.Now()
		h := History{}.failed(now, &FetchError{}).refused(Refusal{ID: "a", At: now}, &FetchError{Refused: true})
		before, _ := h.next(true, 0)
		clock.Step(jump)
		if after := before.Sub(clock.Now()); after != before.Sub(now) {
			t.Errorf("%s: the next attempt is in %s, it was in %s", name, after, before.Sub(now))
		}
	}
}

// REL-38: a Retry-After that is a date is read by the clock that wrote it.
func TestREL38RetryAfterIsReadByTheEndpointsClock(t *testing.T) {
	const format = "Mon, 02 Jan 2006 15:04:05 GMT"
	for name, jump := range clocktest.Jumps() {
		theirs := epoch().Add(jump.Truncate(time.Second))
		h := http.Header{"Date": {theirs.Format(format)}, "Retry-After": {theirs.Add(30 * time.Second).Format(format)}}
		if wait := askedFor(h, epoch()); wait != 30*time.Second {
			t.Errorf("%s: %s, want 30s", name, wait)
		}
	}
}
