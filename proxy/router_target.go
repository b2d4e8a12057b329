package proxy

import (
	"net/http"
	"slices"
	"strings"

	"iqgateway/internal/exchange"
	"iqgateway/internal/pathpattern"
)

// The values of RouteService.Authentication and exchange.Target.Policy.
const (
	authBearer    = "bearer"
	authAnonymous = "anonymous"
	authNone      = "none"

	policyAuthenticated = "authenticated"
	policyAnonymous     = "anonymous"
)

// target applies the rules of the service to a located request.
func (s *service) target(q Request, at location) (exchange.Target, *exchange.Problem) {
	t := exchange.Target{
		Environment:    s.environment,
		Service:        s.Name,
		Upstream:       s.Upstream,
		Path:           at.path,
		RawQuery:       q.RawQuery,
		HasQuery:       q.HasQuery,
		Prefix:         at.prefix,
		Route:          s.label(at.path),
		Write:          !safe(q.Method) && !s.reads(q, at.path),
		Authentication: authBearer,
		Policy:         policyAuthenticated,
		Sensitive:      s.Sensitive,
	}
	if s.restricted {
		if problem := s.restrict(&t); problem != nil {
			return exchange.Target{}, problem
		}
	}
	switch {
	case s.Authentication == authNone:
		t.Authentication, t.Policy = authNone, policyAnonymous
	case s.Authentication == authAnonymous, safe(q.Method) && slices.ContainsFunc(s.Anonymous, matching(at.path)):
		t.Authentication, t.Policy = authAnonymous, policyAnonymous
	}
	return t, nil
}

// restrict applies the rules that hold for every spelling of path and query.
func (s *service) restrict(t *exchange.Target) *exchange.Problem {
	path, err := readPath(t.Path)
	if err != nil {
		return exchange.Refuse(exchange.MalformedRequest, "the path has a % that does not begin a valid escape").Because(err)
	}
	t.Folded = path.folded
	if slices.ContainsFunc(s.Denied, path.matches) {
		return exchange.Refuse(exchange.PathDenied, "this path of "+s.Name+" is closed to every caller")
	}
	if slices.ContainsFunc(s.nested, path.below) {
		return exchange.Refuse(exchange.PathDenied,
			"this path belongs to another service of the same host; call it by that service's name, spelled exactly")
	}
	if s.Session && (path.folded == sessionPath || path.bare == sessionPath) {
		t.Session, t.Write = true, false
		return nil
	}
	t.Write = t.Write || s.hasSideEffect(path, t.RawQuery)
	return nil
}

func (s *service) reads(q Request, path string) bool {
	return slices.ContainsFunc(s.Reads, func(r ReadingPost) bool { return r.grants(q, path) })
}

func (r ReadingPost) grants(q Request, path string) bool {
	return q.Method == http.MethodPost && (!r.WithoutBody || !q.HasBody) && r.Path.Match(path)
}

func (s *service) label(path string) string {
	for _, r := range s.routes {
		if r.pattern.Match(path) {
			return r.label
		}
	}
	return s.rest
}

// safe reports whether a method only reads (RFC 9110 section 9.2.1).
func safe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	}
	return false
}

func matching(path string) func(pathpattern.Pattern) bool {
	return func(p pathpattern.Pattern) bool { return p.Match(path) }
}

// spelling is what an upstream may take a raw path for.
type spelling struct {
	folded string // decoded once, case-folded
	bare   string // decoded until nothing changes; segments without parameters, trailing dots and spaces
}

func readPath(raw string) (spelling, error) {
	folded, err := pathpattern.Fold(raw)
	if err != nil {
		return spelling{}, err
	}
	return spelling{folded, bareSegments(foldFully(folded))}, nil
}

func (p spelling) matches(pattern pathpattern.Pattern) bool {
	return pattern.MatchFolded(p.folded) || p.bare != p.folded && pattern.MatchFolded(p.bare)
}

func (p spelling) below(folded string) bool {
	_, ok := cutPrefix(p.folded, folded)
	if !ok && p.bare != p.folded {
		_, ok = cutPrefix(p.bare, folded)
	}
	return ok
}

// foldFully decodes again while that is possible: some front ends decode a
// path more than once.
func foldFully(folded string) string {
	for strings.IndexByte(folded, '%') >= 0 {
		again, err := pathpattern.Fold(folded)
		if err != nil || again == folded {
			break
		}
		folded = again
	}
	return folded
}

// bareSegments removes what a server may ignore in a segment: ";parameters",
// trailing dots and spaces.
func bareSegments(path string) string {
	if !strings.ContainsAny(path, "; .") {
		return path
	}
	var bare strings.Builder
	for segment := range strings.SplitSeq(path, "/") {
		segment, _, _ = strings.Cut(segment, ";")
		if segment = strings.TrimRight(segment, ". "); segment != "" {
			bare.WriteByte('/')
			bare.WriteString(segment)
		}
	}
	return orRoot(bare.String())
}
