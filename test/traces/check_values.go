package traces

import (
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"time"
)

// forms are what texts look like that golden files cannot hold.
func forms() map[string]string {
	return map[string]string{
		"iqgw.request_id": `^[a-z0-9]+-[0-9a-z]+$`,
		"iqgw.config":     `^[0-9a-f]{12}$`,
	}
}

// plausible looks at values that golden files cannot hold.
func plausible(name string, value any) error {
	switch v := value.(type) {
	case string:
		if v == "" {
			return fmt.Errorf("%s is empty", name)
		}
		if form := forms()[name]; form != "" && !regexp.MustCompile(form).MatchString(v) {
			return fmt.Errorf("%s is %q", name, v)
		}
	case int64:
		if v < 0 || name == "iqgw.token.generation" && v == 0 {
			return fmt.Errorf("%s is %d", name, v)
		}
	case float64:
		if v < 0 || v > longest.Seconds() {
			return fmt.Errorf("%s is %g", name, v)
		}
	case bool:
	default:
		return fmt.Errorf("%s is %v", name, value)
	}
	return nil
}

// wentTo tells whether an attempt names one of the origins.
func (s Span) wentTo(origins []string) error {
	port, names := s.Attributes["server.port"]
	if !names {
		return nil
	}
	if host := net.JoinHostPort(s.Text("server.address"), fmt.Sprint(port)); !slices.Contains(origins, host) {
		return fmt.Errorf("%s: went to %s, which is none of %q", s.Name, host, origins)
	}
	return nil
}

// exact is how far two values of the same may lie apart.
const exact = time.Millisecond

// acquired compares what a span tells of the quota.
func (s Span) acquired() error {
	if wait, tells := s.Attributes["iqgw.quota.wait"].(float64); tells {
		if apart := s.Took() - time.Duration(wait*float64(time.Second)); apart.Abs() > exact {
			return fmt.Errorf("%s: took %s and says %gs", s.Name, s.Took(), wait)
		}
	}
	limit, _ := s.Attributes["iqgw.quota.limit"].(int64)
	if remaining, tells := s.Attributes["iqgw.quota.remaining"].(int64); tells && remaining > limit {
		return fmt.Errorf("%s: %d of %d remain", s.Name, remaining, limit)
	}
	return nil
}

// replaced tells whether a token that the upstream has refused made way for a newer
// one, by the children of a span.
func replaced(children []Span) error {
	slices.SortStableFunc(children, func(a, b Span) int { return a.Start.Compare(b.Start) })
	var held, refused int64 // generations
	for _, s := range children {
		if generation, tells := s.Attributes["iqgw.token.generation"].(int64); tells {
			if generation <= refused {
				return fmt.Errorf("%s: generation %d, of which %d was refused", s.Name, generation, refused)
			}
			held = generation
		}
		if s.Kind == "client" && s.Attributes["http.response.status_code"] == int64(http.StatusUnauthorized) {
			refused = held
		}
	}
	return nil
}
