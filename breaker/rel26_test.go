package breaker

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"
)

// one is what one caller does to an upstream, or has done to it.
type one struct {
	path     string
	upstream upstreamFunc
	read     func(io.Reader) error
	leave    bool // the caller leaves during the attempt
}

// innocent are requests that tell nothing of the upstream's health.
func innocent() map[string]one {
	status := func(n int, fields ...string) one { return one{upstream: with(n, fields...), read: all} }
	return map[string]one{
		"leaves before the header":       {upstream: slow(time.Hour, 200), leave: true},
		"leaves with the header":         {upstream: always(200), read: none},
		"leaves in the body":             {upstream: always(200), read: func(r io.Reader) error { _, err := r.Read(make([]byte, 1)); return err }},
		"leaves a body that breaks then": {upstream: broken(200, NotCounted), read: all},
		"its own deadline passes":        {upstream: failing(NotCounted), read: all},
		"its own body is malformed":      {upstream: failing(NotCounted), read: all},
		"known 500": {path: "/mistaken/7", upstream: func(*http.Request) (*http.Response, error) {
			return answer(500, "Entity is not related to company"), nil
		}, read: all},
		"400":              status(400),
		"401":              status(401),
		"404":              status(404),
		"409":              status(409),
		"412":              status(412),
		"429 with a reset": status(429, "Retry-After", "2"),
	}
}

func (r *replica) do(o one) {
	r.Helper()
	r.become(o.upstream)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if o.leave {
		time.AfterFunc(time.Millisecond, cancel)
	}
	path := "/"
	if o.path != "" {
		path = o.path
	}
	req, _ := request(ctx, path)
	resp, err := r.stack.RoundTrip(req)
	if err != nil {
		if _, known := errors.AsType[kinded](err); !known && !errors.Is(err, context.Canceled) {
			r.Fatalf("%v", err)
		}
		return
	}
	_ = o.read(resp.Body)
	_ = resp.Body.Close()
}

// Ten thousand requests of one caller that fail by its own doing, of every
// kind, leave the breaker closed for the others.
func TestREL26OneCallerTakesNothingAway(t *testing.T) {
	const each = 10_000
	for name, o := range innocent() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alone(t, usual(), func(r *replica) {
				for i := range each {
					r.do(o)
					if i%500 == 0 {
						r.become(always(200))
						r.passes()
					}
				}
				r.become(always(200))
				r.passes()
				if got := r.noted(); got != "" {
					t.Error(got)
				}
			})
		})
	}
}

// Nor do they hide that the upstream is ill: it is stopped within 20 requests.
func TestREL26RealFailuresOpen(t *testing.T) {
	ill := map[string]one{
		"500":              {upstream: always(500), read: all},
		"503":              {upstream: always(503), read: all},
		"no connection":    {upstream: failing(Unreachable), read: all},
		"no header":        {upstream: failing(TimedOut), read: all},
		"reset":            {upstream: failing(Broken), read: all},
		"bodies break off": {upstream: broken(200, Broken), read: all},
		"bodies stall":     {upstream: broken(200, TimedOut), read: all},
		"unknown 500":      {path: "/mistaken/7", upstream: always(500), read: all},
	}
	for name, o := range ill {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alone(t, usual(), func(r *replica) {
				for range 100 {
					for _, other := range innocent() {
						r.do(other)
					}
				}
				before := r.count()
				for range 20 {
					r.do(o)
				}
				r.refuses()
				if n := r.count() - before; n != 20 {
					t.Errorf("%d requests", n)
				}
			})
		})
	}
}
