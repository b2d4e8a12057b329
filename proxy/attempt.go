package proxy

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"iqgateway/internal/exchange"
)

// maxStale bounds how many dead pooled connections one attempt steps over.
const maxStale = 8

// AttemptInfo describes one finished attempt. All names in it come from the
// configuration and are fit for metric labels.
type AttemptInfo struct {
	Environment string
	Service     string
	Credential  string // "" when it went out without one
	Host        string // that was asked: the upstream's, or the one that it prefers
	Method      string
	Route       string
	Status      int // 0 when no answer came
	Kind        FailureKind
	Resends     int           // times that the transport itself sent the request again, which it should not
	HeaderTime  time.Duration // until the answer's header; 0 when none came
	Duration    time.Duration // until the end of the answer's body
	HTTP2       bool
}

// AttemptHooks observe attempts; a nil func is silent. They must not block.
type AttemptHooks struct {
	// Done is called once per attempt, when the body of its answer has ended
	// or was closed. ctx is that of the request.
	Done func(ctx context.Context, info AttemptInfo)
}

// AttemptOptions configure the attempt stage.
type AttemptOptions struct {
	// Services are the upstreams; required.
	Services Services
	// Sessions holds cookies and preferred hosts; nil = none are kept.
	Sessions *Sessions
	// Hooks are called about every attempt.
	Hooks AttemptHooks
	// Now is the clock of durations; default [time.Now].
	Now func() time.Time
}

// attempts is stage 14.
type attempts struct{ options AttemptOptions }

// NewAttempt returns the stage that sends one request upstream. The exchange's
// Target and Credential choose the connection, [exchange.AuthorizerFrom] writes
// the only Authorization field.
//
// It never repeats a request of which anything may have left this machine, nor
// does net/http below it. Errors are problems whose outcome says whether an
// unsafe request may have been executed, or wrap [ErrCallerGone].
func NewAttempt(o AttemptOptions) http.RoundTripper {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &attempts{options: o}
}

// run is one attempt under way.
type run struct {
	hooks     AttemptHooks
	now       func() time.Time
	exchange  *exchange.Exchange
	request   *http.Request // as it was given to the stage
	out       *http.Request // as it is sent
	wire      *url.URL      // of out
	service   *Service
	session   visit
	transport http.RoundTripper
	ctx       context.Context //nolint:containedctx // the attempt's own; ends with it
	cancel    context.CancelCauseFunc
	trace     connTrace
	upload    uploadWatch
	start     time.Time
	info      AttemptInfo
	span      exchange.SpanID
	body      *exchange.BodyEnd // of the answer; nil = none has come
}

// RoundTrip implements [http.RoundTripper].
func (a *attempts) RoundTrip(r *http.Request) (*http.Response, error) {
	run, err := a.begin(r)
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	res, err := run.send()
	if err == nil && run.ctx.Err() != nil {
		// The answer has overtaken the end of the attempt: the caller left, or
		// there were too many interim answers before it.
		_ = res.Body.Close()
		err = context.Cause(run.ctx)
	}
	if err != nil {
		return nil, run.fail(err)
	}
	return run.answer(res), nil
}

// begin prepares an attempt without touching the network.
func (a *attempts) begin(r *http.Request) (*run, error) {
	ex := exchange.From(r.Context())
	if ex.Target == nil {
		return nil, errors.New("attempt: the request was not routed")
	}
	service, err := a.options.Services.of(ex.Target.Environment, ex.Target.Service)
	if err != nil {
		return nil, err
	}
	n := &run{hooks: a.options.Hooks, now: a.options.Now, exchange: ex, request: r, service: service, span: exchange.NewSpanID()}
	n.info = AttemptInfo{
		Environment: ex.Target.Environment, Service: ex.Target.Service, Route: ex.Target.Route, Method: r.Method,
	}
	authorizer := exchange.AuthorizerFrom(r.Context())
	if authorizer != nil {
		n.info.Credential = ex.Credential
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	n.ctx, n.cancel = ctx, cancel
	n.trace.cancel, n.trace.upload = cancel, &n.upload
	if r.Body != nil && r.Body != http.NoBody {
		n.upload.arm(service.options.BodyIdle, cancel)
	}
	n.out = n.outgoing(ctx, r, authorizer)
	ex.Account = exchange.AccountOf(authorizer)
	n.session = n.visit(a.options.Sessions, a.options.Services, authorizer)
	if err := n.direct(); err != nil {
		cancel(nil)
		return nil, err
	}
	n.address()
	return n, nil
}

// end releases what the attempt holds and reports it.
func (n *run) end(kind FailureKind) {
	n.cancel(nil)
	n.upload.end()
	n.info.Kind = kind
	n.info.Resends = n.trace.resends()
	n.info.Duration = n.now().Sub(n.start)
	if n.body != nil {
		n.body.Set(n.info.Duration, string(kind))
	}
	if n.hooks.Done != nil {
		n.hooks.Done(n.request.Context(), n.info)
	}
}
