package proxy

import (
	"strings"

	"iqgateway/internal/exchange"
	"iqgateway/internal/pathpattern"
)

// TokenCall reports whether q asks the token endpoint for a token: that of the
// service marked as [RouteService.Tokens] in any environment, in each of the
// three forms, or the gateway's own at /v1/oauth2/token and /oauth2/token. It
// is so for every spelling that the upstream would take for one of the paths
// that real clients use.
func (r *Router) TokenCall(q Request) bool {
	path := q.Path
	if !maybeToken(path) {
		return false
	}
	if q.Form == exchange.FormPath {
		folded, err := pathpattern.Fold(path)
		if err == nil && isOwnTokenPath(folded) {
			return true
		}
		s, rest := r.tokenService(path)
		return s != nil && isTokenPath(rest)
	}
	name, err := canonicalHost(q.Host)
	if err != nil {
		return false
	}
	for _, s := range r.hosts[name] { // longest prefix first
		if rest, ok := cutPrefix(path, s.base); ok {
			return s.Tokens && isTokenPath(orRoot(rest))
		}
	}
	return false
}

// tokenService reads /{service}/… and /{environment}/{service}/… of whatever
// environment: who calls is not known yet.
func (r *Router) tokenService(path string) (*service, string) {
	name, rest := cutSegment(path)
	if env := r.environments[name]; env != nil {
		name, rest = cutSegment(rest)
		if s := env.services[name]; s != nil && s.Tokens {
			return s, rest
		}
		return nil, ""
	}
	for _, env := range r.environments {
		if s := env.services[name]; s != nil && s.Tokens {
			return s, rest
		}
	}
	return nil, ""
}

// isTokenPath reports whether a path of the token service is that of its token
// endpoint: /v1/oauth2/token as documented, /Token as in older clients.
func isTokenPath(path string) bool {
	folded, err := pathpattern.Fold(path)
	return err == nil && (isOwnTokenPath(folded) || folded == "/token")
}

func isOwnTokenPath(folded string) bool {
	return folded == "/v1/oauth2/token" || folded == "/oauth2/token"
}

// maybeToken is what nearly every request is asked and not more: it allocates
// nothing.
func maybeToken(path string) bool {
	const longest, last = 256, "token"
	if len(path) > longest {
		return false
	}
	if strings.IndexByte(path, '%') >= 0 {
		return true
	}
	path = strings.TrimRight(path, "/")
	return len(path) > len(last) && strings.EqualFold(path[len(path)-len(last):], last)
}
