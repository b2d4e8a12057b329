package cache

import (
	"errors"

	"iqgateway/internal/exchange"
)

// abandon takes the answer of a leader that has left, so that a body which
// nobody reads is closed, and tells of what the flight did for all others: within
// the leader's trace, as an upstream may have been told.
func (s *store) abandon(fl *flight, q *question) {
	a := <-fl.lead
	if a.response != nil {
		_ = a.response.Body.Close()
	}
	<-fl.done
	own, err := a.spent, a.err
	if own == nil {
		return
	}
	own.Trace.Span, own.Trace.Parent = exchange.NewSpanID(), fl.leader.Span
	if err == nil && errors.Is(fl.err, errUpstreamFailed) {
		err = fl.err
	}
	s.cache.o.Hooks.fetched(WorkInfo{
		Service: q.route.Service, Method: q.method, Exchange: own, Took: s.cache.now().Sub(own.Start), Err: err,
	})
}

// link names the flight to a follower of the caller.
func (fl *flight) link(caller *exchange.Caller) exchange.Link {
	l := fl.leader.Link()
	l.Own = caller != nil && fl.caller != nil && caller.Name == fl.caller.Name
	return l
}
