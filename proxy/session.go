package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
// with the harmless fields alone.
func NewSession(o SessionOptions) func(next http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return &sessionStage{options: o, next: next}
	}
}

// ServeHTTP implements [http.Handler].
func (s *sessionStage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ex := exchange.From(r.Context())
	if ex.Target == nil || !ex.Target.Session {
		s.next.ServeHTTP(w, r)
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
	document, err := s.fetch(r, ex.Target)
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

// fetch makes the gateway's own session call.
func (s *sessionStage) fetch(r *http.Request, t *exchange.Target) ([]byte, error) {
	own := *t
	own.Path, own.RawQuery, own.HasQuery = "/session", "", false
	ctx, cancel := context.WithTimeoutCause(r.Context(), sessionTimeout, errTotal)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "", nil)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	req.URL, req.Host = upstreamURL(&own), own.Upstream.Host
	req.Header = http.Header{"Accept": {"application/json"}, "User-Agent": {""}, "Via": {via}}

	res, err := s.options.Transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if err := checkStatus(res, t); err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, exchange.Refuse(exchange.UpstreamProtocol,
			fmt.Sprintf("the upstream answered the gateway's session call with status %d", res.StatusCode))
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(io.LimitReader(res.Body, maxSession+1)); err != nil {
		return nil, sessionProblem(err)
	}
	return publicSession(body.Bytes())
}

// publicSession returns the fields of a session document that callers may see.
// What is not known to be harmless is left out, so that a new kind of token in
// it stays here.
func publicSession(body []byte) ([]byte, error) {
	if len(body) > maxSession {
		return nil, sessionProblem(errors.New("longer than 64 KiB"))
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		// The decoder's text quotes the body; only its kind is kept.
		return nil, sessionProblem(fmt.Errorf("no JSON object (%T)", err))
	}
	public := make(map[string]any, len(fields))
	for name, value := range fields {
		if known := publicField(name); known != "" && isScalar(value) {
			public[known] = value
		}
	}
	return append(encodeJSON(public), '\n'), nil
}

// publicField returns the documented spelling of a harmless field, "" for all
// others: access_token, basic_token, what may be added, and Username, which is
// half of the shared account's login.
func publicField(name string) string {
	for _, known := range []string{"isValid", "ParentEntityId", "RQEmployeeId", "PreferredEndpoint"} {
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
