package proxy

import (
	"net/http"
	"net/url"

	"iqgateway/internal/pathpattern"
)

// RouterOptions is what the router knows: the catalogue merged with the
// configuration, translated by the main program.
type RouterOptions struct {
	// Environments lists every environment that requests may name. Required.
	Environments []RouteEnvironment

	// Refuse answers the requests that have no target; the error is an
	// *exchange.Problem. Required for [Router.Route], unused by
	// [Router.Resolve].
	Refuse func(http.ResponseWriter, *http.Request, error)
}

// RouteEnvironment is one set of upstream hosts.
type RouteEnvironment struct {
	Name     string // as it stands in URLs: [a-z0-9-]+, unequal to every service
	Services []RouteService
}

// RouteService is one iQmetrix API in one environment.
type RouteService struct {
	Name    string   // the catalogue's name
	Aliases []string // other names for it in URLs

	// Upstream is where its requests go: scheme, host and path prefix. Its
	// host also selects the service for callers that use the native host
	// (unless it is an address or localhost, which name the gateway itself
	// far more often than an upstream). Services may share a host when their
	// prefixes differ.
	Upstream *url.URL

	// Authentication is "bearer" (default), "anonymous" or "none".
	Authentication string
	// Sensitive services are granted by name only.
	Sensitive bool
	// Session: GET /session is answered by the gateway itself (DataConnect
	// hands out tokens there).
	Session bool

	// Tokens: it has the token endpoint, which the gateway may answer itself
	// ([Router.TokenCall]).
	Tokens bool

	// Denied, SideEffects: restrictions. They hold for every spelling that
	// the upstream would read as the same path or parameter.
	Denied      []pathpattern.Pattern
	SideEffects []SideEffect

	// Anonymous paths need no token when they are read; Reads are the POSTs
	// that only read; Routes are the patterns that name requests in metrics
	// and spans. All match the raw path.
	Anonymous []pathpattern.Pattern
	Reads     []ReadingPost
	Routes    []pathpattern.Pattern
}

// SideEffect describes requests that change or send something although their
// method is safe: DataConnect's GET …?Response=Excel.Email sends a mail.
type SideEffect struct {
	// Path limits the rule; the zero Pattern stands for every path.
	Path pathpattern.Pattern
	// Parameter is the query parameter that makes the difference, "" when
	// the path alone does.
	Parameter string
	// Values of the parameter, compared without case; a leading * stands for
	// any beginning ("*.Email"). Empty = whatever its value.
	Values []string
}

// ReadingPost describes POSTs that only read.
type ReadingPost struct {
	Path pathpattern.Pattern
	// WithoutBody: only when the request has no body. The parameters of
	// DataConnect, those with side effects too, may stand in the body, which
	// the gateway does not read.
	WithoutBody bool
}
