package retry

import (
	"net/http"
	"time"

	"iqgateway/internal/exchange"
)

// defaultBuffer is what is kept of a body, in bytes.
const defaultBuffer = 64 << 10

// leastAttempts is how many the stages below may always make, so that a token
// can be replaced where nothing is repeated here.
const leastAttempts = 2

// StageOptions are the settings of [Set.Stage].
type StageOptions struct {
	// Kind says what an error of the stages below is about. Required.
	Kind func(error) Kind
	// Buffer is how many bytes of a request's body are kept until the upstream
	// answers, so that it can be sent again; 0 = 64 KiB. A longer body can be
	// sent again only while nothing was read of it. Each request with a body in
	// flight may hold this much memory.
	Buffer int
}

// Stage returns the outbound stage that repeats attempts. Everything below it
// runs again for a repetition: another token of the quota, another permit. The
// stages below may repeat, too, what was refused unexecuted; they are handed
// down how many attempts there may be ([exchange.Exchange.MayRepeat]).
//
// It repeats what provably did not reach the upstream (errors with a method
// NothingSent), and on a lost connection or one of Settings.Statuses also what
// changes nothing or is [Settings.Replayable]; once without a pause where the
// connection had served before (errors with a method OnKeptConnection). It repeats
// no refusal of the gateway itself and no answer whose body has begun to arrive.
//
// What the last attempt brought is what it returns, with one exception: an
// error after which an earlier attempt of a write may have been executed says
// so (exchange.OutcomeUnknown). The request gets a GetBody that is good for one
// attempt after the other, as stages use it, not for two at a time.
func (s *Set) Stage(o StageOptions) func(http.RoundTripper) http.RoundTripper {
	if o.Buffer <= 0 {
		o.Buffer = defaultBuffer
	}
	return func(next http.RoundTripper) http.RoundTripper {
		return &stage{set: s, options: o, next: next}
	}
}

type stage struct {
	set     *Set
	options StageOptions
	next    http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (s *stage) RoundTrip(req *http.Request) (*http.Response, error) {
	ex := exchange.From(req.Context())
	if ex.Target == nil {
		return s.next.RoundTrip(req)
	}
	u := s.set.upstreams[Key{ex.Target.Environment, ex.Target.Service}]
	if u == nil {
		return s.next.RoundTrip(req)
	}
	ex.MaxAttempts = ex.Attempts + max(u.settings.MaxAttempts, leastAttempts)
	if u.settings.MaxAttempts < 2 {
		return s.next.RoundTrip(req)
	}
	u.shared.request(s.now())
	c := call{stage: s, upstream: u, exchange: ex, request: req, before: ex.Attempts}
	return c.run(req.Context())
}

func (s *stage) now() time.Time { return s.set.budgets.options.Now() }

func (s *stage) repeated(info RepeatInfo) {
	if f := s.set.budgets.options.Hooks.Repeated; f != nil {
		f(info)
	}
}

func (s *stage) stopped(key Key, why Result) {
	if f := s.set.budgets.options.Hooks.Stopped; f != nil {
		f(key, why)
	}
}
