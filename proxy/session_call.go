package proxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"iqgateway/internal/exchange"
)

// call returns the gateway's own session call for the account of ex, whose
// session is n. It runs in the background, so it has an exchange of its own.
func (s *sessionStage) call(n *session, ex *exchange.Exchange) sessionCall {
	target := *ex.Target
	target.Path, target.RawQuery, target.HasQuery = sessionPath, "", false
	target.Route = "/" + target.Environment + "/" + target.Service + sessionPath
	target.Session, target.Write = true, false
	own := exchange.Exchange{ID: ex.ID, Start: ex.Start, Caller: ex.Caller, Credential: ex.Credential, Own: ex.Own, Class: ex.Class}
	return func(ctx context.Context) (sessionAnswer, error) {
		mine, t := own, target
		mine.Target = &t
		return s.fetch(exchange.With(ctx, &mine), n, &mine)
	}
}

// fetch makes the session call. A preferred host that cannot answer it is
// dropped, and the configured one asked.
func (s *sessionStage) fetch(ctx context.Context, n *session, ex *exchange.Exchange) (sessionAnswer, error) {
	answer, status, err := s.ask(ctx, ex)
	if err == nil || !viaPreferred(ex) || ctx.Err() != nil || !endsPreference(status) {
		return answer, err
	}
	n.dropEndpoint(ex.Upstream, DropStatus)
	answer, _, err = s.ask(ctx, ex)
	return answer, err
}

// viaPreferred reports whether the last attempt of ex went to the host that the
// upstream's session prefers.
func viaPreferred(ex *exchange.Exchange) bool {
	return ex.Upstream != nil && ex.Upstream != ex.Target.Upstream
}

// endsPreference reports whether a preferred host that fails the session call
// so, 0 being no answer, is no longer used. Other 4xx are about the account, or
// about slots that are all taken.
func endsPreference(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusNotFound:
		return true
	}
	return status/100 != 4
}

// ask makes one request for the session document.
func (s *sessionStage) ask(ctx context.Context, ex *exchange.Exchange) (answer sessionAnswer, status int, err error) {
	res, err := own(ctx, s.options.Transport, ex.Target)
	if err != nil {
		return sessionAnswer{}, 0, err
	}
	defer func() { _ = res.Body.Close() }()
	if err := checkStatus(res, ex); err != nil {
		return sessionAnswer{}, res.StatusCode, err
	}
	if res.StatusCode == http.StatusUnauthorized && ex.Own != nil {
		return sessionAnswer{}, res.StatusCode, ownTokenRejected(res, ex.Target)
	}
	if res.StatusCode != http.StatusOK {
		return sessionAnswer{}, res.StatusCode, exchange.Refuse(exchange.UpstreamProtocol,
			fmt.Sprintf("the upstream answered the gateway's session call with status %d", res.StatusCode))
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(io.LimitReader(res.Body, maxSession+1)); err != nil {
		return sessionAnswer{}, res.StatusCode, sessionProblem(err)
	}
	answer, err = readSession(body.Bytes())
	answer.refused = s.refused(answer.preferred, ex.Target)
	return answer, res.StatusCode, err
}

// ownTokenRejected is about the upstream's token, as its challenge is (RFC 9110
// section 15.5.2 requires one): ours would be about the key.
func ownTokenRejected(res *http.Response, t *exchange.Target) *exchange.Problem {
	p := exchange.Refuse(exchange.OwnTokenRejected,
		t.Service+" did not accept the iQmetrix token that the request brought; your key is fine")
	challenge := res.Header["Www-Authenticate"]
	if challenge == nil {
		challenge = []string{`Bearer error="invalid_token"`} // RFC 6750 section 3.1
	}
	p.Header = http.Header{"Www-Authenticate": challenge}
	return p
}

// refused says why the host that the upstream prefers is not used, which only
// the generation knows: it is that of another service, or of another
// environment. nil leaves the rest to preferredOrigin.
func (s *sessionStage) refused(preferred string, t *exchange.Target) error {
	origin, err := preferredOrigin(preferred, t.Upstream)
	if err == nil && origin != nil && s.options.Locations.has(origin) {
		return fmt.Errorf("%w: it is the host of another service or environment", errEndpoint)
	}
	return nil
}
