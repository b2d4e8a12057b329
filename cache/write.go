package cache

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"iqgateway/internal/exchange"
)

// write sends a request that may change something, and drops what it may have
// changed before its answer goes on. Who reads afterwards through this replica
// reads what was written.
func (s *store) write(req *http.Request, ex *exchange.Exchange) (*http.Response, error) {
	returned := false
	defer func() {
		if !returned { // a panic: nobody knows how far it came
			s.drop(req, ex, nil)
		}
	}()
	resp, err := s.next.RoundTrip(req)
	returned = true
	switch {
	case !mayHaveChanged(resp, err):
	case resp == nil:
		s.drop(req, ex, nil)
	default:
		s.drop(req, ex, resp.Header)
	}
	return resp, err
}

// drop drops what a write may have changed; header is that of its answer.
func (s *store) drop(req *http.Request, ex *exchange.Exchange, header http.Header) {
	service := s.o.Services[ServiceName{ex.Target.Environment, ex.Target.Service}]
	if service == nil || !service.stores() {
		return
	}
	events := writeEvents(service, write{
		service: ServiceName{ex.Target.Environment, ex.Target.Service}, path: ex.Target.Path, upstreams: []*url.URL{ex.Target.Upstream, ex.Upstream},
	}, header)
	for i := range events {
		s.cache.o.Hooks.invalidated(events[i].Kind, 1)
	}
	s.cache.feed.publish(req.Context(), events)
}

// stores reports whether any answer of the service can be stored. Elsewhere the
// fleet need not be told of writes.
func (s *Service) stores() bool {
	return s.Mode == ModeRFC9111 || s.Mode == ModePolicy && slices.ContainsFunc(s.Rules, func(r Rule) bool {
		return !r.Never && !r.Suggest && r.TTL > 0
	})
}

// mayHaveChanged reports whether a write may have had an effect, or has shown
// that somebody else wrote (409, 412; and 404, 410 of what was there). What
// failed without an answer may have been executed, unless it was never sent.
func mayHaveChanged(resp *http.Response, err error) bool {
	if err != nil {
		p, ok := errors.AsType[*exchange.Problem](err)
		return !ok || p.Outcome == exchange.OutcomeUnknown
	}
	switch status := resp.StatusCode; {
	case status < 400, status >= 500:
		return true
	case status == http.StatusConflict, status == http.StatusPreconditionFailed,
		status == http.StatusNotFound, status == http.StatusGone:
		return true
	}
	return false
}

// outdate drops what an answer has shown to be no longer so, where that answer
// is not stored itself: here, and in the tier and on other replicas, which may
// have the same.
func (c *Cache) outdate(ctx context.Context, q *question) {
	c.Purge(ctx, Event{Kind: DropKey, Service: q.route.Service, Path: q.route.Path, Query: q.route.Query})
}

// replaces reports whether an answer of this status comes in place of what was
// stored (RFC 9111, section 4.3.3). Failures, refusals and parts say nothing
// about it.
func replaces(status int) bool {
	switch status {
	case http.StatusNotFound, http.StatusGone:
		return true
	case http.StatusPartialContent, http.StatusNotModified:
		return false
	}
	return status >= 200 && status < 400
}
