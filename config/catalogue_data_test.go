package config

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"iqgateway/internal/pathpattern"
)

// Hosts are put together from stem, suffix and domain, so that an environment
// with a url of its own can take every one of them.
func TestTheCatalogueHoldsNoURL(t *testing.T) {
	for i, line := range strings.Split(string(catalogueYAML), "\n") {
		if strings.Contains(line, "://") {
			t.Errorf("line %d holds a URL: %s", i+1, line)
		}
	}
	everyService(t, func(s *EffectiveService) {
		if s.URL != "" {
			t.Errorf("%s in %s has a url", s.Name, s.Environment)
		}
		if strings.ContainsAny(s.Host, "./:{") {
			t.Errorf("%s in %s: host %q is more than a stem", s.Name, s.Environment, s.Host)
		}
	})
}

func TestEveryServiceIsWhole(t *testing.T) {
	everyService(t, func(s *EffectiveService) {
		if !s.Proxied {
			if s.Reason == "" {
				t.Errorf("%s in %s is not proxied without a reason", s.Name, s.Environment)
			}
			return
		}
		switch kind := s.Quota.Kind; {
		case kind == "window" && !s.Quota.Assume.IsZero():
		case kind == "concurrency" && s.Quota.Max > 0:
		case kind == "none" && s.Name == "accounts":
		default:
			t.Errorf("%s: quota %q without a first guess", s.Name, kind)
		}
		onShared, soap := s.Host == "api", strings.HasPrefix(s.Host, "vmi")
		if s.Ping == "" && !onShared && !soap && s.Name != "accounts" && s.Name != "authproxyatt" {
			t.Errorf("%s has no ping", s.Name)
		}
		if onShared && string(s.Prefix) != "/"+s.Name {
			t.Errorf("%s: prefix %q on the shared host, want /%s", s.Name, s.Prefix, s.Name)
		}
	})
}

// Two services at one place would share an upstream quota unawares.
func TestNoTwoServicesAreAtOnePlace(t *testing.T) {
	places := make(map[string]string)
	everyService(t, func(s *EffectiveService) {
		if s.Upstream == nil {
			return
		}
		place := s.Environment + " " + s.Upstream.String()
		if other, taken := places[place]; taken {
			t.Errorf("%s and %s are both at %s", other, s.Name, place)
		}
		places[place] = s.Name
	})
}

// A service that is left out where its host was published would be a mistake,
// and an exception for no service a spelling error.
func TestExceptionsFit(t *testing.T) {
	c, err := builtin()
	if err != nil {
		t.Fatal(err)
	}
	for environment, services := range c.exceptions {
		for name, s := range services {
			if _, known := c.services[name]; !known {
				t.Errorf("%s has an exception for %q, which is no service", environment, name)
			}
			if s["proxied"] != nil && slices.Contains(c.Published[name], environment) {
				t.Errorf("%s is not proxied in %s, where its host is published", name, environment)
			}
		}
	}
}

// Names and aliases stand in URLs beside the names of environments.
func TestNamesAreUnambiguous(t *testing.T) {
	c := builtinConfig(t)
	taken := map[string]string{"-": "the gateway's own paths", "*": "every service"}
	for _, environment := range c.EnvironmentNames() {
		taken[environment] = "an environment"
	}
	e, _ := c.Environment("production")
	for _, s := range e.Services() {
		for _, name := range append([]string{s.Name}, s.Aliases...) {
			if owner, known := taken[name]; known {
				t.Errorf("%q of %s already stands for %s", name, s.Name, owner)
			}
			if !isName(name) {
				t.Errorf("%q of %s is no name", name, s.Name)
			}
			taken[name] = s.Name
		}
	}
}

// An API can be called by the provider's own name for it, but for these.
func TestAliasesFollowTheNames(t *testing.T) {
	different := []string{
		"Customer Managed Inventory (CMI)", "Vendor Managed Inventory (VMI)", "Electronic Product Catalog (EPC)", // the short form has its own
		"DataConnect for Partners", "Purchase Order (2016)", "AT&T Authentication Proxy",
	}
	c := builtinConfig(t)
	e, _ := c.Environment("production")
	seen := make(map[string]bool)
	for _, api := range c.APIs() {
		if seen[api.Name] {
			t.Errorf("API %q is listed twice", api.Name)
		}
		seen[api.Name] = true
		kebab := strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(api.Name), "-"), "-")
		s, known := e.Service(kebab)
		if slices.Contains(different, api.Name) {
			if known {
				t.Errorf("API %q follows the rule after all", api.Name)
			}
			continue
		}
		if !known || s.Name != api.Services[0] {
			t.Errorf("API %q cannot be called by its own name, %s", api.Name, kebab)
		}
	}
}

// The upstream decodes, folds case and slashes; so must what is denied.
func TestDeniedPathsHoldInEverySpelling(t *testing.T) {
	c := builtinConfig(t)
	for _, tt := range []struct{ service, path string }{
		{"crm", "/logout"},
		{"crm", "/logout/now"},
		{"catalogs", "/v1/oauth2/token"},
		{"accounts", "/v1/oauth2/token"},
		{"accounts", "/Token"},
		{"accounts", "/anything"},
		{"accounts", "/"},
		{"dataconnect", "/session/basic"},
		{"dataconnect", "/logout"},
	} {
		denied := service(t, c, "production", tt.service).Denied
		for _, path := range spellings(tt.path) {
			if !matchesFolded(t, denied, path) {
				t.Errorf("%s: %s is not denied", tt.service, path)
			}
		}
	}
}

func TestWhatCallersNeedIsNotDenied(t *testing.T) {
	c := builtinConfig(t)
	for _, tt := range []struct{ service, path string }{
		{"crm", "/v1/Companies(1)/Customers"},
		{"crm", "/logouts"},
		{"dataconnect", "/session"}, // answered by the gateway, not denied
		{"dataconnect", "/sessions"},
		{"dataconnect", "/reports/x"},
		{"catalogs", "/v1/Companies(1)/Catalog/Items"},
	} {
		if matchesFolded(t, service(t, c, "production", tt.service).Denied, tt.path) {
			t.Errorf("%s: %s is denied", tt.service, tt.path)
		}
	}
}

func matchesFolded(t *testing.T, patterns []Pattern, path string) bool {
	t.Helper()
	folded, err := pathpattern.Fold(path)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(patterns, func(p Pattern) bool { return p.MatchFolded(folded) })
}

// spellings are ways to write a path that a lenient server reads as the same.
func spellings(path string) []string {
	const hex = "0123456789abcdef"
	var encoded strings.Builder
	for i := range len(path) {
		encoded.WriteString("%" + string(hex[path[i]>>4]) + string(hex[path[i]&15]))
	}
	return []string{
		path, strings.ToUpper(path), path + "/", path + "//", "/" + path,
		strings.ReplaceAll(path, "/", "//"), encoded.String(), strings.ToUpper(encoded.String()),
		strings.ReplaceAll(path, "o", "%4F"), strings.ReplaceAll(path, "s", "\u017f"),
	}
}
