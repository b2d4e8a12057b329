package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"iqgateway/internal/exchange"
)

// maxSession bounds the upstream's session document in bytes; a real one has
// less than 2 KiB.
const maxSession = 64 << 10

// sessionTimeout bounds the gateway's own session call. The service's timeouts
// are made for reports that run for minutes.
const sessionTimeout = 30 * time.Second

// SessionOptions configure the session stage.
type SessionOptions struct {
	// Transport is the first of the outbound stages; required.
	Transport http.RoundTripper
	// Services are the upstreams; nil = none has a session to be kept.
	Services Services
	// Sessions holds what is learned; nil keeps documents for a minute and
	// learns nothing that outlives the generation.
	Sessions *Sessions
	// Locations are the upstreams of all services: no session is sent to the
	// host of another one. nil = no other is known.
	Locations *Locations
	// Errors renders failures; required.
	Errors *Errors
	// Headers says how much the gateway adds to answers.
	Headers HeaderMode
}

// sessionStage answers requests for DataConnect's /session.
type sessionStage struct {
	options SessionOptions
	next    http.Handler
}

// NewSession returns the stage that answers targets marked Session itself and
// leaves all others to next.
//
// DataConnect's session document holds the access token, and its parameters
// (Response, Email.To) can have it mailed out. So the caller's request is never
// forwarded: the gateway asks by itself, without any parameter, and answers
// with the harmless fields alone. One call, at most one a minute, serves all
// callers that share a credential.
//
// The stage also asks in the background, after requests that succeeded, which
// host the upstream prefers.
func NewSession(o SessionOptions) func(next http.Handler) http.Handler {
	if o.Sessions == nil {
		o.Sessions = NewSessions(SessionsOptions{})
	}
	return func(next http.Handler) http.Handler {
		return &sessionStage{options: o, next: next}
	}
}

// ServeHTTP implements [http.Handler].
func (s *sessionStage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ex := exchange.From(r.Context())
	if ex.Target == nil || !ex.Target.Session {
		s.next.ServeHTTP(w, r)
		if ex.Target != nil {
			s.learn(ex)
		}
		return
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost: // the upstream takes GET and POST alike
	default:
		p := exchange.Refuse(exchange.MethodNotAllowed, "the session is read with GET")
		p.Header = http.Header{"Allow": {"GET, HEAD, POST"}}
		s.options.Errors.Refuse(w, r, p)
		return
	}
	document, err := s.read(r.Context(), ex)
	if err != nil {
		s.options.Errors.Refuse(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(document)))
	s.options.Headers.add(h, ex, http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(document) // a caller that has left needs no answer
	}
}

// read returns the session document for the caller of ex.
func (s *sessionStage) read(ctx context.Context, ex *exchange.Exchange) ([]byte, error) {
	key, service, shared := s.options.Services.session(ex.Target, ex.Credential)
	if !shared { // the caller's own token: nobody else may see what it brings
		n := s.options.Sessions.private(key, ex.Target.Upstream)
		return n.read(ctx, s.call(n, ex), false)
	}
	n := s.options.Sessions.of(key, ex.Target.Upstream)
	learn := service != nil && service.options.Session.PreferredEndpoint
	return n.read(ctx, s.call(n, ex), learn)
}

// learn has the upstream asked which host it prefers, when it is time to and
// the exchange shows that it answers.
func (s *sessionStage) learn(ex *exchange.Exchange) {
	if ex.UpstreamStatus == 0 || ex.Target.Authentication != authBearer || ex.Target.Policy == policyAnonymous {
		return
	}
	key, service, ok := s.options.Services.session(ex.Target, ex.Credential)
	if !ok || service == nil || !service.options.Session.PreferredEndpoint {
		return
	}
	doubt := viaPreferred(ex) && speaksAgainst(ex.UpstreamStatus)
	if ex.UpstreamStatus/100 == 2 || doubt {
		n := s.options.Sessions.of(key, ex.Target.Upstream)
		if n.due(doubt) {
			n.refresh(s.call(n, ex), doubt)
		}
	}
}

// speaksAgainst reports whether a preferred host that answers so should be asked
// for the session again: it may have lost its way to the database, or know our
// tokens no more.
func speaksAgainst(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// readSession takes a session document apart. Of its fields callers may see those
// that are known to be harmless: a new kind of token in it stays here.
func readSession(body []byte) (sessionAnswer, error) {
	if len(body) > maxSession {
		return sessionAnswer{}, sessionProblem(errors.New("longer than 64 KiB"))
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		// The decoder's text quotes the body; only its kind is kept.
		return sessionAnswer{}, sessionProblem(fmt.Errorf("no JSON object (%T)", err))
	}
	var answer sessionAnswer
	public := make(map[string]any, len(fields))
	for name, value := range fields {
		known := publicField(name)
		if known == "" || !isScalar(value) {
			continue
		}
		public[known] = value
		if known == preferredField {
			_ = json.Unmarshal(value, &answer.preferred) // what is no text names no host
		}
	}
	answer.public = append(encodeJSON(public), '\n')
	return answer, nil
}

// preferredField names the host that the upstream prefers.
const preferredField = "PreferredEndpoint"

// publicField returns the documented spelling of a harmless field, "" for all
// others: access_token, basic_token, what may be added, and Username, which is
// half of the shared account's login.
func publicField(name string) string {
	for _, known := range []string{"isValid", "ParentEntityId", "RQEmployeeId", preferredField} {
		if strings.EqualFold(known, name) {
			return known
		}
	}
	return ""
}

// isScalar keeps nested values out: nobody has looked at what they hold.
func isScalar(value json.RawMessage) bool {
	return len(value) > 0 && value[0] != '{' && value[0] != '['
}

func sessionProblem(err error) error {
	return exchange.Refuse(exchange.UpstreamProtocol, "the upstream's session document could not be read").Because(err)
}
