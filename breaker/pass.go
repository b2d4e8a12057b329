package breaker

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/internal/steady"
)

// probeFlow is how long the answer to a probe must have flowed to be taken for
// a success: a report may flow for many minutes.
const probeFlow = time.Second

// pass is one attempt with its permits, and then the body of its answer.
type pass struct {
	options  *StageOptions
	upstream *upstream
	main     permit
	throttle throttled

	body   io.ReadCloser
	result Result // if the body ends well
	sight  *sight // of a body that may show a client's mistake; nil = it shows nothing
	timer  *time.Timer
	ended  atomic.Bool
	early  atomic.Bool // it ended before the body did
}

// take takes the permits of an attempt, both or none.
func (p *pass) take(req *http.Request, bucket string) (r *refusal) {
	if p.main, r = p.upstream.main.allow(req.Context()); r != nil {
		return r
	}
	if bucket == "" {
		return nil
	}
	if p.throttle, r = p.upstream.throttled(req, bucket); r != nil {
		p.end(Excluded, "", false)
	}
	return r
}

// state is what the attempt has met.
func (p *pass) state() State {
	if p.main.probe != nil || p.throttle.permit.probe != nil {
		return HalfOpen
	}
	return Closed
}

// end books the attempt once.
func (p *pass) end(result Result, cause string, reached bool) {
	if p.ended.CompareAndSwap(false, true) {
		p.main.end(result, cause, reached)
	}
}

// panicked books an attempt that nobody knows the end of.
func (p *pass) panicked() {
	p.throttle.end(Excluded)
	p.end(Excluded, "", false)
}

// failed books an error, of the attempt or of its answer's body.
func (p *pass) failed(err error) {
	kind := p.options.Judge(err)
	if !p.upstream.settings.Load().Failures.counts(kind) {
		p.end(Excluded, "", false)
		return
	}
	if p.early.Load() {
		p.upstream.main.strike(nil, kind.String())
	}
	p.end(Failure, kind.String(), kind != Unreachable)
}

// answered books what the header tells, and watches the body for the rest.
func (p *pass) answered(req *http.Request, resp *http.Response) {
	p.throttle.answered(resp, p.options.TellsReset)
	s := p.upstream.settings.Load()
	p.result = verdict(resp.StatusCode, s.Failures.Status, p.main.probe != nil)
	if p.result == Excluded {
		p.end(Excluded, "", true)
		return
	}
	if p.result == Failure {
		candidate, texts := mistakes(s.Mistakes, exchange.From(req.Context()).Target.Path, resp.StatusCode)
		switch {
		case !candidate:
			p.end(Failure, "5xx", true)
			return
		case len(texts) == 0:
			p.end(p.mistaken(), "", true)
			return
		}
		p.sight = &sight{texts: texts, encoding: resp.Header.Get("Content-Encoding")}
	}
	if resp.Body == nil || resp.Body == http.NoBody || resp.ContentLength == 0 || req.Method == http.MethodHead {
		p.complete()
		return
	}
	p.body, resp.Body = resp.Body, p
	if p.result == Success && p.main.probe != nil {
		p.timer = time.AfterFunc(probeFlow, func() {
			steady.Try(func() {
				p.early.Store(true)
				p.end(Success, "", true)
			}, p.upstream.main.owner.options.Hooks.panicked)
		})
	}
}

// complete books a body that has ended, or of which enough was seen.
func (p *pass) complete() {
	if p.sight != nil {
		if p.result = p.sight.verdict(); p.result == Excluded {
			p.result = p.mistaken()
		}
	}
	cause := ""
	if p.result == Failure {
		cause = "5xx"
	}
	p.end(p.result, cause, true)
}

// mistaken is the result of an answer to a wrong request: a service that knows it
// to be wrong is well, as far as a probe can tell.
func (p *pass) mistaken() Result {
	if p.main.probe != nil {
		return Success
	}
	return Excluded
}

// Read implements [io.Reader].
func (p *pass) Read(b []byte) (int, error) {
	n, err := p.body.Read(b)
	full := p.sight != nil && p.sight.add(b[:n])
	if err == nil && !full {
		return n, nil
	}
	p.unwatch()
	if full || err == io.EOF {
		p.complete()
	} else {
		p.failed(err)
	}
	return n, err
}

// Close implements [io.Closer]. Before the end of the body it says that the
// caller does not want the rest, which is about nobody.
func (p *pass) Close() error {
	p.unwatch()
	p.end(Excluded, "", false)
	return p.body.Close()
}

// unwatch stops the timer of a probe.
func (p *pass) unwatch() {
	if p.timer != nil {
		p.timer.Stop()
	}
}
