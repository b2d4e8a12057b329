package config

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What no breaker counts: these failures and no others.
func TestClientMistakes(t *testing.T) {
	want := map[string][]string{
		"availability": {`500 /** "Entity is not related to company"`},
		"pricing":      {`500 /** "An error occurred while updating the entries"`},
		"order":        {`500 /** "tracking number"`},
		"dataconnect": {
			`500 /** " rows"`, `503 /** " rows"`,
			`503 /** "Rate Limiting Applied"`, `503 /** "active requests"`,
		},
	}
	c := builtinConfig(t)
	for _, name := range []string{"production", "sandbox", "rc"} {
		env, _ := c.Environment(name)
		got := map[string][]string{}
		for _, s := range env.Services() {
			for _, m := range s.ClientMistakes {
				got[s.Name] = append(got[s.Name], fmt.Sprintf("%d %s %q", m.Status, m.Path, m.Body))
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// A rule without a text takes every 500 of its path for a mistake: the reads by
// which a service's health is seen must have none.
func TestReadsTellOfHealth(t *testing.T) {
	c := builtinConfig(t)
	for _, r := range []struct{ service, path string }{
		{"pricing", "/v1/Companies(1)/CatalogItems(7f)/Pricing"},
		{"pricing", "/v1/Companies(1)/Entities(2)/CatalogItems(7f)/Pricing"},
		{"pricing", "/v1/Companies(1)/Entities(2)/CatalogItems"},
		{"availability", "/v1/Companies(1)/CatalogItems(7f)/Availability"},
		{"order", "/v1/Companies(1)/Orders(7f)"},
		{"dataconnect", "/reports/salesbyproduct"},
	} {
		for _, m := range service(t, c, "production", r.service).ClientMistakes {
			if m.Body == "" && m.Path.Match(r.path) {
				t.Errorf("%s: no 500 of %s would count, by %s", r.service, r.path, m.Path)
			}
		}
	}
}
