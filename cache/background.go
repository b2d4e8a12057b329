package cache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"runtime/debug"

	"iqgateway/internal/exchange"
	"iqgateway/internal/steady"
)

// errRefresh says that a refresh brought nothing, for a reason that the stages
// have reported themselves.
var errRefresh = errors.New("the refresh was broken off")

// startRefresh has a stored answer fetched anew in the background: one fetch a
// key, through all stages below, for nobody in particular.
func (l *lookup) startRefresh(r *http.Request, ex *exchange.Exchange, q *question) {
	c, key := l.cache, q.flight()
	if c.failing.has(key, c.now()) {
		return
	}
	if _, running := c.fresh.LoadOrStore(key, nil); running {
		return
	}
	select {
	case c.refreshes <- struct{}{}:
	default: // enough are under way; the next hit asks again
		c.fresh.Delete(key)
		return
	}
	ctx, cancel := c.detach(r.Context(), q.service)
	own := &exchange.Exchange{
		ID: ex.ID, Start: c.now(), Form: ex.Form, Caller: ex.Caller, Target: ex.Target, Credential: ex.Credential,
		Class: "background", Trace: exchange.NewTrace(), Link: ex.Trace.Link(),
	}
	own.Trace.Sampled, own.Trace.Told = ex.Trace.Sampled, ex.Trace.Told
	asked := *q
	asked.refresh, asked.want = true, want{}
	asked.missed(own)
	in := refreshRequest(withQuestion(exchange.With(ctx, own), &asked), r, &asked)
	c.work.Go(func() {
		defer func() {
			cancel()
			<-c.refreshes
			c.fresh.Delete(key)
		}()
		steady.Try(func() { // what it calls, too: the process is everybody's
			err := l.runRefresh(q.route.Service, in, own)
			c.o.Hooks.refreshed(WorkInfo{Service: q.route.Service, Method: asked.method, Exchange: own, Took: c.now().Sub(own.Start), Err: err})
		}, c.panicked)
		if c.memory.get(q.key, q.selection.text) == q.stored { // it brought nothing
			c.failing.set(key, c.now().Add(restAfterFailed))
		}
	})
}

// refreshRequest is the caller's request without what concerns that caller
// alone.
func refreshRequest(ctx context.Context, r *http.Request, q *question) *http.Request {
	in := r.Clone(ctx)
	for _, name := range []string{
		"Cache-Control", "Pragma", "If-None-Match", "If-Modified-Since", "If-Range", "Range", "Baggage",
	} {
		delete(in.Header, name)
	}
	in.Body = http.NoBody
	if q.method == http.MethodHead {
		in.Method, q.method = http.MethodGet, http.MethodGet
	}
	if q.body != nil {
		in.Body = io.NopCloser(bytes.NewReader(q.body))
	}
	return in
}

func (l *lookup) runRefresh(of ServiceName, in *http.Request, own *exchange.Exchange) (err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		err = errRefresh
		if v != http.ErrAbortHandler { //nolint:errorlint // a value: how the stages cut an answer
			l.cache.o.Hooks.panicked(of, v, debug.Stack())
		}
	}()
	l.next.ServeHTTP(nowhere{}, in)
	if own.Problem != nil {
		return own.Problem
	}
	return nil
}

// nowhere takes an answer that nobody reads.
type nowhere struct{}

// Header implements [http.ResponseWriter].
func (nowhere) Header() http.Header { return http.Header{} }

// Write implements [io.Writer].
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader implements [http.ResponseWriter].
func (nowhere) WriteHeader(int) {}

// detach returns a context with the values of a request's, that ends with the
// cache, and not with the request.
func (c *Cache) detach(ctx context.Context, s *Service) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.fetchTimeout())
	stop := context.AfterFunc(c.ctx, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}
