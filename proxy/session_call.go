package proxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"iqgateway/internal/exchange"
)

// call returns the gateway's own session call for the account of ex. It runs in
// the background, so it has an exchange of its own.
func (s *sessionStage) call(ex *exchange.Exchange) sessionCall {
	target := *ex.Target
	target.Path, target.RawQuery, target.HasQuery = sessionPath, "", false
	target.Route = "/" + target.Environment + "/" + target.Service + sessionPath
	target.Session, target.Write = true, false
	own := exchange.Exchange{ID: ex.ID, Start: ex.Start, Caller: ex.Caller, Credential: ex.Credential, Class: ex.Class}
	return func(ctx context.Context) (sessionAnswer, error) {
		mine, t := own, target
		mine.Target = &t
		return s.fetch(exchange.With(ctx, &mine), &mine)
	}
}

// fetch makes the session call. When it is the preferred host that has none to
// give, the attempt stage has dropped it, and the configured one is asked.
func (s *sessionStage) fetch(ctx context.Context, ex *exchange.Exchange) (sessionAnswer, error) {
	answer, status, err := s.ask(ctx, ex)
	preferred := ex.Upstream != nil && ex.Upstream != ex.Target.Upstream
	if preferred && (status == 0 || endsPreference(status)) && ctx.Err() == nil {
		answer, _, err = s.ask(ctx, ex)
	}
	return answer, err
}

// endsPreference reports whether a preferred host that answers the session call
// so is no longer used.
func endsPreference(status int) bool {
	return status == http.StatusNotFound || status >= http.StatusInternalServerError
}

// ask makes one request for the session document.
func (s *sessionStage) ask(ctx context.Context, ex *exchange.Exchange) (answer sessionAnswer, status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "", nil)
	if err != nil {
		return sessionAnswer{}, 0, fmt.Errorf("session: %w", err)
	}
	req.URL, req.Host = upstreamURL(ex.Target), ex.Target.Upstream.Host
	req.Header = http.Header{"Accept": {"application/json"}, "User-Agent": {""}, "Via": {via}}

	res, err := s.options.Transport.RoundTrip(req)
	if err != nil {
		return sessionAnswer{}, 0, err
	}
	defer func() { _ = res.Body.Close() }()
	if err := checkStatus(res, ex.Target); err != nil {
		return sessionAnswer{}, res.StatusCode, err
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
	return answer, res.StatusCode, err
}
