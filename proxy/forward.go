package proxy

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"sync"

	"iqgateway/internal/exchange"
)

// via is the gateway's pseudonym as it stands in Via fields. The sanitize
// stage answers 508 to a request that already carries it.
const via = "1.1 " + Pseudonym

// Pseudonym names the gateway in Via, Proxy-Status and Cache-Status.
const Pseudonym = "iqgateway"

// copyBuffer is the size of one read of an answer, in bytes.
const copyBuffer = 32 << 10

// errTotal is the cause of a context that ended because of timeouts.total.
var errTotal = errors.New("timeouts.total of the service has passed")

// ForwardOptions configure the forward stage.
type ForwardOptions struct {
	// Transport is the first of the outbound stages; required.
	Transport http.RoundTripper
	// Services are the upstreams; a target outside of them is an internal
	// error. Required.
	Services Services
	// Errors renders what the outbound stages return; required.
	Errors *Errors
	// Locations rewrites Location and Content-Location; nil leaves them alone.
	Locations *Locations
	// Headers says how much the gateway adds to answers; the default is
	// HeadersStandard.
	Headers HeaderMode
	// ErrorLog receives what httputil.ReverseProxy has to say; nil discards
	// it. Everything that matters is also in the exchange.
	ErrorLog *log.Logger
}

// forward is stage 7.
type forward struct {
	options ForwardOptions
	proxy   httputil.ReverseProxy
	buffers sync.Pool
}

// NewForward returns the bridge between the stages that face the caller and
// those that face the upstream. It needs the exchange's Target.
//
// The request leaves with the very bytes of path and query that came, a header
// made by allow-list, and the Host of the configuration. Redirects are not
// followed. A broken answer is cut with [http.ErrAbortHandler], never ended as
// if it were whole.
func NewForward(o ForwardOptions) http.Handler {
	f := &forward{options: o}
	if o.ErrorLog == nil {
		o.ErrorLog = log.New(io.Discard, "", 0)
	}
	f.buffers.New = func() any { return new([copyBuffer]byte) }
	f.proxy = httputil.ReverseProxy{
		Rewrite:        f.rewrite,
		Transport:      untraced{o.Transport},
		ModifyResponse: f.modifyResponse,
		ErrorHandler:   o.Errors.Refuse,
		ErrorLog:       o.ErrorLog,
		BufferPool:     f,
		// FlushInterval stays 0: httputil flushes answers of unknown length
		// (exports, events) at once, and those of known length need it not.
	}
	return f
}

// passage is what the hooks of httputil must know of a request; it hands them
// only the outbound half.
type passage struct {
	service *Service
	in      *http.Request
	ctx     context.Context //nolint:containedctx // lives exactly as long as the request
	answer  io.Closer       // the upstream's, until httputil is done with it
}

// letGo closes an answer that a panic has left open: the slots that its end
// gives back would be lost for ever.
func (p *passage) letGo() {
	if p.answer != nil {
		_ = p.answer.Close()
	}
}

type passageKey struct{}

func passageOf(ctx context.Context) passage {
	if p, ok := ctx.Value(passageKey{}).(*passage); ok {
		return *p
	}
	return passage{}
}

// untraced hands the outbound stages the context from before httputil put its
// trace into it. That trace writes interim (1xx) answers into the caller's
// header map and clears it, while net/http's HTTP/2 server may still be
// encoding that map: a caller that cancels in such a moment ends the process.
// It would also pass on their fields, and wipe those that earlier stages have
// set. So no interim answer of an upstream reaches a caller.
type untraced struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (u untraced) RoundTrip(r *http.Request) (*http.Response, error) {
	p, _ := r.Context().Value(passageKey{}).(*passage)
	res, err := u.next.RoundTrip(r.WithContext(p.ctx)) //nolint:contextcheck // httputil derived that of r from this very one
	if err == nil {
		p.answer = res.Body
	}
	return res, err
}

// ServeHTTP implements [http.Handler].
func (f *forward) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t := exchange.From(r.Context()).Target
	if t == nil {
		f.options.Errors.Refuse(w, r, errors.New("forward: the request was not routed"))
		return
	}
	service, err := f.options.Services.of(t.Environment, t.Service)
	if err != nil {
		f.options.Errors.Refuse(w, r, err)
		return
	}
	if limit := service.options.MaxBody; limit > 0 && r.ContentLength > limit {
		p := tooLarge(limit)
		if t.Write {
			p.Outcome = exchange.NotExecuted
		}
		f.options.Errors.Refuse(w, r, p)
		return
	}
	control := http.NewResponseController(w)
	if r.ProtoMajor == 1 && r.ContentLength != 0 {
		// Otherwise the server swallows the rest of the body as soon as an early
		// answer is written, and the upstream sees the request break off. A
		// writer that cannot do it (not net/http's) does not swallow either.
		_ = control.EnableFullDuplex()
	}
	ctx := r.Context()
	if total := service.options.Total; total > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, total, errTotal)
		defer cancel()
	}
	p := &passage{service: service, in: r}
	ctx = context.WithValue(ctx, passageKey{}, p)
	p.ctx = ctx
	in := r.WithContext(ctx)
	if in.Body != nil && in.Body != http.NoBody && in.ContentLength != 0 {
		body := &requestBody{ReadCloser: in.Body, limit: service.options.MaxBody, ctx: ctx, interrupt: control.SetReadDeadline}
		in.Body = body
		defer context.AfterFunc(ctx, body.expire)()
	}
	w.Header()["Content-Type"] = nil // an answer without one gets none made up by net/http
	defer p.letGo()
	f.proxy.ServeHTTP(w, in)
	p.answer = nil
}

// rewrite implements httputil.ReverseProxy.Rewrite.
func (f *forward) rewrite(pr *httputil.ProxyRequest) {
	ctx := pr.In.Context()
	passageOf(ctx).service.rewrite(pr, exchange.From(ctx).Target)
}

// Get implements [httputil.BufferPool].
func (f *forward) Get() []byte { return f.buffers.Get().(*[copyBuffer]byte)[:] }

// Put implements [httputil.BufferPool].
func (f *forward) Put(b []byte) { f.buffers.Put((*[copyBuffer]byte)(b)) }
