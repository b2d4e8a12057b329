package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
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
	Refusal    *refusal     `json:"refusal,omitempty"`
	Facts      []fact       `json:"facts"`
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

// explain takes the request through the very stages that a caller's request
// meets, except that it is believed who the caller is.
func explain(cfg *config.Config, q explainQuery) (explanation, error) {
	if _, ok := cfg.Callers[q.caller]; !ok {
		return explanation{}, usageError{fmt.Errorf("no caller %q in the configuration", q.caller)}
	}
	raw, target, err := q.request()
	if err != nil {
		return explanation{}, usageError{err}
	}
	ex, policy, err := decide(cfg, q.caller, raw)
	if err != nil {
		return explanation{}, err
	}
	e := explanation{Request: q.method + " " + target, Caller: q.caller, Allowed: ex.Problem == nil}
	if p := ex.Problem; p != nil {
		e.Refusal = &refusal{p.Status(), string(p.Type), p.Detail}
	}
	if ex.Target == nil {
		return e, nil
	}
	env, _ := cfg.Environment(ex.Target.Environment)
	service, _ := env.Service(ex.Target.Service)
	e.Facts = facts{cfg, env, service, ex, q}.all()
	e.Considered = consideredAccess(policy, ex, q)
	e.Considered = append(e.Considered, consideredCache(service, ex.Target.Path)...)
	return e, nil
}

// request writes q as a client would and reads it as the server does.
func (q explainQuery) request() (*http.Request, string, error) {
	u, err := url.Parse(q.url)
	if err != nil {
		return nil, "", fmt.Errorf("%q is no URL: %w", q.url, err)
	}
	host, target := "127.0.0.1", q.url
	if u.Host != "" {
		host = u.Host
		_, rest, _ := strings.Cut(q.url, "://")
		_, path, _ := strings.Cut(rest, "/")
		target = "/" + path
	}
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\n", q.method, target, host)
	if q.credential != "" {
		head += "X-Gateway-Credential: " + q.credential + "\r\n"
	}
	if q.priority != "" {
		head += "X-Request-Priority: " + q.priority + "\r\n"
	}
	if q.body || q.method == http.MethodPost || q.method == http.MethodPut || q.method == http.MethodPatch {
		head += "Content-Length: 1\r\n"
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head + "\r\nx")))
	if err != nil {
		return nil, "", fmt.Errorf("%s %s cannot be sent as a request: %w", q.method, q.url, err)
	}
	return r, target, nil
}

// decide runs the inbound stages up to authorize and returns what they left.
func decide(cfg *config.Config, caller string, r *http.Request) (*exchange.Exchange, *auth.Policy, error) {
	ex := &exchange.Exchange{}
	refuse := func(_ http.ResponseWriter, _ *http.Request, err error) {
		if p, ok := errors.AsType[*exchange.Problem](err); ok {
			ex.Problem = p
		}
	}
	router, err := proxy.NewRouter(proxy.RouterOptions{Environments: routeEnvironments(cfg), Refuse: refuse})
	if err != nil {
		return nil, nil, configError{err}
	}
	policy := auth.NewPolicy(callers(cfg))
	limits := cfg.Server.Limits
	believed := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ex.Caller = policy.Caller(caller)
			next.ServeHTTP(w, r)
		})
	}
	stages := chain[http.Handler](
		proxy.Sanitize(proxy.SanitizeOptions{
			NativeHost: router.NativeHost, MaxURI: int(limits.MaxURI), MaxHeader: int(limits.MaxHeader), Refuse: refuse,
		}),
		believed,
		router.Route,
		auth.Authorize(auth.AuthorizeOptions{Policy: policy, Refuse: refuse, Now: time.Now}),
	)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	stages.ServeHTTP(httptest.NewRecorder(), r.WithContext(exchange.With(context.Background(), ex)))
	return ex, policy, nil
}
