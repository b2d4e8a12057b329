package proxy

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"iqgateway/internal/exchange"
)

// Origin is one upstream and the names under which callers reach it.
type Origin struct {
	Environment string
	Service     string
	Upstream    *url.URL // scheme, host and path prefix
	// Native is how the provider itself names it (https://crmdemo.iqmetrix.net,
	// with a path where services share a host); nil when there is no such name.
	Native *url.URL
}

// Locations rewrites references in answers, so that a caller who follows one
// comes back to the gateway. It is immutable.
type Locations struct {
	byHost map[string][]Origin // longest path prefix first
}

// NewLocations returns the rules for origins.
func NewLocations(origins []Origin) *Locations {
	l := &Locations{byHost: make(map[string][]Origin)}
	for _, o := range origins {
		l.add(o.Upstream, o)
		if o.Native != nil && hostKey(o.Native.Scheme, o.Native.Host) != hostKey(o.Upstream.Scheme, o.Upstream.Host) {
			l.add(o.Native, o)
		}
	}
	return l
}

// has reports whether u is on the host of an upstream; nil has none.
func (l *Locations) has(u *url.URL) bool {
	return l != nil && len(l.byHost[hostKey(u.Scheme, u.Host)]) > 0
}

func (l *Locations) add(u *url.URL, o Origin) {
	key := hostKey(u.Scheme, u.Host)
	l.byHost[key] = append(l.byHost[key], o)
	slices.SortStableFunc(l.byHost[key], func(a, b Origin) int {
		return len(a.prefixOn(key)) - len(b.prefixOn(key))
	})
	slices.Reverse(l.byHost[key])
}

// prefixOn returns the path prefix of the origin on the host of key.
func (o Origin) prefixOn(key string) string {
	if o.Native != nil && key == hostKey(o.Native.Scheme, o.Native.Host) {
		return pathPrefix(o.Native)
	}
	return pathPrefix(o.Upstream)
}

// callerView is how the caller sees the gateway.
type callerView struct {
	form   exchange.Form
	scheme string // of the caller's own request
	host   string // that it asked for, with its port
	target *exchange.Target
	asked  *url.URL // where the attempt went; nil = target.Upstream
}

// key is hostKey, but the host that the upstream's session prefers is the
// upstream's own.
func (v callerView) key(scheme, authority string) string {
	key, up := hostKey(scheme, authority), v.target.Upstream
	if v.asked != nil && key == hostKey(v.asked.Scheme, v.asked.Host) {
		return hostKey(up.Scheme, up.Host)
	}
	return key
}

// rewriteHeader rewrites the two fields that refer to other resources. Links
// in bodies (HAL) are relative and left alone.
func (l *Locations) rewriteHeader(h http.Header, ex *exchange.Exchange, in *http.Request) {
	view := callerView{form: ex.Form, scheme: "http", host: in.Host, target: ex.Target, asked: ex.Upstream}
	if in.TLS != nil {
		view.scheme = "https"
	}
	for _, name := range []string{"Location", "Content-Location"} {
		values, ok := h[name]
		if !ok {
			continue
		}
		h.Del(name)
		// Two Location fields have no meaning that clients agree on.
		if rewritten, keep := l.rewrite(values[0], view); keep && len(values) == 1 {
			h[name] = []string{rewritten}
		}
	}
}

// rewrite returns what a reference becomes for the caller, and whether it may
// be passed on at all. A reference to a host of the catalogue becomes the way
// the caller came; a relative one stays relative; one to any other host passes
// as it is. None that carries a credential passes.
func (l *Locations) rewrite(location string, view callerView) (string, bool) {
	ref, ok := splitReference(location)
	if !ok || ref.hasSecret() {
		return "", false
	}
	switch ref.kind {
	case refRelative:
		return location, true
	case refRoot:
		up := view.target.Upstream
		if origin, below, known := l.find(hostKey(up.Scheme, up.Host), ref.rest); known {
			return rootReference(origin, below, location, view), true
		}
		return location, true
	case refAbsolute:
		if ref.scheme == "" {
			ref.scheme = view.target.Upstream.Scheme
		}
		if origin, below, known := l.find(view.key(ref.scheme, ref.authority), ref.rest); known {
			return absoluteReference(origin, below, location, view), true
		}
		return location, true
	default:
		return location, true
	}
}

// find returns the origin that path belongs to on a host, and the part of path
// below the origin's prefix.
func (l *Locations) find(key, path string) (Origin, string, bool) {
	for _, o := range l.byHost[key] {
		prefix := o.prefixOn(key)
		below, ok := strings.CutPrefix(path, prefix)
		switch {
		case !ok:
			continue
		case below == "" || below[0] == '?' || below[0] == '#':
			return o, "/" + below, true
		case below[0] == '/':
			return o, below, true
		}
	}
	return Origin{}, "", false
}

// rootReference rewrites a reference on the upstream's own host.
func rootReference(o Origin, below, location string, view callerView) string {
	if view.form == exchange.FormPath {
		return gatewayPath(o, view.target) + below
	}
	if o.Native == nil {
		return location
	}
	return pathPrefix(o.Native) + below
}

// absoluteReference rewrites a reference that names a host of the catalogue.
func absoluteReference(o Origin, below, location string, view callerView) string {
	switch {
	case view.form == exchange.FormPath:
		return gatewayPath(o, view.target) + below
	case o.Native == nil:
		return location
	case view.form == exchange.FormAbsolute:
		return "http://" + view.hostOf(o) + pathPrefix(o.Native) + below
	default:
		return view.scheme + "://" + view.hostOf(o) + pathPrefix(o.Native) + below
	}
}

// hostOf returns the native host of an origin as the caller reaches it: the
// gateway listens on the caller's port, which is not always the upstream's.
func (v callerView) hostOf(o Origin) string {
	native := (&url.URL{Host: o.Native.Host}).Hostname()
	asked := &url.URL{Host: v.host}
	if strings.EqualFold(strings.TrimSuffix(asked.Hostname(), "."), native) {
		return v.host
	}
	if port := asked.Port(); port != "" {
		return native + ":" + port
	}
	return native
}

// gatewayPath is the gateway's own part of a path: as the caller wrote it for
// the service it called, in full for another.
func gatewayPath(o Origin, t *exchange.Target) string {
	if o.Environment == t.Environment && o.Service == t.Service {
		return t.Prefix
	}
	return "/" + o.Environment + "/" + o.Service
}

func pathPrefix(u *url.URL) string { return strings.TrimSuffix(u.EscapedPath(), "/") }

// hostKey names a host for comparison: lower case, no trailing dot, no port
// that is the scheme's own.
func hostKey(scheme, authority string) string {
	host := strings.ToLower(authority)
	switch {
	case strings.EqualFold(scheme, "http"):
		host = strings.TrimSuffix(host, ":80")
	case strings.EqualFold(scheme, "https"):
		host = strings.TrimSuffix(host, ":443")
	}
	name, port, found := strings.Cut(host, ":")
	if strings.HasPrefix(host, "[") || !found {
		return strings.TrimSuffix(host, ".")
	}
	return strings.TrimSuffix(name, ".") + ":" + port
}
