package cache_test

import (
	"testing"

	"iqgateway/cache"
	"iqgateway/internal/pathpattern"
)

// TestAnotherRuleIsAnotherKey: what was stored by a rule is not used by its
// successor, which may say otherwise what is stored.
func TestAnotherRuleIsAnotherKey(t *testing.T) {
	bothModes(t, func(t *testing.T, mode cache.Mode) {
		for _, rules := range [][]cache.Rule{{*everything()}, {}} {
			if mode == cache.ModePolicy && len(rules) == 0 {
				continue
			}
			sc := newScript(t, mode, stackOptions{service: cache.Service{Version: "1", Rules: rules}})
			sc.run(t,
				step{says: &says{fields: []string{fresh60}}, body: "answer 1", cache: "fwd=uri-miss"},
				step{body: "answer 1", cache: "hit"},
			)
			next := *sc.services[crm]
			next.Version, next.Rules = "2", append([]cache.Rule(nil), rules...)
			if len(rules) > 0 {
				next.Rules[0].Version = "2"
			}
			*sc.services[crm] = next
			sc.run(t, step{body: "answer 2", cache: "fwd=uri-miss"}, step{body: "answer 2", cache: "hit"})
		}
	})
}

// TestRulesThatForbid: a rule that keeps nothing, or forbids it, is not asked
// for more; and a prohibition is about all spellings that the upstream may take
// for its path.
func TestRulesThatForbid(t *testing.T) {
	bothModes(t, func(t *testing.T, mode cache.Mode) {
		nothing := *everything()
		nothing.Path, nothing.TTL = pathpattern.MustParse("/v1/Live**"), 0
		rules := []cache.Rule{
			{Path: pathpattern.MustParse("/v1/Companies({company})/Secrets**"), Version: "1", Never: true}, nothing, *everything(),
		}
		for path, forbidden := range map[string]bool{
			"/v1/Companies(1)/Secrets(2)":   true,
			"/v1/companies(1)/SECRETS(2)":   true,
			"/v1/Companies(1)/%53ecrets":    true,
			"/v1/Companies(1)/%53ecrets/a":  true,
			"/v1/Companies(1)/Secret(2)":    false,
			"/v1/Live/a":                    mode == cache.ModePolicy,
			"/v1/Companies(1)/Catalog/Live": false,
		} {
			sc := newScript(t, mode, stackOptions{service: cache.Service{Rules: rules}})
			first := step{do: "GET " + path, says: &says{fields: []string{fresh60}}, body: "answer 1", cache: "fwd=uri-miss"}
			second := step{do: "GET " + path, body: "answer 1", cache: "hit"}
			if forbidden {
				first.cache, second.cache, second.body = "fwd=bypass; detail=rule", "fwd=bypass; detail=rule", "answer 2"
			}
			sc.run(t, first, second)
		}
	})
}
