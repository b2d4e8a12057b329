package proxy

import (
	"slices"
	"strings"
	"unicode/utf8"

	"iqgateway/internal/pathpattern"
)

// sessionPath is where DataConnect hands out its session and its tokens.
const sessionPath = "/session"

// lowerSideEffects prepares rules for comparison with folded parameters.
func lowerSideEffects(rules []SideEffect) []SideEffect {
	lowered := make([]SideEffect, len(rules))
	for i, e := range rules {
		lowered[i] = SideEffect{Path: e.Path, Parameter: strings.ToLower(e.Parameter)}
		for _, v := range e.Values {
			lowered[i].Values = append(lowered[i].Values, strings.ToLower(v))
		}
	}
	return lowered
}

func (s *service) hasSideEffect(path spelling, query string) bool {
	return slices.ContainsFunc(s.SideEffects, func(e SideEffect) bool { return e.hits(path, query) })
}

// hits reports whether a request is one that the rule describes.
func (e SideEffect) hits(path spelling, query string) bool {
	if !e.Path.IsZero() && !path.matches(e.Path) {
		return false
	}
	return e.Parameter == "" || anyParameter(query, e.isSetBy)
}

// isSetBy reports whether the parameter makes the difference.
func (e SideEffect) isSetBy(name parameterName, value string) bool {
	if !name.is(e.Parameter) {
		return false
	}
	if len(e.Values) == 0 {
		return true
	}
	// A server may join the values of a repeated parameter with commas.
	for part := range strings.SplitSeq(foldParameter(value), ",") {
		for _, want := range e.Values {
			if matchesValue(want, strings.TrimSpace(part)) {
				return true
			}
		}
	}
	return false
}

func matchesValue(want, value string) bool {
	if end, ok := strings.CutPrefix(want, "*"); ok {
		return strings.HasSuffix(value, end)
	}
	return value == want
}

// anyParameter reports whether found holds for a parameter of the raw query,
// each read with & alone and with both & and ; as separators: what the upstream
// does is not known. Values are raw.
func anyParameter(query string, found func(name parameterName, value string) bool) bool {
	for pair := range strings.SplitSeq(query, "&") {
		if foundIn(pair, found) {
			return true
		}
		if strings.IndexByte(pair, ';') < 0 {
			continue
		}
		for part := range strings.SplitSeq(pair, ";") {
			if foundIn(part, found) {
				return true
			}
		}
	}
	return false
}

func foundIn(pair string, found func(name parameterName, value string) bool) bool {
	name, value, _ := strings.Cut(pair, "=")
	return found(parameterName(name), value)
}

// parameterName is one as it stands in the query.
type parameterName string

// is compares with a folded name. Usual names need no folding for that.
func (n parameterName) is(folded string) bool {
	for i := range len(n) {
		if c := n[i]; c <= ' ' || c >= utf8.RuneSelf || c == '%' || c == '+' || c == '/' {
			return foldParameter(string(n)) == folded
		}
	}
	return len(n) == len(folded) && strings.EqualFold(string(n), folded)
}

// foldParameter reads a name or value as generously as a server may. Text
// with a broken escape stays as it is: [Sanitize] refuses it anyway.
func foldParameter(raw string) string {
	text := strings.ReplaceAll(raw, "+", " ")
	folded, err := pathpattern.Fold(text)
	if err != nil {
		return strings.ToLower(text)
	}
	return strings.TrimSpace(foldFully(folded))
}
