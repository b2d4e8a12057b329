package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iqgateway/config"
)

const overridden = `
environments:
  staging: {url: "https://staging.example/{service}"}
  sandbox: {services: {crm: {quota: {max: 100}}}}
credentials:
  retail: {environment: production, client_id: a, client_secret: "${env:S}", username: u, password: "${env:S}"}
  demo: {environment: sandbox, client_id: a, client_secret: "${env:S}", username: u, password: "${env:S}"}
callers:
  reporting:
    share: 20%
    access:
      - {credential: retail, services: {crm: read, pricing: read}}
      - {credential: demo, services: {crm: read}}
`

func TestOverrideLiesOverEverything(t *testing.T) {
	base := offline(t, overridden)
	c, warnings, err := base.With([]config.Override{
		{Key: "callers.reporting.blocked", Value: "true", Reason: "floods"},
		{Key: "callers.reporting.share.cap", Value: "30%", Reason: "floods"},
		{Key: "services.pricing.cache.mode", Value: "none", Reason: "wrong prices"},
		{Key: "telemetry.logs.level", Value: "debug", Reason: "look"},
	})
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	reporting := c.Callers["reporting"]
	if !reporting.Blocked || reporting.Share.Guarantee.Percent != 20 || reporting.Share.Cap.Percent != 30 || c.Telemetry.Logs.Level != "debug" {
		t.Errorf("%+v, %s", reporting, c.Telemetry.Logs.Level)
	}
	for _, name := range []string{"production", "staging"} {
		environment, _ := c.Environment(name)
		s, _ := environment.Service("pricing")
		if s.Cache.Mode != "none" || s.Source("cache.mode") != "override (wrong prices)" {
			t.Errorf("%s: %s by %s", name, s.Cache.Mode, s.Source("cache.mode"))
		}
	}
	if got := c.Overridden("callers.reporting.blocked"); got != "true" {
		t.Errorf("shown as %q", got)
	}
	if base.Callers["reporting"].Blocked || base.Source("callers.reporting.blocked") != "default" {
		t.Error("the configuration below has changed")
	}
	if again, _, err := base.With(nil); err != nil || again != base {
		t.Error("no override makes another configuration")
	}
}

func TestOverrideIsRefused(t *testing.T) {
	base := offline(t, overridden)
	tests := map[string]struct{ key, value, want string }{
		"no such value":    {"services.crm.cache.mode", "nothing", `override (why): services.crm.cache.mode: "nothing"`},
		"not what fits":    {"callers.reporting.share.guarantee", "90%", "override (why): "},
		"an address":       {"server.address", ":1", "server.address cannot be overridden while the gateway runs"},
		"a credential":     {"credentials.retail.password", "x", "cannot be overridden"},
		"a right":          {"callers.reporting.access", "[]", "what can is callers.*.blocked"},
		"an upstream":      {"services.crm.url", "https://evil.example", "cannot be overridden"},
		"a whole mapping":  {"services.crm.quota", "x", "cannot be overridden"},
		"a name that ends": {"callers.*.blocked", "true", "cannot be overridden"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, _, err := base.With([]config.Override{{Key: test.key, Value: test.value, Reason: "why"}})
			if err == nil || c != nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

// A more special setting beats the override of a more general one, as it beats
// every other source; whoever overrides learns that.
func TestOverrideThatIsBeaten(t *testing.T) {
	_, warnings, err := offline(t, overridden).With([]config.Override{{Key: "services.crm.quota.max", Value: "50", Reason: "why"}})
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0].String(), "does not hold in sandbox, where gateway.yaml:") ||
		!strings.HasSuffix(warnings[0].String(), "override environments.sandbox.services.crm.quota.max") {
		t.Errorf("%v, %v", warnings, err)
	}
}

func TestCanonicalOverride(t *testing.T) {
	base := offline(t, overridden)
	tests := []struct{ key, want, problem string }{
		{"services.crm.quota.enforce", "services.crm.quota.enforce", ""},
		{"services.customers.quota.enforce", "services.crm.quota.enforce", ""},
		{"environments.sandbox.services.customers.quota.max", "environments.sandbox.services.crm.quota.max", ""},
		{"services.crm.quota.shares.reporting.cap", "services.crm.quota.shares.reporting.cap", ""},
		{"services.crn.quota.enforce", "", `there is no service "crn" (did you mean "crm"?)`},
		{"callers.reportin.blocked", "", `there is no caller "reportin" (did you mean "reporting"?)`},
		{"services.crm.quota.shares.nobody.cap", "", `there is no caller "nobody"`},
		{"environments.sandbx.services.crm.quota.max", "", `there is no environment "sandbx" (did you mean "sandbox"?)`},
		{"admin.token", "", "admin.token cannot be overridden while the gateway runs: change the configuration and reload; what can is callers.…, environments.…, services.…, telemetry.…"},
	}
	for _, test := range tests {
		got, err := base.CanonicalOverride(test.key)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if got != test.want || !strings.Contains(text, test.problem) || (text == "") != (test.problem == "") {
			t.Errorf("%s: %q, %s", test.key, got, text)
		}
	}
}

// Every path that may be overridden is one of the schema, with a scalar at its
// end, and none leads to a secret, an address or a right.
func TestOverridablePathsAreThoseOfTheSchema(t *testing.T) {
	base := offline(t, overridden)
	for _, pattern := range config.Overridable() {
		key := strings.NewReplacer("environments.*", "environments.sandbox", "services.*", "services.crm", "callers.*", "callers.reporting", "shares.*", "shares.reporting").Replace(pattern)
		if got := config.OverridePattern(key); got != pattern {
			t.Errorf("%s is allowed by %q", key, got)
		}
		_, _, err := base.With([]config.Override{{Key: key, Value: "\x00", Reason: "why"}})
		if err == nil || strings.Contains(err.Error(), "unknown key") || strings.Contains(err.Error(), "is a mapping") || strings.Contains(err.Error(), "has no keys below") {
			t.Errorf("%s: %v", pattern, err)
		}
		for _, word := range []string{"address", "url", "host", "token", "secret", "password", "key_", "access", "denied", "tls"} {
			if strings.Contains(pattern, word) {
				t.Errorf("%s may be overridden", pattern)
			}
		}
	}
}

// What files hold by now, or that they are away, changes nothing of a
// configuration that overrides lie on: neither does an override fail for them nor
// does one that comes or goes take a secret along.
func TestOverrideReadsNoFile(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{"password": "open sesame", "key": strings.Repeat("A", 43) + "=", "proxy": "http://u:p@proxy.example:3128", "pair.pem": "any"}
	write := func(t *testing.T, change func(string) string) {
		t.Helper()
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(change(text)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(t, func(text string) string { return text })
	text := strings.NewReplacer("DIR", dir).Replace(`version: 1
admin: {token: 0123456789abcdef0123456789abcdef, tls: {cert_file: DIR/pair.pem, key_file: DIR/pair.pem}}
auth: {token_endpoint: {enabled: true, signing_key: "${file:DIR/key}"}}
` + strings.NewReplacer("${env:S}", "${file:DIR/password}", `{url: "https://staging`, `{proxy_url: "${file:DIR/proxy}", url: "https://staging`).Replace(overridden))
	base, _, err := config.Load(config.LoadOptions{Path: "gateway.yaml", Data: []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		happens func(*testing.T)
	}{
		{"others", func(t *testing.T) { write(t, strings.NewReplacer("A", "B", "e", "3").Replace) }},
		{"malformed", func(t *testing.T) { write(t, func(string) string { return "no\nsecret" }) }},
		{"away", func(t *testing.T) {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.happens(t)
			c, _, err := base.With([]config.Override{{Key: "callers.reporting.blocked", Value: "true", Reason: "why"}})
			if err != nil {
				t.Fatal(err)
			}
			staging, _ := c.Environment("staging")
			got := []string{c.Credentials["retail"].Password.Reveal(), c.Auth.TokenEndpoint.SigningKey.Reveal(), staging.ProxyURL.URL.String()}
			if diff := cmp.Diff([]string{files["password"], files["key"], files["proxy"]}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
