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

var errPanic = errors.New("panic")

// ObserveOptions configures the observe stage.
type ObserveOptions struct {
	Replica string           // begins every request id; [a-z0-9]+
	Logger  *slog.Logger     // access log and panics; nil = silent
	Metrics *Metrics         // nil = none
	Audit   *Audit           // nil = none
	Recent  *Recent          // remembers exchanges; nil = none
	Now     func() time.Time // nil = time.Now
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
			ex.ID, ex.CallerRequestID, ex.Start = newRequestID(o.Replica), callerRequestID(r.Header), o.Now()
			ex.Peer = peerOf(r, o.TrustedProxies)
			s := &observation{options: &o, log: lines, ex: ex, out: recorder{ResponseWriter: w}, query: logged, id: [1]string{ex.ID}}
			w.Header()["X-Request-Id"] = s.id[:]
			in := r.WithContext(ctx)
			if r.Body != nil && r.Body != http.NoBody {
				s.in = &meter{ReadCloser: r.Body}
				in.Body = s.in
			}
			o.Metrics.exchangeBegins()
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
	s.options.Logger.LogAttrs(r.Context(), slog.LevelError, "panic in a stage",
		append([]slog.Attr{slog.String("request_id", s.ex.ID)}, PanicAttrs(thrown, debug.Stack())...)...)
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
		return "aborted" // not by the caller: the upstream broke off, or this gateway ended
	case s.status(r) == statusClientGone:
		return "client_gone"
	case errors.Is(s.ex.Aborted, context.Canceled):
		return "client_gone" // in the middle of an answer: no fault of the upstream
	case s.ex.Aborted != nil:
		return "aborted"
	default:
		return ""
	}
}

func (s *observation) finish(r *http.Request) {
	end := s.options.Now()
	duration := end.Sub(s.ex.Start)
	s.options.Metrics.exchangeEnds(r, s.ex, s.status(r), s.outcome(r), duration)
	s.log.write(s, r, end, duration)
	s.options.Audit.exchanged(r, s.ex, s.status(r))
	if s.options.Recent != nil && !s.ex.Self { // an answer is not to displace what it is about
		rec := s.record(r, duration)
		s.options.Recent.add(&rec)
	}
}
