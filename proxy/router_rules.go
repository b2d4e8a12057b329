package proxy

import "slices"

// Rule lists of a service, as they are called in the configuration.
const (
	RuleDenied      = "denied"
	RuleSideEffects = "side_effects"
	RuleReads       = "reads"
	RuleAnonymous   = "anonymous"
)

// MatchedRule is one rule of a service that a request meets.
type MatchedRule struct {
	List  string // which list, see above
	Index int    // in that list of the [RouteService], from 0
	Text  string // its path pattern, or what it says of the query
}

// Rules returns the service that a request names and every rule of it that
// the request meets, for explanations. [Router.Resolve] decides by the same
// comparisons. ok is false when the request names no service.
func (r *Router) Rules(q Request) (environment, name string, rules []MatchedRule, ok bool) {
	at, problem := r.locate(q)
	if problem != nil {
		return "", "", nil, false
	}
	return at.service.environment, at.service.Name, at.service.rules(q, at.path), true
}

func (s *service) rules(q Request, path string) []MatchedRule {
	var found []MatchedRule
	read, err := readPath(path)
	for i, p := range s.Denied {
		if err == nil && read.matches(p) {
			found = append(found, MatchedRule{RuleDenied, i, p.String()})
		}
	}
	for i, e := range s.SideEffects {
		if err == nil && e.hits(read, q.RawQuery) {
			found = append(found, MatchedRule{RuleSideEffects, i, e.text()})
		}
	}
	for i, p := range s.Reads {
		if p.grants(q, path) {
			found = append(found, MatchedRule{RuleReads, i, p.Path.String()})
		}
	}
	if i := slices.IndexFunc(s.Anonymous, matching(path)); i >= 0 && safe(q.Method) {
		found = append(found, MatchedRule{RuleAnonymous, i, s.Anonymous[i].String()})
	}
	return found
}

func (e SideEffect) text() string {
	text := e.Path.String()
	if e.Parameter != "" {
		text += " with " + e.Parameter
	}
	return text
}
