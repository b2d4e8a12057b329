package cache

import (
	"net/http"

	"iqgateway/internal/exchange"
)

// head sends a HEAD upstream, and lets its answer freshen or drop the stored GET
// (RFC 9111, section 4.3.5).
func (s *store) head(req *http.Request, ex *exchange.Exchange, q *question) (*http.Response, error) {
	requested := s.cache.now()
	resp, err := s.pass(req, ex, q)
	if err != nil || q.stored == nil || ex.Cache.Result == exchange.CacheStale {
		return resp, err
	}
	switch o, effect := afterHead(q.stored, resp.StatusCode, resp.Header); effect {
	case headUpdates:
		received := s.cache.now()
		o.Requested, o.Received = requested, received // and born where it was: a HEAD alone vouches for no body that was dropped
		o.Age = ageOf(resp.Header, requested, received)
		o.terms = freshness(q.service, q.rule, q.key, o.Status, o.Header, o.Age, received)
		if !s.cache.index.dropped(o) {
			s.cache.memory.put(o)
		}
	case headDrops:
		s.cache.outdate(req.Context(), q)
	case headNothing:
	}
	return resp, nil
}
