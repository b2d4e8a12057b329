package config

import (
	"strings"
	"testing"
)

// Where requests of a service go, and where they cannot go.
func TestUpstreams(t *testing.T) {
	const document = `version: 1
environments:
  sim: {url: "http://127.0.0.1:19900/{service}"}
  staging:
    url: https://{service}{suffix}.example.com
    suffix: -stg
    services:
      crm: {host: customers}
      catalogs: {url: "https://catalogs.example.org/v{suffix}"}
      pricing: {proxied: false, reason: under repair}
services:
  taxes: {url: "https://api{suffix}.iqmetrix.net/taxes"}
  loyalty: {host: api, prefix: /loyalty}
  order: {host: orders2}
`
	c := mustLoad(t, LoadOptions{}, document, nil)
	tests := []struct{ environment, service, want string }{
		{"production", "crm", "https://crm.iqmetrix.net"},
		{"sandbox", "crm", "https://crmdemo.iqmetrix.net"},
		{"rc", "crm", "https://crmrc.iqmetrix.net"},
		{"sandbox", "dataconnect", "https://rqdataconnectdemo.iqmetrix.net"}, // the catalogue's exception
		{"production", "rqpurchaseorders", "https://api.iqmetrix.net/rqpurchaseorders"},
		{"production", "order", "https://orders2.iqmetrix.net"},
		{"production", "loyalty", "https://api.iqmetrix.net/loyalty"},
		{"rc", "taxes", "https://apirc.iqmetrix.net/taxes"},
		{"sim", "crm", "http://127.0.0.1:19900/crm"},
		{"sim", "rqpurchaseorders", "http://127.0.0.1:19900/api/rqpurchaseorders"},
		{"sim", "loyalty", "http://127.0.0.1:19900/api/loyalty"},
		{"sim", "taxes", "not proxied: environment sim has a url of its own"},
		{"staging", "crm", "https://customers-stg.example.com"},
		{"staging", "order", "https://orders2-stg.example.com"},
		{"staging", "catalogs", "https://catalogs.example.org/v-stg"},
		{"staging", "pricing", "not proxied: under repair"},
		{"staging", "taxes", "not proxied: environment staging has a url of its own"},
	}
	for _, tt := range tests {
		e, ok := c.Environment(tt.environment)
		if !ok {
			t.Fatalf("no environment %s", tt.environment)
		}
		s, ok := e.Service(tt.service)
		if !ok {
			t.Errorf("no service %s in %s", tt.service, tt.environment)
			continue
		}
		got := "not proxied: " + s.Reason
		if s.Upstream != nil {
			got = s.Upstream.String()
		}
		if got != tt.want && (s.Upstream != nil || !strings.HasPrefix(got, tt.want)) {
			t.Errorf("%s in %s goes to %s, want %s", tt.service, tt.environment, got, tt.want)
		}
	}
	if e, _ := c.Environment("production"); e.services["taxes"].InCatalogue || !e.services["crm"].InCatalogue {
		t.Error("InCatalogue is wrong")
	}
	if _, ok := c.Environment("nowhere"); ok {
		t.Error("there is an environment nowhere")
	}
}

// A setting under an alias belongs to the service.
func TestSettingsUnderAnAlias(t *testing.T) {
	c := mustLoad(t, LoadOptions{}, "version: 1\nservices: {company-tree: {quota: {max: 5}}}\nenvironments: {rc: {services: {entities: {quota: {max: 6}}}}}\n", nil)
	for environment, want := range map[string]int{"production": 5, "rc": 6} {
		e, _ := c.Environment(environment)
		s, _ := e.Service("entitymanager")
		if s.Quota.Max != want {
			t.Errorf("max in %s is %d, want %d", environment, s.Quota.Max, want)
		}
	}
	if got := c.Source("services.entitymanager.quota.max"); got != "conf/gateway.yaml:2" {
		t.Errorf("source %s", got)
	}
}

// Key paths are read back as they were written into messages.
func TestKeyPaths(t *testing.T) {
	for path, want := range map[string][]string{
		"a.b":                        {"a", "b"},
		"a[2].b":                     {"a", "[2]", "b"},
		`a[0].services."*".x`:        {"a", "[0]", "services", "*", "x"},
		join(join("a", "b-c"), "*"):  {"a", "b-c", "*"},
		index(join("", "rules"), 10): {"rules", "[10]"},
	} {
		rest := path
		for _, key := range want {
			var got string
			if got, rest = cutKey(rest); got != key {
				t.Errorf("%s: key %q, want %q", path, got, key)
			}
		}
		if rest != "" {
			t.Errorf("%s: %q is left", path, rest)
		}
	}
}
