package breaker

import (
	"errors"
	"fmt"
	"net/http"

	"iqgateway/internal/exchange"
)

// StageOptions are the settings of [Set.Gate] and [Set.Permit].
type StageOptions struct {
	// Judge says whose fault the error of an attempt or of an answer's body is;
	// nil = nobody's. It must know refusals of our own, and callers who left.
	Judge func(error) Kind
	// Bucket names the quota bucket that counts an exchange, for its throttle
	// breaker; "" = it has none. nil = none has. A bucket of requests at once
	// must have none: its 429s are the quota's own.
	Bucket func(*exchange.Exchange) string
	// TellsReset reports whether a 429 says until when to wait, so that the quota
	// does; nil = none says it.
	TellsReset func(*http.Response) bool
}

func (o StageOptions) withDefaults() StageOptions {
	if o.Judge == nil {
		o.Judge = func(error) Kind { return NotCounted }
	}
	if o.Bucket == nil {
		o.Bucket = func(*exchange.Exchange) string { return "" }
	}
	if o.TellsReset == nil {
		o.TellsReset = func(*http.Response) bool { return false }
	}
	return o
}

// Gate returns the outbound stage that refuses at once what could not be sent
// anyway, before it waits for quota. It takes no permit.
//
// The errors are *[exchange.Problem], BreakerOpen with Outcome NotExecuted.
func (s *Set) Gate(o StageOptions) func(http.RoundTripper) http.RoundTripper {
	o = o.withDefaults()
	return func(next http.RoundTripper) http.RoundTripper {
		return &gate{set: s, options: o, next: next}
	}
}

type gate struct {
	set     *Set
	options StageOptions
	next    http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (g *gate) RoundTrip(req *http.Request) (*http.Response, error) {
	ex := exchange.From(req.Context())
	u, err := g.set.of(ex)
	if err != nil {
		exchange.CloseBody(req)
		return nil, err
	}
	ex.Breaker = exchange.BreakerClosed
	r := u.main.peek()
	if bucket := g.options.Bucket(ex); r == nil && bucket != "" {
		r = u.throttle(bucket).peek()
	}
	if r != nil {
		exchange.CloseBody(req)
		return nil, g.set.refuse(ex, r, false)
	}
	return g.next.RoundTrip(req)
}

// of returns the upstream of an exchange. That there is none is a defect, not a
// state: the configuration has made all.
func (s *Set) of(ex *exchange.Exchange) (*upstream, error) {
	if ex.Target == nil {
		return nil, errors.New("breaker: the request was not routed")
	}
	u := s.upstreams[target{ex.Target.Environment, ex.Target.Service}]
	if u == nil {
		return nil, fmt.Errorf("breaker: no upstream %s/%s", ex.Target.Environment, ex.Target.Service)
	}
	return u, nil
}

// Permit returns the outbound stage that takes a permit for each attempt, and
// books how it ended: an error or a failing status at once, everything else
// when the answer's body has ended or broken off. It stands below the quota,
// which gets its token back when a permit is refused.
//
// The errors are those of [Set.Gate] and those of the stages below.
func (s *Set) Permit(o StageOptions) func(http.RoundTripper) http.RoundTripper {
	o = o.withDefaults()
	return func(next http.RoundTripper) http.RoundTripper {
		return &permits{set: s, options: o, next: next}
	}
}

type permits struct {
	set     *Set
	options StageOptions
	next    http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (s *permits) RoundTrip(req *http.Request) (*http.Response, error) {
	ex := exchange.From(req.Context())
	u, err := s.set.of(ex)
	if err != nil {
		exchange.CloseBody(req)
		return nil, err
	}
	p := &pass{options: &s.options, upstream: u}
	if r := p.take(req, s.options.Bucket(ex)); r != nil {
		exchange.CloseBody(req)
		return nil, s.set.refuse(ex, r, true)
	}
	ex.Breaker = string(p.state())
	settled := false
	defer func() {
		if !settled { // a panic passes: it says nothing of the upstream
			p.panicked()
		}
	}()
	resp, err := s.next.RoundTrip(req)
	settled = true
	if err != nil {
		p.throttle.end(Excluded)
		p.failed(err)
		return nil, err
	}
	p.answered(req, resp)
	return resp, nil
}
