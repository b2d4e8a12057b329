package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"iqgateway/internal/goldentest"
)

// docs/services.md says what the catalogue says.
func TestServicesDocument(t *testing.T) {
	goldentest.Compare(t, filepath.Join("..", "docs", "services.md"), servicesDocument(t))
}

const servicesHead = `# Services and APIs

Generated from the built-in catalogue; do not edit. After a change of
config/catalogue.yaml: go test ./config -run TestServicesDocument -update

A service is named by its host stem. An API of the provider is reached by its
service or by an alias, in the path of a URL, in access rules and in shares:
GET /sandbox/company-tree/v1/Companies(1)/Tree is GET
/sandbox/entitymanager/v1/Companies(1)/Tree.

A host is the stem, the suffix of the environment and the provider's domain,
%s. Hosts marked † follow from that rule alone: neither the provider's pages nor
a captured answer show them. A service that the catalogue does not proxy can be
configured all the same, under services: with a host or url and proxied: true.

## APIs

| API | service | aliases | sandbox | rc | production |
|---|---|---|---|---|---|
`

const servicesMiddle = `
## Services

Quota is the first guess, until the upstream's own headers say otherwise. Cache
is what the catalogue's rules do: apply them, only suggest (count what would
have hit), or store nothing.

| service | APIs | quota | no token for | cache | sensitive |
|---|---|---|---|---|---|
`

func servicesDocument(t *testing.T) string {
	t.Helper()
	c := builtinConfig(t)
	var b strings.Builder
	var reasons []string
	fmt.Fprintf(&b, servicesHead, c.catalogue.Domain)
	for _, api := range c.APIs() {
		row := []string{fmt.Sprintf("[%s](%s)", api.Name, api.Document), strings.Join(api.Services, ", "), strings.Join(api.Aliases, ", ")}
		for _, environment := range []string{"sandbox", "rc", "production"} {
			found, reason := hosts(t, c, environment, api)
			if reason != "" {
				found = []string{"none (" + strconv.Itoa(numberOf(reason, &reasons)) + ")"}
			} else if !published(c.catalogue, environment, api) {
				found[len(found)-1] += " †"
			}
			row = append(row, strings.Join(found, ", "))
		}
		writeRow(&b, row)
	}
	b.WriteString("\nWhy there is none:\n\n")
	for i, reason := range reasons {
		fmt.Fprintf(&b, "%d. %s\n", i+1, reason)
	}
	b.WriteString(servicesMiddle)
	e, _ := c.Environment("my-own")
	for _, s := range e.Services() {
		if s.Proxied {
			writeRow(&b, []string{s.Name, strings.Join(s.APIs, ", "), quotaCell(s), tokenCell(s), cacheCell(s), map[bool]string{true: "yes"}[s.Sensitive]})
		}
	}
	return b.String()
}

// numberOf returns the place of a reason from 1, appending a new one.
func numberOf(reason string, reasons *[]string) int {
	if at := slices.Index(*reasons, reason); at >= 0 {
		return at + 1
	}
	*reasons = append(*reasons, reason)
	return len(*reasons)
}

func published(c *catalogue, environment string, api API) bool {
	return slices.ContainsFunc(api.Services, func(name string) bool { return slices.Contains(c.Published[name], environment) })
}

func quotaCell(s *EffectiveService) string {
	switch s.Quota.Kind {
	case "window":
		return s.Quota.Assume.String()
	case "concurrency":
		return strconv.Itoa(s.Quota.Max) + " at once"
	default:
		return s.Quota.Kind
	}
}

func tokenCell(s *EffectiveService) string {
	switch s.Authentication {
	case "anonymous":
		return "any path"
	case "none":
		return "any path: credentials are in the body"
	}
	paths := make([]string, len(s.Anonymous))
	for i, p := range s.Anonymous {
		paths[i] = p.String()
	}
	return strings.Join(paths, ", ")
}

func cacheCell(s *EffectiveService) string {
	if slices.ContainsFunc(s.CatalogueRules, func(r CacheRule) bool { return r.TTL > 0 }) {
		return s.Cache.Catalogue
	}
	return "nothing"
}

func writeRow(b *strings.Builder, cells []string) {
	for i, cell := range cells {
		cells[i] = strings.ReplaceAll(cell, "|", `\|`)
	}
	fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
}
