package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"iqgateway/auth"
	"iqgateway/config"
	"iqgateway/internal/exchange"
	"iqgateway/proxy"
)

// explainQuery is a request that is not sent.
type explainQuery struct {
	caller, method, url  string
	credential, priority string
	body                 bool
}

// explanation says what the gateway would do with a request.
type explanation struct {
	Request    string       `json:"request"`
	Caller     string       `json:"caller"`
	Allowed    bool         `json:"allowed"`
	Verdict    string       `json:"verdict"`
	Refusal    *refusal     `json:"refusal,omitempty"`
	Facts      []fact       `json:"facts,omitempty"`
	Considered []considered `json:"considered,omitempty"`
}

// fact is one decision and where it comes from.
type fact struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Source string `json:"source,omitempty"`
}

// considered is one rule that was looked at.
type considered struct {
	Rule   string `json:"rule"`
	Chosen bool   `json:"chosen"`
	Reason string `json:"reason,omitempty"`
}

type refusal struct {
	Status int    `json:"status"`
	Type   string `json:"type"`
	Detail string `json:"detail"`
}

// inquiry is a request on its way through the inbound stages of a
// configuration, except that it is believed who the caller is.
type inquiry struct {
	cfg    *config.Config
	query  explainQuery
	router *proxy.Router
	policy *auth.Policy
	ex     *exchange.Exchange
	r      *http.Request

	tokenCall bool // the gateway's token endpoint answers it
}

// explain takes the request through the very stages that a caller's request
// meets.
func explain(cfg *config.Config, q explainQuery) (explanation, error) {
	if _, ok := cfg.Callers[q.caller]; !ok {
		return explanation{}, usageError{fmt.Errorf("no caller %q in the configuration", q.caller)}
	}
	i := &inquiry{cfg: cfg, query: q, ex: &exchange.Exchange{}, policy: auth.NewPolicy(callers(cfg))}
	var err error
	if i.router, err = proxy.NewRouter(proxy.RouterOptions{Environments: routeEnvironments(cfg), Refuse: i.refuse}); err != nil {
		return explanation{}, configError{err}
	}
	e := explanation{Request: q.method + " " + q.url, Caller: q.caller}
	if i.r, err = q.request(cfg.Server.Hosts, i.router.NativeHost); err != nil {
		i.ex.Problem = exchange.Refuse(exchange.MalformedRequest, "the server cannot read it: "+err.Error())
	} else {
		i.pass()
		e.Facts, e.Considered = i.findings()
	}
	e.Allowed, e.Verdict = i.ex.Problem == nil, i.verdict()
	if p := i.ex.Problem; p != nil {
		e.Refusal = &refusal{p.Status(), string(p.Type), p.Detail}
	}
	return e, nil
}

func (i *inquiry) verdict() string {
	switch p := i.ex.Problem; {
	case p != nil:
		return fmt.Sprintf("refused: %d %s: %s", p.Status(), p.Type, p.Detail)
	case i.tokenCall:
		return "allowed: the gateway's own token endpoint would answer it, with a token for the caller and key that it names"
	case i.ex.Target.Session:
		return "allowed: the gateway would answer it from a session call of its own"
	default:
		return "allowed: it would be sent upstream"
	}
}

// request writes q as a client would and reads it as the server does. A path
// alone is meant for the gateway's own name.
func (q explainQuery) request(own []string, native func(host string) bool) (*http.Request, error) {
	host, target := append(own, "127.0.0.1")[0], q.url
	if scheme, rest, ok := strings.Cut(q.url, "://"); ok && !strings.HasPrefix(q.url, "/") {
		end := strings.IndexAny(rest+"/", "/?#")
		host, target = rest[:end], rest[end:]
		if !strings.HasPrefix(target, "/") {
			target = "/" + target
		}
		if scheme == "http" && native(host) {
			target = q.url // a client of HTTP_PROXY sends the whole URL
		}
	}
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\n", q.method, target, host)
	if q.credential != "" {
		head += "X-Gateway-Credential: " + q.credential + "\r\n"
	}
	if q.priority != "" {
		head += "X-Request-Priority: " + q.priority + "\r\n"
	}
	if q.body {
		head += "Content-Length: 1\r\n"
	}
	return http.ReadRequest(bufio.NewReader(strings.NewReader(head + "\r\nx")))
}

// pass runs the inbound stages up to authorize; what they decide is in the
// exchange.
func (i *inquiry) pass() {
	believed := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			i.ex.Caller = i.policy.Caller(i.query.caller)
			next.ServeHTTP(w, r)
		})
	}
	// A caller that is to bring a token of its own does.
	brings := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if d, _ := i.policy.Decide(i.asked()); d.Credential == passthrough {
				i.ex.Own = anyToken{}
			}
			next.ServeHTTP(w, r)
		})
	}
	absolute := !strings.HasPrefix(i.r.RequestURI, "/")
	stages := chain[http.Handler](
		proxy.Sanitize(sanitizeOptions(i.cfg, i.router, absolute, i.refuse)),
		i.endpoint,
		believed,
		i.router.Route,
		brings,
		auth.Authorize(auth.AuthorizeOptions{Policy: i.policy, Refuse: i.refuse, Now: time.Now}),
	)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	stages.ServeHTTP(httptest.NewRecorder(), i.r.WithContext(exchange.With(context.Background(), i.ex)))
}

// endpoint ends where the gateway's token endpoint does.
func (i *inquiry) endpoint(next http.Handler) http.Handler {
	asks := isTokenCall(i.router)
	off := auth.TokenEndpoint(auth.TokenEndpointOptions{Asks: asks, Refuse: i.refuse})(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch i.tokenCall = i.cfg.Auth.TokenEndpoint.Enabled && r.Method == http.MethodPost && asks(r); {
		case i.tokenCall:
		case i.cfg.Auth.TokenEndpoint.Enabled:
			next.ServeHTTP(w, r)
		default:
			off.ServeHTTP(w, r)
		}
	})
}

// asked is what the policy is asked about a request that is routed.
func (i *inquiry) asked() auth.Request {
	q, t := i.query, i.ex.Target
	return auth.Request{
		Caller: q.caller, Target: t, Method: q.method, Path: t.Path, Credential: q.credential, Priority: q.priority, Now: time.Now(),
	}
}

// anyToken stands for a token that a caller would bring.
type anyToken struct{}

// Authorize implements [exchange.Authorizer].
func (anyToken) Authorize(http.Header) {}

func (i *inquiry) refuse(w http.ResponseWriter, _ *http.Request, err error) {
	p, ok := errors.AsType[*exchange.Problem](err)
	if !ok {
		p = exchange.Refuse(exchange.InternalError, err.Error())
	}
	i.ex.Problem = p
	w.WriteHeader(p.Status())
}

// findings are the facts and rules of the service that the request names, also
// when it was refused there.
func (i *inquiry) findings() ([]fact, []considered) {
	if i.ex.Caller == nil { // refused before anyone asked where it goes
		return nil, nil
	}
	environment, name, rules, ok := i.router.Rules(proxy.RequestOf(i.r, i.ex))
	if !ok {
		return nil, nil
	}
	env, _ := i.cfg.Environment(environment)
	service, _ := env.Service(name)
	f := facts{cfg: i.cfg, env: env, service: service, ex: i.ex, query: i.query, rules: rules}
	list := f.consideredRules()
	if i.ex.Target == nil {
		return f.place(), list
	}
	list = append(list, f.consideredAccess(i.policy)...)
	return f.all(), append(list, consideredCache(service, i.ex.Target.Path)...)
}
