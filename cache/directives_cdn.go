package cache

import "strings"

// parseCDNCacheControl reads the field lines of CDN-Cache-Control (RFC 9213,
// section 3): a Structured Field dictionary (RFC 8941, section 3.2) of response
// directives. It is false where the field is to be ignored as a whole, and
// Cache-Control counts: absent, empty, any error of syntax, a time that is no
// integer. That differs from Cache-Control on purpose: of two values the last
// one counts, and names are in lower case.
func parseCDNCacheControl(lines []string) (directives, bool) {
	var ds directives
	members := sfReader{rest: strings.Trim(strings.Join(lines, ","), " ")}
	if members.rest == "" {
		return directives{}, false
	}
	for {
		name, value, ok := members.member()
		if !ok || !ds.set(name, value) {
			return directives{}, false
		}
		if members.rest == "" {
			return ds, true
		}
		if !members.comma() {
			return directives{}, false
		}
	}
}

// set takes one member over. It fails where a time is of the wrong type: what
// the upstream meant is then not known.
func (ds *directives) set(name string, v sfValue) bool {
	forbids, allows := v.kind != sfFalse, v.kind == sfTrue
	switch name {
	case "no-store":
		ds.NoStore = forbids
	case "no-cache":
		ds.NoCache = forbids && !v.onlyUnstored()
	case "private":
		ds.Private = forbids && !v.onlyUnstored()
	case "must-revalidate":
		ds.MustRevalidate = forbids
	case "proxy-revalidate":
		ds.ProxyRevalidate = forbids
	case "public":
		ds.Public = allows
	case "must-understand":
		ds.MustUnderstand = allows
	case "immutable":
		ds.Immutable = allows
	case "max-age":
		return ds.MaxAge.set(v)
	case "s-maxage":
		return ds.SMaxAge.set(v)
	case "stale-while-revalidate":
		return ds.WhileRevalidate.set(v)
	case "stale-if-error":
		return ds.IfError.set(v)
	}
	return true
}

func (d *delta) set(v sfValue) bool {
	*d = delta{Set: true, For: inSeconds(v.number)}
	return v.kind == sfInteger
}

// onlyUnstored is the same question as for Cache-Control's quoted names.
func (v sfValue) onlyUnstored() bool {
	return v.kind == sfString && onlyUnstored(directive{value: v.text, form: formQuoted})
}
