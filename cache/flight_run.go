package cache

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/internal/steady"
)

// Why a flight brings nothing to others than its leader.
var (
	errNotShared      = errors.New("the answer cannot be shared")
	errUpstreamFailed = errors.New("the upstream failed")
	errPanicked       = errors.New("the shared fetch panicked")
)

// sharedAgent is how shared requests call themselves: which caller began one
// must not show.
const sharedAgent = "iqgateway"

// run is a flight under way.
type run struct {
	*store
	flight   *flight
	question *question
	exchange *exchange.Exchange // its own
	request  *http.Request      // of the leader, as it would go upstream
	ctx      context.Context    //nolint:containedctx // the flight's own; ends with it
	cancel   context.CancelFunc
	expiry   *time.Timer // ends ctx
	expired  atomic.Bool // it has

	body  io.Closer             // of the answer, while it is the flight's to close
	claim atomic.Pointer[claim] // nil = there is none
	ended bool                  // the followers know
}

// start begins a flight.
func (s *store) start(fl *flight, req *http.Request, ex *exchange.Exchange, q *question) {
	own := &exchange.Exchange{
		ID: ex.ID, CallerRequestID: ex.CallerRequestID, Start: ex.Start, Form: ex.Form,
		Caller: ex.Caller, Target: ex.Target, Credential: ex.Credential, Class: ex.Class, NoWait: ex.NoWait,
		Trace: ex.Trace, // what it waits for and tries is the leader's
	}
	fl.leader, fl.caller = ex.Trace, ex.Caller
	if !q.refresh && mayServeOnError(q.stored, q.want, s.cache.now()) {
		own.NoWait = true // there is something to answer with: quota is not waited for
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(req.Context()))
	stop := context.AfterFunc(s.cache.ctx, cancel) //nolint:contextcheck // the cache's own, on purpose: it ends what no request ends
	r := &run{store: s, flight: fl, question: q, exchange: own, request: req}
	r.expiry = time.AfterFunc(q.service.fetchTimeout(), func() {
		r.expired.Store(true)
		cancel()
	})
	r.cancel = sync.OnceFunc(func() {
		stop()
		r.expiry.Stop()
		cancel()
	})
	r.ctx = exchange.With(ctx, own)
	s.cache.work.Go(r.fly)
}

// fly fetches, and always ends the flight.
func (r *run) fly() {
	defer func() {
		if v := recover(); v != nil {
			r.panicked(v, debug.Stack())
			r.closeBody()
			r.fail(exchange.Refuse(exchange.InternalError, "The gateway failed while it fetched the answer for several requests.").Because(errPanicked))
		}
	}()
	if o := r.fromMemory(); o != nil {
		r.finish(o, shared)
		return
	}
	if o := r.fromTier(); o != nil {
		r.finish(o, shared)
		return
	}
	var validators http.Header
	if q := r.question; q.stored != nil && q.method != http.MethodPost {
		validators = conditions(q.stored)
	}
	r.ask(validators)
}

// panicked tells of a panic in the flight, or beside it.
func (r *run) panicked(value any, stack []byte) {
	r.cache.o.Hooks.panicked(r.question.route.Service, value, stack)
}

// closeBody gives back the slots that end with the answer.
func (r *run) closeBody() {
	if r.body != nil {
		steady.Try(func() { _ = r.body.Close() }, r.panicked)
	}
}

// fromMemory returns what has been stored since the leader looked: the flight
// that brought it has just ended.
func (r *run) fromMemory() *Object {
	c, q := r.cache, r.question
	if o := c.memory.get(q.key, q.selection.text); o != nil && r.news(o) {
		return o
	}
	return nil
}

// news reports whether a stored answer is what the flight was to bring.
func (r *run) news(o *Object) bool {
	c, q := r.cache, r.question
	now := c.now()
	v, _ := reuse(o, q.want, now)
	return v == verdictFresh && c.usable(q.service, o, now)
}

// ask sends the request upstream, with the validators of the stored answer.
func (r *run) ask(validators http.Header) {
	requested := r.cache.now()
	resp, err := r.next.RoundTrip(r.outbound(validators))
	received := r.cache.now()
	r.flight.answered.Store(true)
	if err == nil {
		r.body = resp.Body
	}
	switch {
	case err != nil:
		r.fail(r.late(err))
	case resp.StatusCode == http.StatusNotModified && validators != nil:
		_ = resp.Body.Close()
		if o, ok := r.confirmed(resp.Header, requested, received); ok {
			r.keep(o)
			r.finish(o, confirmed)
			return
		}
		r.ask(nil) // it was about another representation
	default:
		r.take(resp, requested, received)
	}
}

// late names the flight's own deadline: the stages below take its end for a
// caller that has left.
func (r *run) late(err error) error {
	if r.expired.Load() {
		return exchange.Refuse(exchange.UpstreamTimeout, "the upstream did not answer in time").Because(err)
	}
	return err
}

// outbound is the request that goes upstream: nothing of it is of the leader
// alone.
func (r *run) outbound(validators http.Header) *http.Request {
	q := r.question
	out := r.request.Clone(r.ctx)
	out.Header = q.selection.header()
	out.Header["Via"] = r.request.Header["Via"]
	out.Header["User-Agent"] = []string{sharedAgent}
	out.Body, out.ContentLength, out.GetBody = nil, 0, nil
	if q.body != nil {
		out.Header["Content-Type"] = r.request.Header["Content-Type"]
		setBody(out, q.body)
	}
	maps.Copy(out.Header, validators)
	return out
}

// setBody gives a request a body that can be sent again.
func setBody(r *http.Request, body []byte) {
	r.ContentLength = int64(len(body))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body, _ = r.GetBody()
}

// confirmed is the stored answer after a 304.
func (r *run) confirmed(h http.Header, requested, received time.Time) (*Object, bool) {
	o, ok := merged(r.question.stored, h)
	if !ok {
		return nil, false
	}
	return r.dated(o, h, requested, received), true
}

// dated sets when an answer came, with the header h, and for how long it may be
// used.
func (r *run) dated(o *Object, h http.Header, requested, received time.Time) *Object {
	q := r.question
	o.Key, o.Selected, o.Route, o.Born = q.key, q.selection.text, q.route, r.flight.born
	o.Requested, o.Received, o.Age = requested, received, ageOf(h, requested, received)
	o.Tags = r.flight.tags
	o.terms = freshness(q.service, q.rule, q.key, o.Status, o.Header, o.Age, received)
	return o
}

// take decides about an answer, and reads it.
func (r *run) take(resp *http.Response, requested, received time.Time) {
	if why := r.unfit(resp); why != "" {
		r.single(resp, why)
		return
	}
	o := &Object{Status: resp.StatusCode, Header: storedHeader(resp.Header)}
	o.Vary, _ = varyNames(resp.Header) // unfit has read it
	r.dated(o, resp.Header, requested, received)
	f := newFill(r.question.service.MaxObject, resp.ContentLength)
	given := *resp // trailers are written while the body is read, which is not the leader's doing
	given.Body, given.Trailer = &stream{fill: f, ctx: r.ctx}, nil
	r.flight.lead <- leadAnswer{response: &given, stored: resp.ContentLength >= 0, spent: r.spent()}
	defer f.close(errPanicked) // nothing comes after it otherwise
	switch err := f.pump(&watched{ReadCloser: resp.Body, run: r}); {
	case errors.Is(err, errTooLarge):
		r.remember()
		r.release(notSharedFor)
		if r.question.stored != nil {
			r.cache.outdate(r.ctx, r.question)
		}
		r.expiry.Stop() // the leader reads on, for as long as it may
		r.lose(fmt.Errorf("%w: %w", errNotShared, err))
		return
	case err != nil:
		r.lose(fmt.Errorf("%w: %w", errUpstreamFailed, err))
		f.close(err)
	default:
		if o.Body = f.whole(); !intact(o) {
			r.lose(fmt.Errorf("%w: its encoding is broken", errNotShared))
			f.close(io.EOF)
			break
		}
		r.keep(o)
		r.settle(o, fetched, nil)
		f.close(io.EOF)
		r.toTier(o)
	}
	r.cancel()
}

// unfit says why an answer goes to the leader alone, "" = it is stored.
func (r *run) unfit(resp *http.Response) string {
	q := r.question
	switch ok, why := storable(q.service, q.rule, q.method, resp.StatusCode, !q.anonymous, q.selection.header(), resp.Header); {
	case !ok:
		return why
	case resp.ContentLength > q.service.MaxObject:
		return "too-large"
	case isUnended(resp):
		return "unended" // its end cannot be told from its loss
	case r.exchange.Account != "" && r.exchange.Account != q.account:
		return "account" // the credential's account has changed meanwhile
	case storedHeader(resp.Header) == nil:
		return "header"
	case isFailed(resp.StatusCode) && mayServeOnError(q.stored, want{}, r.cache.now()):
		return whyStatus // what is stored stands in for it
	}
	return ""
}

// isUnended reports an answer that ends with its connection.
func isUnended(resp *http.Response) bool {
	return resp.ProtoMajor == 1 && resp.ContentLength < 0 && len(resp.TransferEncoding) == 0
}

// single leaves an answer to the leader.
func (r *run) single(resp *http.Response, why string) {
	err := errNotShared
	if isFailed(resp.StatusCode) {
		err = errUpstreamFailed
	}
	apart := time.Duration(0)
	if isLasting(why) && resp.StatusCode < http.StatusBadRequest { // an error passes
		apart = notSharedFor
		r.remember()
	}
	if why != "account" && r.question.stored != nil && replaces(resp.StatusCode) {
		r.cache.outdate(r.ctx, r.question)
	}
	r.expiry.Stop()
	r.body, resp.Body = nil, &watched{ReadCloser: resp.Body, run: r}
	r.settle(nil, fetched, fmt.Errorf("%w: %s", err, why)) // who asks after the leader has its answer takes no part
	r.flight.lead <- leadAnswer{response: resp, spent: r.spent()}
	r.release(apart)
}

// isLasting reports whether the next answer will most likely be as unfit as this
// one.
func isLasting(why string) bool {
	switch why {
	case whyStatus, "account":
		return false
	}
	return true
}

// remember that answers to the question cannot be shared.
func (r *run) remember() {
	r.cache.notShared.set(r.flight.key, r.cache.now().Add(notSharedFor))
}

// watched is an upstream's body; the flight's context ends with it.
type watched struct {
	io.ReadCloser
	run *run
}

// Close implements [io.Closer].
func (w *watched) Close() error {
	w.run.cancel() // a read may be under way
	return w.ReadCloser.Close()
}

// spent is what the flight has taken so far, for the leader to book.
func (r *run) spent() *exchange.Exchange {
	taken := *r.exchange
	return &taken
}

// keep stores an answer that nothing has dropped meanwhile.
func (r *run) keep(o *Object) {
	c := r.cache
	c.failing.forget(r.flight.key)
	if c.index.dropped(o) {
		return
	}
	if c.memory.put(o) {
		caller := ""
		if r.exchange.Caller != nil {
			caller = r.exchange.Caller.Name
		}
		c.stats.stored(o.Route.Service, caller)
		c.o.Hooks.stored(o.Route.Service, len(o.Body))
	}
}

// finish ends the flight with an object for all.
func (r *run) finish(o *Object, from flightResult) {
	r.settle(o, from, nil) // who asks after the leader has its answer takes no part
	r.flight.lead <- leadAnswer{object: o, from: from, spent: r.spent()}
	if from == shared {
		r.release(0)
	} else {
		r.toTier(o)
	}
	r.cancel()
}

// fail ends the flight with an error.
func (r *run) fail(err error) {
	r.settle(nil, fetched, err)
	select {
	case r.flight.lead <- leadAnswer{err: err, spent: r.spent()}:
	default: // the leader has its answer already
	}
	r.release(0) // nobody waits for the store
	r.cancel()
}

// lose ends a flight whose leader has its answer, and whose followers get none.
func (r *run) lose(err error) {
	r.settle(nil, fetched, err)
	r.release(0)
}

// settle tells the followers, once: a panic may come after it.
func (r *run) settle(o *Object, from flightResult, err error) {
	if r.ended {
		return
	}
	r.ended = true
	fl := r.flight
	fl.object, fl.result, fl.err = o, from, err
	r.cache.flights.leave(fl)
	close(fl.done)
}

// intact reports whether an encoded body can be decoded: one that was cut
// inside its encoding has all its bytes, and is broken all the same.
func intact(o *Object) bool {
	codings := strings.Join(o.Header["Content-Encoding"], ",")
	if coding := canonicalCoding(codings); coding != "gzip" || len(o.Body) == 0 {
		return true
	}
	z, err := gzip.NewReader(bytes.NewReader(o.Body))
	if err != nil {
		return false
	}
	_, err = io.CopyN(io.Discard, z, maxDecoded+1)
	return errors.Is(err, io.EOF)
}

// maxDecoded bounds what is decoded to look whether an answer is whole: more of
// it is work that somebody else has planned.
const maxDecoded = 64 << 20
