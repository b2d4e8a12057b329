package cache

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"

	"iqgateway/internal/exchange"
	"iqgateway/internal/pathpattern"
)

// Why the cache has nothing to do with a request: a closed set, fit for labels.
const (
	bypassMethod    = "method"    // neither a read nor a reading POST
	bypassWrite     = "write"     // it may change something
	bypassMode      = "mode"      // nothing of the service is stored
	bypassRule      = "rule"      // no rule stores it
	bypassSuggest   = "suggest"   // a rule would store it, but only counts
	bypassCaller    = "caller"    // its caller is never answered from the cache
	bypassAccount   = "account"   // whose answers it gets is not known
	bypassFields    = "fields"    // its selecting fields are too large
	bypassBody      = "body"      // its body has no canonical form, or is too large
	bypassCondition = "condition" // only the origin can judge it, or give the part that it wants
)

// passthrough is the credential of callers that bring their own token.
const passthrough = "passthrough"

// maxKeyedBody bounds the body of a reading POST that becomes part of a key, in
// bytes.
const maxKeyedBody = 1 << 20

// question is a request that the cache may answer.
type question struct {
	service   *Service
	rule      *Rule // nil in ModeRFC9111 where no rule matches
	route     Route
	key       Key
	selection selection
	want      want
	method    string // of the caller: GET, HEAD or POST
	body      []byte // of a reading POST
	account   string // whose answer it must be; "" = nobody's
	anonymous bool   // no credential goes upstream

	stored  *Object // what there is, if it may be used at all
	reason  string  // why it is no fresh hit
	refresh bool    // in the background: the upstream is to be asked

	stamps [2]string // values of Age and Content-Length
}

func (q *question) flight() flightKey { return flightKey{q.key, q.selection.text} }

// ask finds out whether the cache may answer a request, and why not. The error
// is that of reading the caller's body.
func (s *Stages) ask(ex *exchange.Exchange, r *http.Request) (q *question, why string, err error) {
	folded := ex.Target.Folded
	if folded == "" {
		if folded, err = pathpattern.Fold(ex.Target.Path); err != nil {
			return nil, bypassRule, nil //nolint:nilerr // no rule is about a path that cannot be read
		}
	}
	service, rule, why := s.keeps(ex, r.Method, folded)
	if why != "" {
		return nil, why, nil
	}
	q = &question{service: service, rule: rule, method: r.Method, anonymous: ex.Target.Policy == "anonymous"}
	t := ex.Target
	q.route = Route{Service: ServiceName{t.Environment, t.Service}, Path: folded, Query: t.RawQuery}
	parts := keyParts{
		Service: q.route.Service, Method: http.MethodGet, Path: t.Path, Query: t.RawQuery, HasQuery: t.HasQuery, Policy: t.Policy,
	}
	if !q.anonymous {
		account, ok := s.account(ex)
		if !ok || ex.Credential == passthrough {
			return nil, bypassAccount, nil
		}
		q.account = account
		parts.Credential, parts.Account = ex.Credential, account
	}
	parts.RuleVersion = service.Version
	if rule != nil {
		parts.RuleVersion = rule.Version // which changes with the service's
		if rule.PerCaller && ex.Caller != nil {
			parts.Caller = ex.Caller.Name
		}
	}
	if q.selection = selectFields(service, rule, r.Header); q.selection.refused {
		return nil, bypassFields, nil
	}
	if r.Method == http.MethodPost {
		parts.Method = http.MethodPost
		if why, err := q.keyBody(r, &parts); why != "" || err != nil {
			return nil, why, err
		}
	}
	q.key = parts.key()
	q.want = requestWants(service, rule, r.Header)
	return q, "", nil
}

// keeps finds the service and the rule for an exchange, or says why nothing is
// kept for it.
func (s *Stages) keeps(ex *exchange.Exchange, method, folded string) (service *Service, rule *Rule, why string) {
	t := ex.Target
	switch {
	case t.Write:
		return nil, nil, bypassWrite
	case method != http.MethodGet && method != http.MethodHead && method != http.MethodPost:
		return nil, nil, bypassMethod
	}
	service = s.o.Services[ServiceName{t.Environment, t.Service}]
	if service == nil || service.Mode == ModeNone {
		return nil, nil, bypassMode
	}
	rule = service.rule(t.Path, folded)
	switch {
	case rule == nil && (service.Mode == ModePolicy || method == http.MethodPost):
		return nil, nil, bypassRule
	case rule != nil && (rule.Never || rule.TTL <= 0 && service.Mode == ModePolicy):
		return nil, nil, bypassRule
	case s.o.Caller != nil && ex.Caller != nil && !s.o.Caller(ex.Caller.Name):
		return nil, nil, bypassCaller
	}
	return service, rule, ""
}

// rule returns the first rule that matches a path; nil = none does. A rule that
// forbids matches as the upstream reads paths: decoded, in any case.
func (s *Service) rule(path, folded string) *Rule {
	for i := range s.Rules {
		r := &s.Rules[i]
		if r.Path.Match(path) || r.Never && r.Path.MatchFolded(folded) {
			return r
		}
	}
	return nil
}

// errBody wraps what went wrong with a caller's body.
var errBody = errors.New("reading the request body")

// asksOrigin reports whether only the origin can judge the conditions of a
// request; of a POST that is so for all of them (RFC 9110, section 13.1.2).
func (q *question) asksOrigin(h http.Header) bool {
	return asksOrigin(h) || q.method == http.MethodPost && len(h["If-None-Match"]) > 0
}

// keyBody reads the body of a reading POST into the key, and gives the request
// one that can be read again.
func (q *question) keyBody(r *http.Request, parts *keyParts) (why string, err error) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return "", nil
	}
	if r.ContentLength > maxKeyedBody {
		return bypassBody, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxKeyedBody+1)) //nolint:forbidigo // bounded right here
	if err != nil {
		return "", fmt.Errorf("%w: %w", errBody, err)
	}
	if len(body) > maxKeyedBody {
		r.Body = &rejoined{Reader: io.MultiReader(bytes.NewReader(body), r.Body), Closer: r.Body}
		return bypassBody, nil
	}
	digest, ok := canonicalBody(r.Header.Get("Content-Type"), body)
	r.Body = &rejoined{Reader: bytes.NewReader(body), Closer: r.Body}
	r.ContentLength = int64(len(body))
	if !ok || len(r.Header["Content-Encoding"]) > 0 {
		return bypassBody, nil
	}
	q.body, parts.Body = body, digest
	return "", nil
}

// rejoined is a body of which the beginning was read.
type rejoined struct {
	io.Reader
	io.Closer
}
