package observability

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"time"

	"iqgateway/internal/exchange"
)

// statusClientGone is logged, never sent: the caller left before an answer.
const statusClientGone = 499

// Outcomes of exchanges that were answered with no problem, and yet not well.
const (
	outcomeAborted       = "aborted"        // the answer was cut
	outcomeClientGone    = "client_gone"    // the caller left before its end
	outcomeUpstreamError = "upstream_error" // a 5xx of the upstream that was passed on whole
)

var errPanic = errors.New("panic")

// ObserveOptions configures the observe stage.
type ObserveOptions struct {
	Replica string           // begins every request id; [a-z0-9]+
	Config  string           // hash of the configuration that serves; "" = not told
	Logger  *slog.Logger     // access log and panics; nil = silent
	Metrics *Metrics         // nil = none
	Audit   *Audit           // nil = none
	Recent  *Recent          // remembers exchanges; nil = none
	Tracing *Tracing         // decides which exchanges become traces; nil = none does
	Now     func() time.Time // nil = time.Now
	// Ended is told of each exchange, with the bytes of its answer; nil = silent. It
	// must not block.
	Ended func(ex *exchange.Exchange, bytesOut int64)
	// QueryParameters names the only parts of a query that are logged.
	QueryParameters []string
	// TrustedProxies are the networks whose X-Forwarded-For names the peer.
	TrustedProxies []netip.Prefix
	// Refuse answers a request whose handler panicked before it answered.
	Refuse func(http.ResponseWriter, *http.Request, error)
}

// Observe is stage 1: it makes the exchange, gives it our own request id, and
// leaves one access line and one measurement for it however it ends.
//
// A panic with http.ErrAbortHandler passes on, as only it cuts a response that
// must not look complete. Any other panic becomes a 500, or a cut response
// when the header is already out; the process goes on.
func Observe(o ObserveOptions) func(http.Handler) http.Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	logged, lines := newQueryFilter(o.QueryParameters), newAccessLog(o.Logger)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, ex := exchange.Begin(r.Context())
			ex.Trace, ex.CallerRequestID, ex.Start = o.Tracing.begin(r.Header), callerRequestID(r.Header), o.Now()
			ids := newNames(o.Replica, ex.Trace)
			ex.ID = ids.request
			ex.Peer = peerOf(r, o.TrustedProxies)
			s := &observation{options: &o, log: lines, ex: ex, out: recorder{ResponseWriter: w}, query: logged, id: [1]string{ex.ID}, names: ids}
			w.Header()["X-Request-Id"] = s.id[:]
			in := r.WithContext(ctx)
			if r.Body != nil && r.Body != http.NoBody {
				s.in = &meter{ReadCloser: r.Body}
				in.Body = s.in
			}
			s.running = o.Metrics.exchangeBegins(in)
			s.serve(next, in)
		})
	}
}

// observation is one request while it is being served.
type observation struct {
	options *ObserveOptions
	log     *accessLog
	ex      *exchange.Exchange
	out     recorder
	in      *meter // nil when there is no body
	query   queryFilter
	id      [1]string // the value of X-Request-Id
	names   names
	running *running // with requests like this one; nil = nobody counts
}

func (s *observation) serve(next http.Handler, r *http.Request) {
	defer func() {
		thrown := recover()
		if thrown != nil {
			s.handlePanic(r, thrown)
		}
		s.finish(r)
		if s.ex.Aborted != nil {
			s.tellStatus(r)
			panic(http.ErrAbortHandler)
		}
	}()
	next.ServeHTTP(&s.out, r)
}

// lastWord is how long the status of an answer that is about to be cut may take.
const lastWord = time.Second

// tellStatus sends the header of an answer of which net/http has sent nothing yet,
// before the answer is cut: the caller of a write is to learn what became of it.
// To HTTP/1.0 it would look like a whole answer.
func (s *observation) tellStatus(r *http.Request) {
	if s.out.status == 0 || r.Context().Err() != nil || !r.ProtoAtLeast(1, 1) {
		return
	}
	control := http.NewResponseController(&s.out)
	_ = control.SetWriteDeadline(time.Now().Add(lastWord))
	_ = control.Flush() // who is gone misses nothing
}

// handlePanic turns a panic into an answer, or marks the exchange as aborted.
func (s *observation) handlePanic(r *http.Request, thrown any) {
	err, isError := thrown.(error)
	if isError && errors.Is(err, http.ErrAbortHandler) {
		if s.ex.Aborted == nil {
			s.ex.Aborted = http.ErrAbortHandler
		}
		return
	}
	s.options.Metrics.Panicked(r.Context())
	s.options.Logger.LogAttrs(r.Context(), slog.LevelError, "panic in a stage", PanicAttrs(thrown, debug.Stack())...)
	if s.out.status != 0 || s.options.Refuse == nil {
		s.ex.Aborted = errPanic
		return
	}
	s.options.Refuse(&s.out, r, exchange.Refuse(exchange.InternalError, "The gateway failed on this request.").Because(errPanic))
}

// status returns what the caller got, or 499 when it left before an answer.
func (s *observation) status(r *http.Request) int {
	switch {
	case s.out.status != 0:
		return s.out.status
	case s.ex.Problem != nil:
		return s.ex.Problem.Status() // answered on the connection itself (CONNECT)
	case r.Context().Err() != nil || s.ex.Aborted != nil:
		return statusClientGone
	default:
		return http.StatusOK // net/http sends it for a handler that wrote nothing
	}
}

// outcome is the error of the exchange as a bounded label; "" = none.
func (s *observation) outcome(r *http.Request) string {
	switch {
	case s.ex.Problem != nil:
		return string(s.ex.Problem.Type)
	case s.ex.Aborted != nil && !errors.Is(s.ex.Aborted, context.Canceled) && !errors.Is(s.ex.Aborted, http.ErrAbortHandler):
		return outcomeAborted // not by the caller: the upstream broke off, or this gateway ended
	case s.status(r) == statusClientGone:
		return outcomeClientGone
	case errors.Is(s.ex.Aborted, context.Canceled):
		return outcomeClientGone // in the middle of an answer: no fault of the upstream
	case s.ex.Aborted != nil:
		return outcomeAborted
	case s.status(r) >= http.StatusInternalServerError: // without a problem it is not ours
		return outcomeUpstreamError
	default:
		return ""
	}
}

// errorName is an outcome as the label error.type names it. Of an error of the
// upstream that is the status, by OpenTelemetry's HTTP conventions.
func errorName(outcome string) string {
	if outcome == outcomeUpstreamError {
		return ""
	}
	return outcome
}

// ending is how an exchange ended.
type ending struct {
	at       time.Time
	duration time.Duration
	status   int
	outcome  string // "" = no error
	kept     bool   // it becomes a trace
}

func (s *observation) finish(r *http.Request) {
	o := s.options
	e := ending{at: o.Now(), status: s.status(r), outcome: s.outcome(r)}
	e.duration = e.at.Sub(s.ex.Start)
	e.kept = o.Tracing.keeps(s.ex, &e)
	measured := r.Context()
	if e.kept {
		measured = o.Tracing.exemplar(measured, s.ex.Trace)
	}
	o.Metrics.exchangeEnds(measured, s, r, e)
	if o.Ended != nil {
		o.Ended(s.ex, s.out.bytes)
	}
	s.log.write(s, r, e)
	o.Audit.exchanged(r, s.ex, e.status)
	s.remember(r, e)
}

// remember keeps the facts of the exchange for those who will ask about it.
func (s *observation) remember(r *http.Request, e ending) {
	recent := s.options.Recent != nil && !s.ex.Self // an answer is not to displace what it is about
	if !recent && !e.kept {
		return
	}
	rec := s.record(r, e)
	if recent {
		s.options.Recent.add(&rec)
	}
	if e.kept {
		s.options.Tracing.ended(r, s.ex, &rec)
	}
}
