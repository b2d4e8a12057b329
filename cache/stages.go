package cache

import (
	"context"
	"net/http"

	"iqgateway/internal/exchange"
)

// StageOptions are what the stages of one generation need.
type StageOptions struct {
	// Services are those whose answers are kept; others pass.
	Services map[ServiceName]*Service
	// Account names the identity that an exchange's credential stands for now,
	// equal for equal ones and no secret; false = it is not known, and nothing is
	// stored. nil = the credential's name says enough.
	Account func(*exchange.Exchange) (string, bool)
	// Caller reports whether a caller may be answered from the cache; nil = all.
	Caller func(name string) bool
	// Counted reports whether a quota counts the upstream's requests for an
	// exchange; nil = none does.
	Counted func(*exchange.Exchange) bool
	// Decorate makes a stored header the gateway's answer to r: live quota
	// fields, rewritten references, Via. What [Options.Hidden] names is not in it.
	// nil = it stays as it is.
	Decorate func(h http.Header, r *http.Request, status int)
	// Refuse renders a problem; required.
	Refuse func(http.ResponseWriter, *http.Request, error)
}

// Stages are the two stages of one generation.
type Stages struct {
	cache *Cache
	o     StageOptions
}

// Stages returns the stages for one generation, over the state that outlives
// it.
func (c *Cache) Stages(o StageOptions) *Stages { return &Stages{cache: c, o: o} }

// Lookup is the inbound stage: it answers what is stored, and lets everything
// else pass.
func (s *Stages) Lookup(next http.Handler) http.Handler {
	return &lookup{Stages: s, next: next}
}

// Store is the outbound stage: it fetches once for all callers that ask for the
// same, stores, revalidates, and watches writes. The errors are those of next,
// and *[exchange.Problem].
func (s *Stages) Store(next http.RoundTripper) http.RoundTripper {
	return &store{Stages: s, next: next}
}

type questionKey struct{}

func withQuestion(ctx context.Context, q *question) context.Context {
	return context.WithValue(ctx, questionKey{}, q)
}

// questionOf returns what the lookup stage has asked for a request; nil = the
// cache has nothing to do with it.
func questionOf(ctx context.Context) *question {
	q, _ := ctx.Value(questionKey{}).(*question)
	return q
}

func (s *Stages) account(ex *exchange.Exchange) (string, bool) {
	if s.o.Account == nil {
		return "", true
	}
	return s.o.Account(ex)
}

// end books an exchange.
func (s *Stages) end(ex *exchange.Exchange) {
	v := ex.Cache
	if v.Result == exchange.CacheNone || ex.Target == nil {
		return
	}
	tokens := 0
	if v.Saved > 0 && s.o.Counted != nil && s.o.Counted(ex) {
		tokens = v.Saved
	}
	caller := ""
	if ex.Caller != nil {
		caller = ex.Caller.Name
	}
	service := ServiceName{ex.Target.Environment, ex.Target.Service}
	s.cache.stats.count(service, caller, v, tokens)
	s.cache.o.Hooks.looked(LookInfo{Service: service, Caller: caller, View: v, Tokens: tokens, Took: v.Time})
}
