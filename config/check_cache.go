package config

import (
	"fmt"
	"net/http"
	"slices"

	"iqgateway/internal/pathpattern"
)

// rules refuses two rules that would match the same paths equally well, and
// settings of a rule that cannot be meant.
func (c *checker) rules(s *EffectiveService, fail func(setting, format string, args ...any)) {
	for i, a := range s.Cache.Rules {
		at := index("cache.rules", i)
		for j, b := range s.Cache.Rules[:i] {
			if pathpattern.Compare(a.Path, b.Path) == 0 {
				fail(at+".path", "%q is as specific as %q in rule %d: remove one", a.Path, b.Path, j)
			}
		}
		if a.TTL == 0 && (a.NegativeTTL != 0 || a.StaleIfError != 0 || a.StaleWhileRevalidate != 0) {
			fail(at+".ttl", `"none" stores nothing, so no other duration has a meaning beside it: remove one of them`)
		}
		for _, text := range badTags(a.Tags) {
			fail(at+".tags", "%s", text)
		}
		for _, name := range a.Vary {
			if why := c.cannotVary(s, name); why != "" {
				fail(at+".vary", "%q %s", name, why)
			}
		}
	}
}

// badTags says what is wrong with words that the command line takes.
func badTags(tags []string) (wrong []string) {
	for i, tag := range tags {
		switch {
		case !isName(tag):
			wrong = append(wrong, fmt.Sprintf("%q is no tag: use a-z, 0-9 and -", tag))
		case slices.Contains(tags[:i], tag):
			wrong = append(wrong, fmt.Sprintf("%q stands twice: remove one", tag))
		}
	}
	return wrong
}

// negotiated returns the fields that go to every upstream and that an answer can
// depend on.
func negotiated() []string {
	return []string{"Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Prefer", "User-Agent", "Content-Type", "Content-Language"}
}

// cannotVary says why an answer does not depend on a request field, "" if it
// may.
func (c *checker) cannotVary(s *EffectiveService, name HeaderName) string {
	canonical := http.CanonicalHeaderKey(string(name))
	if canonical == "*" {
		return "is no field, and an answer that depends on everything cannot be stored: name the fields, or write ttl: none"
	}
	if why := c.neverForwarded(canonical); why != "" {
		return why + " and is never forwarded, so no answer depends on it: remove it"
	}
	forwarded := func(h HeaderName) bool { return http.CanonicalHeaderKey(string(h)) == canonical }
	if slices.Contains(negotiated(), canonical) || slices.ContainsFunc(s.Headers.Forward, forwarded) {
		return ""
	}
	return "does not go upstream, so no answer depends on it: remove it, or add it to headers.forward"
}
