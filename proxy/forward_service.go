package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"golang.org/x/net/http/httpguts"
)

// ServiceName names one service in one environment: an upstream.
type ServiceName struct {
	Environment string
	Service     string
}

// ServiceOptions is what forwarding must know of one upstream.
type ServiceOptions struct {
	// MaxBody is the largest request body in bytes; 0 means no limit of the
	// service's own.
	MaxBody int64
	// Total bounds the whole exchange, waiting for quota and reading the answer
	// included; 0 means no bound (exports that run for an hour).
	Total time.Duration
	// BodyIdle bounds one wait for further bytes of an answer's body, not its
	// whole length; 0 means that an upstream which stalls holds the request
	// until Total.
	BodyIdle time.Duration
	// ForwardHeaders names request fields that go upstream in addition to the
	// built-in list. Fields of credentials, framing and tracing are refused.
	ForwardHeaders []string
	// TrustedTracing sends traceparent and tracestate of each attempt upstream,
	// and the caller's baggage if that is well-formed and not above 8 KiB. Only
	// for upstreams of one's own: they tell a third party what calls what.
	TrustedTracing bool
	// Session says what of the upstream's session is kept.
	Session ServiceSession
	// Pool holds the connections; required.
	Pool *Pool
}

// Service is a checked ServiceOptions.
type Service struct {
	options ServiceOptions
	forward map[string]bool // canonical names of request fields that go upstream
}

// Services are the upstreams of one generation.
type Services map[ServiceName]*Service

// errNoService means a target that the router gave out but the generation does
// not know: a defect, not a caller's mistake.
var errNoService = errors.New("the target's service has no settings")

// NewService checks o. It refuses header names that are malformed or that the
// gateway must never forward.
func NewService(o ServiceOptions) (*Service, error) {
	if o.Pool == nil {
		return nil, errors.New("service: no connection pool")
	}
	s := &Service{options: o, forward: make(map[string]bool)}
	for _, name := range forwardedFields() {
		s.forward[name] = true
	}
	for _, name := range o.ForwardHeaders {
		canonical := http.CanonicalHeaderKey(name)
		if !httpguts.ValidHeaderFieldName(name) {
			return nil, fmt.Errorf("headers.forward: %q is not a field name; use letters, digits and hyphens", name)
		}
		switch canonical {
		case fieldTraceparent, fieldTracestate, fieldBaggage:
			return nil, fmt.Errorf("headers.forward: %s tells what calls what; set trusted_tracing of the environment instead", canonical)
		}
		if slices.Contains(neverForwarded(), canonical) {
			return nil, fmt.Errorf("headers.forward: %s carries credentials or framing and never goes upstream; remove it", canonical)
		}
		s.forward[canonical] = true
	}
	return s, nil
}

// of finds the settings of a target.
func (s Services) of(environment, service string) (*Service, error) {
	if found, ok := s[ServiceName{environment, service}]; ok {
		return found, nil
	}
	return nil, fmt.Errorf("%w: %s/%s", errNoService, environment, service)
}
