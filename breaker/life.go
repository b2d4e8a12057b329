package breaker

import (
	"errors"
	"math"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// How a result is told to gobreaker.
var (
	errFailed   = errors.New("failed")
	errExcluded = errors.New("counts as nothing")
)

const (
	// windowParts is how many steps a window rolls in.
	windowParts = 10
	// never is a time that no life reaches: how long it is open is not
	// gobreaker's to say.
	never = math.MaxInt64 / 2 * time.Nanosecond
	// atOnce is the shortest time that gobreaker does not take for its default.
	atOnce = time.Nanosecond
)

// life is a breaker between two changes of its state. Results of requests that
// began in an earlier one end there, and change nothing.
//
// gobreaker books a result in the part of the window in which its request began,
// and forgets it once that has passed: a stalled upstream, whose failures take as
// long as the window, would never count. So a closed life counts a request when
// it begins, and its result as another one when it is known.
type life struct {
	cb    *gobreaker.TwoStepCircuitBreaker[struct{}]
	since time.Time
	sent  atomic.Uint32 // requests in the window when it tripped: gobreaker forgets them
	state atomic.Int32  // gobreaker.State; its callback runs under a mutex, so that it does nothing else
}

// counting is the life of a closed breaker. It is the caller's to end it once it
// has tripped: it refuses everything then.
func counting(p *policy, rule func() *policy, now time.Time) *life {
	l := &life{since: now}
	l.cb = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Interval:      p.window,
		BucketPeriod:  p.window / windowParts,
		Timeout:       never,
		ReadyToTrip:   func(c gobreaker.Counts) bool { return l.trips(rule(), c) },
		IsExcluded:    isExcluded,
		OnStateChange: l.changed,
	})
	return l
}

// probing is the life of a half-open breaker: so many permits, that must all
// succeed; a failure ends it.
func probing(probes int, now time.Time) *life {
	l := &life{since: now}
	l.cb = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:   uint32(probes),
		Timeout:       atOnce,
		ReadyToTrip:   func(gobreaker.Counts) bool { return true },
		IsExcluded:    isExcluded,
		OnStateChange: l.changed,
	})
	if done, err := l.cb.Allow(); err == nil {
		done(errFailed) // it is born closed, and there is no other way to open it
	}
	return l
}

func (l *life) trips(p *policy, c gobreaker.Counts) bool {
	if !p.trips(c) {
		return false
	}
	l.sent.Store(max(1, begun(c)))
	return true
}

// begin counts a request that begins; false = the life has ended.
func (l *life) begin() bool {
	_, err := l.cb.Allow()
	return err == nil
}

// book counts a result now.
func (l *life) book(result error) {
	if done, err := l.cb.Allow(); err == nil {
		done(result)
	}
}

// requests returns how many have begun in the window.
func (l *life) requests() uint32 {
	if n := l.sent.Load(); n > 0 {
		return n
	}
	return begun(l.counts())
}

// begun leaves out what stands for results.
func begun(c gobreaker.Counts) uint32 {
	return c.Requests - min(c.Requests, c.TotalSuccesses+c.TotalFailures)
}

// counts returns what is in the window now.
func (l *life) counts() gobreaker.Counts {
	l.cb.State() // rolls the window, which Counts does not
	return l.cb.Counts()
}

func isExcluded(err error) bool { return err == errExcluded } //nolint:errorlint // ours alone, never wrapped

func (l *life) changed(_ string, _, to gobreaker.State) { l.state.Store(int32(to)) }

func (l *life) is(s gobreaker.State) bool { return gobreaker.State(l.state.Load()) == s }
