package proxy

import (
	"cmp"
	"net/http"
	"net/url"
	"time"

	"iqgateway/internal/exchange"
)

// ServiceSession says what of an upstream's session the gateway keeps on behalf
// of callers. The zero value keeps nothing.
type ServiceSession struct {
	// Cookies keeps the upstream's cookies and sends them with later requests
	// of the same credential to the same host.
	Cookies bool
	// PreferredEndpoint sends the requests of a credential to the host that the
	// upstream's session document names for it, as far as that host belongs to
	// the environment.
	PreferredEndpoint bool
	// Account names the account that a credential stands for right now: equal
	// for equal accounts, and no secret. ok is false for a credential without a
	// session (callers that bring their own token). nil = all have one.
	Account func(credential string) (name string, ok bool)
}

// session returns the key of a credential's session with the service of t; ok
// is false when there is no such session. The service may be nil all the same.
func (s Services) session(t *exchange.Target, credential string) (key SessionKey, service *Service, ok bool) {
	key = SessionKey{Environment: t.Environment, Service: t.Service, Upstream: t.Upstream.String(), Credential: credential}
	service = s[ServiceName{t.Environment, t.Service}]
	if service == nil || service.options.Session.Account == nil {
		return key, service, true
	}
	key.Account, ok = service.options.Session.Account(credential)
	return key, service, ok
}

// visit is an attempt's part in the upstream's session; its zero value is that
// of an attempt without one.
type visit struct {
	session *session // nil = none
	keeps   bool     // cookies
	origin  *url.URL // preferred host in use; nil = the configured one
	sent    []cookie
}

// visit joins the session that the attempt belongs to: that of the account
// whose token it has got, however new that is. It may wait, once per session,
// for what the other replicas know.
func (n *run) visit(sessions *Sessions, services Services, authorizer exchange.Authorizer) visit {
	o := n.service.options.Session
	if sessions == nil || !o.Cookies && !o.PreferredEndpoint || n.info.Credential == "" {
		return visit{}
	}
	t := n.exchange.Target
	key, _, ok := services.session(t, n.info.Credential)
	if !ok {
		return visit{}
	}
	key.Account = cmp.Or(exchange.AccountOf(authorizer), key.Account)
	v := visit{session: sessions.of(key, t.Upstream), keeps: o.Cookies}
	v.session.ready(n.ctx)
	if o.PreferredEndpoint {
		v.origin = v.session.preferred()
	}
	return v
}

// direct points the attempt at the preferred host, or else at the configured
// one.
func (n *run) direct() error {
	if n.session.origin != nil {
		if n.aim(n.session.origin) == nil {
			return nil
		}
		n.session.origin = nil // the generation has ended, and its pools with it
	}
	return n.aim(nil)
}

// aim chooses the connections for origin, nil for the configured host, and the
// URL to go with them.
func (n *run) aim(origin *url.URL) error {
	pool, target, to := n.service.options.Pool, *n.request.URL, n.exchange.Target.Upstream
	if origin != nil {
		var err error
		if pool, err = pool.beside(origin); err != nil {
			return err
		}
		moved := *to
		moved.Scheme, moved.Host = origin.Scheme, origin.Host
		target.Scheme, target.Host, to = origin.Scheme, origin.Host, &moved
	}
	wire, err := wireURL(&target, pool.plainProxied())
	if err != nil {
		return err
	}
	transport, err := pool.For(n.identity())
	if err != nil {
		return err
	}
	n.transport, n.wire = transport, wire
	n.exchange.Upstream, n.info.Host = to, to.Host
	return nil
}

// identity names whose connections the attempt uses.
func (n *run) identity() string {
	if n.exchange.Own == nil || n.exchange.Caller == nil || n.info.Credential == "" {
		return n.info.Credential
	}
	return n.info.Credential + " of " + n.exchange.Caller.Name // no credential has a space in its name
}

// address writes into the request what belongs to the host that it goes to.
func (n *run) address() {
	n.out.URL = n.wire
	if n.out.Host = n.request.Host; n.session.origin != nil {
		n.out.Host = n.session.origin.Host
	}
	delete(n.out.Header, "Cookie")
	if !n.session.keeps {
		return
	}
	field, sent := n.session.session.cookies(n.wire, n.requestPath())
	n.session.sent = sent
	if field != "" {
		n.out.Header["Cookie"] = []string{field}
	}
}

func (n *run) requestPath() string {
	if raw := n.request.URL.RawPath; raw != "" {
		return raw
	}
	return n.request.URL.EscapedPath()
}

// fallBack turns an attempt that got no connection to the preferred host to the
// configured one: nothing was sent. The others do not try that host either.
func (n *run) fallBack(body *sentBody) bool {
	origin := n.session.origin
	if origin == nil || n.trace.connected() || n.ctx.Err() != nil || body != nil && !body.Revoke() {
		return false
	}
	n.session.session.dropEndpoint(origin, DropConnect)
	n.session.origin = nil
	if n.aim(nil) != nil {
		return false
	}
	n.address()
	return true
}

// slowConnect is how long a caller's own deadline must have waited for a
// connection before its end speaks against the host.
const slowConnect = time.Second

// broken drops a preferred host on whose new connection no answer came, or
// which left the request without a connection until nobody waited any more. A
// kept connection may die between two requests, and a slow report is no fault.
func (n *run) broken(kind FailureKind) {
	v := n.session
	if v.origin == nil {
		return
	}
	switch kind {
	case FailedReset, FailedProtocol:
		if !n.trace.onReused() {
			v.session.dropEndpoint(v.origin, DropBroken)
		}
	case FailedDeadline, FailedCallerTime, FailedCallerGone:
		if !n.trace.connected() && n.now().Sub(n.start) >= slowConnect {
			v.session.dropEndpoint(v.origin, DropConnect)
		}
	default:
	}
}

// answered takes from an answer what is the session's.
func (n *run) answered(res *http.Response) {
	fields := takeSetCookie(res.Header)
	v := n.session
	switch {
	case !v.keeps:
	case res.StatusCode == http.StatusUnauthorized:
		v.session.rejected(n.wire, v.sent)
	default:
		v.session.learnCookies(n.wire, n.requestPath(), fields)
	}
}
