package proxy

import (
	"context"
	"net/http"
	"time"

	"iqgateway/internal/exchange"
)

// SanitizeOptions sets what the gateway accepts at all.
type SanitizeOptions struct {
	// Hosts are the gateway's own names (server.hosts), under which the path
	// form works. Empty = every name that NativeHost does not claim.
	Hosts []string
	// NativeHost reports whether a host, in canonical form, is an upstream's
	// (see [Router.NativeHost]); nil = none is.
	NativeHost func(host string) bool
	// SameCertificate reports whether one certificate serves both names. A
	// request whose Host differs from the TLS server name is answered 421
	// unless it does (RFC 9110 section 7.4: a connection may be reused only
	// for names that its certificate covers). nil = never.
	SameCertificate func(serverName, host string) bool
	// AllowAbsolute accepts GET http://{native host}/… (HTTP_PROXY). Only for
	// a listener that strangers cannot reach: keys travel in the clear.
	AllowAbsolute bool

	// Pseudonym is the gateway's name in Via, by which it recognises its own
	// requests. Default [Pseudonym].
	Pseudonym string

	// MaxURI and MaxHeader in bytes (default 16 KiB and 32 KiB); MaxFields
	// is the number of header lines (default 100).
	MaxURI, MaxHeader, MaxFields int
	// MaxBody in bytes; 0 = no limit here (a service may have its own).
	MaxBody int64
	// BodyIdleTimeout and WriteIdleTimeout bound the time in which the caller
	// neither sends the next byte of its body, nor takes the next bytes of
	// the answer. Default 30 s each. The whole of a transfer has no limit.
	BodyIdleTimeout, WriteIdleTimeout time.Duration
	// MaxDeadline bounds X-Request-Timeout-Ms. Default 10 min.
	MaxDeadline time.Duration

	// CredentialParameters are query parameters that the upstream would take
	// for credentials, in lower case. Default auth and access_token.
	CredentialParameters []string

	// Refuse answers refused requests; the error is an *exchange.Problem.
	// Required.
	Refuse func(http.ResponseWriter, *http.Request, error)
}

func (o SanitizeOptions) withDefaults() SanitizeOptions {
	setDefault(&o.Pseudonym, Pseudonym)
	setDefault(&o.MaxURI, 16<<10)
	setDefault(&o.MaxHeader, 32<<10)
	setDefault(&o.MaxFields, 100)
	setDefault(&o.BodyIdleTimeout, 30*time.Second)
	setDefault(&o.WriteIdleTimeout, 30*time.Second)
	setDefault(&o.MaxDeadline, 10*time.Minute)
	if o.CredentialParameters == nil {
		o.CredentialParameters = []string{"auth", "access_token"}
	}
	if o.NativeHost == nil {
		o.NativeHost = func(string) bool { return false }
	}
	if o.SameCertificate == nil {
		o.SameCertificate = func(string, string) bool { return false }
	}
	return o
}

func setDefault[T comparable](value *T, standard T) {
	var zero T
	if *value == zero {
		*value = standard
	}
}

// callerDeadlineError is the cause of a context that X-Request-Timeout-Ms ended.
type callerDeadlineError struct{ after time.Duration }

func (e callerDeadlineError) Error() string {
	return "the caller's own deadline (X-Request-Timeout-Ms) passed after " + e.after.String()
}

// Is makes it a context.DeadlineExceeded.
func (callerDeadlineError) Is(target error) bool { return target == context.DeadlineExceeded }

// Sanitize is stage 2: what it lets through means the same to every server on
// the way. What the gateway would have to change is refused; hop-by-hop fields
// and trailers, which are ours to consume, are removed. It also guards the
// caller's side of the transfer: body size, progress in both directions.
//
// It sets the exchange's Form and NoWait.
func Sanitize(o SanitizeOptions) func(http.Handler) http.Handler {
	s := &sanitizer{SanitizeOptions: o.withDefaults(), hosts: make(map[string]bool)}
	for _, h := range o.Hosts {
		if name, err := canonicalHost(h); err == nil {
			s.hosts[name] = true
		}
	}
	return func(next http.Handler) http.Handler {
		return stage{s, next}
	}
}

type sanitizer struct {
	SanitizeOptions

	hosts map[string]bool // canonical
}

// stage is a sanitizer in front of a handler.
type stage struct {
	*sanitizer

	next http.Handler
}

// ServeHTTP implements http.Handler.
func (s stage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	gw := s.guardResponse(w, r)
	defer gw.finish()

	form, problem := s.check(r)
	if problem == nil && mustBeEmpty(r) && gw.body != nil {
		problem = gw.body.checkEmpty(r)
	}
	if problem != nil {
		s.refuse(gw, r, problem)
		return
	}
	ctx, cancel, problem := s.deadline(r.Context(), r.Header)
	if problem != nil {
		s.refuse(gw, r, problem)
		return
	}
	defer cancel()
	ex := exchange.From(ctx)
	ex.Form = form
	if ex.NoWait, problem = noWait(r.Header); problem != nil {
		s.refuse(gw, r, problem)
		return
	}

	s.next.ServeHTTP(gw, forwardable(ctx, r, gw.body))
}

// refuse answers a request that is not served. On HTTP/1 the connection ends:
// whoever sent this may disagree with us about where the next request begins.
// On HTTP/2 it ends with a tunnel alone.
func (s *sanitizer) refuse(w *responseGuard, r *http.Request, p *exchange.Problem) {
	if r.ProtoMajor == 1 || p.Type == exchange.ConnectNotSupported {
		p.Close = true
		w.closeAfter = true
	}
	if p.Type == exchange.ConnectNotSupported && r.ProtoMajor == 1 {
		s.refuseConnect(w, r, p)
		return
	}
	s.Refuse(w, r, p)
}

// forwardable returns the request as later stages see it: a copy, so that
// trailers that net/http adds to the original at the end of the body go nowhere.
// A request without a body that needs no change is itself.
func forwardable(ctx context.Context, r *http.Request, body *bodyGuard) *http.Request {
	header := endToEnd(r.Header)
	if r.Body == http.NoBody && body == nil && ctx == r.Context() && len(header) == len(r.Header) && !mustBeEmpty(r) && r.Trailer == nil {
		return r
	}
	clean := r.WithContext(ctx)
	clean.Header = header
	clean.Trailer = nil
	switch {
	case mustBeEmpty(r): // and is, or it would not be here
		clean.Body, clean.ContentLength = http.NoBody, 0
	case body != nil:
		clean.Body = body
	}
	return clean
}
