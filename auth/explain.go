package auth

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"iqgateway/internal/exchange"
)

// grantFor returns the grant of a that counts for t; the zero Grant if none.
func (a *Access) grantFor(t *exchange.Target) Grant {
	if g, named := a.Services[t.Service]; named {
		return g
	}
	return a.Services["*"]
}

// describe names one access rule: its place, its credential and, if it speaks
// about the target's service, what it grants there.
func describe(c *Caller, i int, t *exchange.Target) string {
	a := &c.Access[i]
	place := fmt.Sprintf("callers.%s.access[%d]: %s (%s)", c.Name, i, a.Credential, a.Environment)
	for _, name := range []string{t.Service, "*"} {
		if g, ok := a.Services[name]; ok {
			return place + ", " + name + ": " + g.String()
		}
	}
	return place
}

// String returns the grant as a person would write it.
func (g Grant) String() string {
	what := string(g.Level)
	switch {
	case g.Level != "":
	case len(g.Methods) == 0:
		what = string(LevelRead)
	default:
		what = strings.Join(g.Methods, " ")
	}
	if len(g.Paths) > 0 {
		what += " of " + strings.Join(pathTexts(g), ", ")
	}
	return what
}

func pathTexts(g Grant) []string {
	texts := make([]string, len(g.Paths))
	for i, p := range g.Paths {
		texts[i] = p.String()
	}
	return texts
}

// refusal tells the caller what it may do instead. The path that was asked for
// is not repeated: the caller knows it.
func refusal(c *Caller, r Request) string {
	what := "use"
	if r.Target.Write {
		what = "write to"
	}
	text := fmt.Sprintf("%s may not %s %s in %s with this method and path", c.Name, what, r.Target.Service, r.Target.Environment)
	if r.Credential != "" && !hasCredential(c, r) {
		text = fmt.Sprintf("%s may not use the credential that X-Gateway-Credential asks for in %s", c.Name, r.Target.Environment)
	}
	return text + "." + endedAccess(c, r) + " It may: " + rights(c, r) + "."
}

// endedAccess tells of access that would have allowed the request until it ended.
func endedAccess(c *Caller, r Request) string {
	for i := range c.Access {
		a := c.Access[i]
		if judge(&a, r) != ended {
			continue
		}
		until := a.Until
		if a.Until = (time.Time{}); judge(&a, r) == allowed {
			return fmt.Sprintf(" Its access with %s ended at %s.", a.Credential, until.UTC().Format(time.RFC3339))
		}
	}
	return ""
}

func hasCredential(c *Caller, r Request) bool {
	return slices.ContainsFunc(c.Access, func(a Access) bool {
		return a.Credential == r.Credential && a.Environment == r.Target.Environment
	})
}

// rights lists what the caller may do in the request's environment.
func rights(c *Caller, r Request) string {
	var list []string
	for _, a := range c.Access {
		if a.Environment != r.Target.Environment || !a.Until.IsZero() && !r.Now.Before(a.Until) {
			continue
		}
		for name, g := range a.Services {
			list = append(list, fmt.Sprintf("%s: %s (%s)", name, g, a.Credential))
		}
	}
	if len(list) == 0 {
		return "nothing in this environment"
	}
	slices.Sort(list)
	return strings.Join(list, "; ")
}

// ambiguous names the credentials that the caller has to choose from.
func ambiguous(c *Caller, r Request) string {
	var names []string
	for i := range c.Access {
		if judge(&c.Access[i], r) == allowed {
			names = append(names, c.Access[i].Credential)
		}
	}
	slices.Sort(names)
	return fmt.Sprintf("Several credentials allow this request and none is the default: name one with X-Gateway-Credential: %s.",
		strings.Join(slices.Compact(names), " or "))
}
