package config

import (
	"slices"
	"strings"
	"testing"
)

// builtinConfig is a configuration that says nothing about services, with an
// environment of its own.
func builtinConfig(t testing.TB) *Config {
	t.Helper()
	c, _, err := Load(LoadOptions{Path: "test.yaml", Data: []byte("version: 1\nenvironments: {my-own: {url: \"http://127.0.0.1:19900/{service}\"}}\n")})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// service returns a service's settings, by name or alias.
func service(t testing.TB, c *Config, environment, name string) *EffectiveService {
	t.Helper()
	e, ok := c.Environment(environment)
	if !ok {
		t.Fatalf("no environment %s", environment)
	}
	s, ok := e.Service(name)
	if !ok {
		t.Fatalf("no service %s in %s", name, environment)
	}
	return s
}

// everyService calls f for each service in each environment.
func everyService(t testing.TB, f func(*EffectiveService)) {
	t.Helper()
	c := builtinConfig(t)
	for _, name := range c.EnvironmentNames() {
		e, _ := c.Environment(name)
		for _, s := range e.Services() {
			f(s)
		}
	}
}

// hosts returns where an API is found in an environment, with the prefix on a
// shared host, or the reason why it is nowhere.
func hosts(t testing.TB, c *Config, environment string, api API) (found []string, reason string) {
	t.Helper()
	for _, name := range api.Services {
		s := service(t, c, environment, name)
		if s.Upstream != nil {
			found = append(found, s.Upstream.Host+s.Upstream.Path)
		} else if reason == "" {
			reason = s.Reason
		}
	}
	if len(found) > 0 {
		reason = ""
	}
	return found, reason
}

// everywhere is an API that follows the naming rule in each environment.
func everywhere(stem string) [3]string {
	return [3]string{stem + "demo.iqmetrix.net", stem + "rc.iqmetrix.net", stem + ".iqmetrix.net"}
}

// apiHosts has each API of the provider with its host in sandbox, rc and
// production, or the beginning of the reason why it has none there.
func apiHosts() map[string][3]string {
	const (
		apim       = "no: the provider names the host with suffix rc as this API's sandbox"
		supplier   = "no: each supplier implements this API"
		unknown    = "no: the provider lists this API, but no public page names its host"
		production = "no: the provider documents it for production only"
	)
	vmi := [3]string{"vmidemo.iqmetrix.net", "vmirc.iqmetrix.net", "vmi1.iqmetrix.net vmi3.iqmetrix.net vmi10.iqmetrix.net"}
	dataconnect := [3]string{"rqdataconnectdemo.iqmetrix.net", "dataconnectrc.iqmetrix.net", "dataconnect.iqmetrix.net"}
	return map[string][3]string{
		"Authentication":                   everywhere("accounts"),
		"Catalog":                          everywhere("catalogs"),
		"Company Tree":                     everywhere("entitymanager"),
		"Customers":                        everywhere("crm"),
		"Cost Feed":                        everywhere("dropship"),
		"Product Feed":                     everywhere("curation"),
		"Product Subscription":             everywhere("productsubscriptions"),
		"Shipping Aggregator":              everywhere("shippingaggregator"),
		"Supplier Availability":            everywhere("dropship"),
		"Supplier Orders":                  everywhere("dropship"),
		"Entities":                         everywhere("entitymanager"),
		"General Ledger":                   everywhere("generalledger"),
		"Inventory Availability":           everywhere("availability"),
		"Orders":                           everywhere("order"),
		"Partner Reporting":                everywhere("reporting"),
		"Partner Relationships":            everywhere("entitymanager"),
		"Pricing":                          everywhere("pricing"),
		"Classification Tree":              everywhere("productlibrary"),
		"Field Definitions":                everywhere("productlibrary"),
		"Products":                         everywhere("productlibrary"),
		"Product Structure":                everywhere("productlibrary"),
		"Reference":                        everywhere("reference"),
		"Carrier Integration":              everywhere("carrierservices"),
		"Commissions":                      everywhere("commission"),
		"Electronic Product Catalog (EPC)": everywhere("platformepc"),
		"Punch Clock":                      everywhere("punchclock"),
		"Security Roles":                   everywhere("usermanager"),
		"User Manager":                     everywhere("usermanager"),
		"Assets":                           everywhere("ams"),
		"Sales Orders":                     everywhere("salesorder"),
		"Trade-In Reporting":               everywhere("tradeinreporting"),
		"Payments":                         everywhere("payments"),
		"Payment Reporting":                everywhere("paymentreporting"),
		"Invoice":                          everywhere("invoice"),
		"Purchase Order (2016)":            everywhere("purchaseorder"),

		"DataConnect":              dataconnect,
		"DataConnect Deltas":       dataconnect,
		"DataConnect Bridge":       dataconnect,
		"DataConnect for Partners": dataconnect,

		"Customer Managed Inventory (CMI)": vmi,
		"Vendor Managed Inventory (VMI)":   vmi,

		"Purchase Orders":       {apim, "apirc.iqmetrix.net/rqpurchaseorders", "api.iqmetrix.net/rqpurchaseorders"},
		"Inventory Adjustments": {apim, "apirc.iqmetrix.net/rqinventoryadjustment", "api.iqmetrix.net/rqinventoryadjustment"},
		"Vendor Inventory":      {apim, "apirc.iqmetrix.net/vendorinventory", "api.iqmetrix.net/vendorinventory"},

		"Shipping Options":          {supplier, supplier, supplier},
		"Transaction Details":       {unknown, unknown, unknown},
		"AT&T Authentication Proxy": {production, production, "authproxyatt.iqmetrix.net"},
	}
}

func TestEveryAPIHasAHostOrAReason(t *testing.T) {
	want := apiHosts()
	c := builtinConfig(t)
	for _, api := range c.APIs() {
		expected, listed := want[api.Name]
		if !listed {
			t.Errorf("API %q has no row in this test", api.Name)
		}
		delete(want, api.Name)
		for i, environment := range []string{"sandbox", "rc", "production"} {
			found, reason := hosts(t, c, environment, api)
			got := strings.Join(found, " ")
			if got == "" {
				got = "no: " + reason
			}
			isReason := strings.HasPrefix(expected[i], "no: ")
			if got != expected[i] && (!isReason || !strings.HasPrefix(got, expected[i])) {
				t.Errorf("%s in %s: %s, want %s", api.Name, environment, got, expected[i])
			}
		}
	}
	for name := range want {
		t.Errorf("the catalogue has no API %q", name)
	}
}

// Host stems that belong to no API of the provider's lists, but were seen.
func TestServicesBeyondTheAPIs(t *testing.T) {
	want := []string{
		"cost", "covaorderintake", "inventoryadjustment", "iqloyalty", "iqtaxprovider", "ordermanagementreporting",
		"pointofsale", "posreports", "reasoncode",
	}
	c := builtinConfig(t)
	named := make(map[string]bool)
	for _, api := range c.APIs() {
		for _, name := range api.Services {
			named[name] = true
		}
	}
	e, _ := c.Environment("production")
	var got []string
	for _, s := range e.Services() {
		if !named[s.Name] {
			got = append(got, s.Name)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("services without an API: %v, want %v", got, want)
	}
}

func TestServicesKnowTheirAPIs(t *testing.T) {
	c := builtinConfig(t)
	s := service(t, c, "sandbox", "partner-relationships")
	if s.Name != "entitymanager" {
		t.Errorf("partner-relationships stands for %s", s.Name)
	}
	if want := []string{"Company Tree", "Entities", "Partner Relationships"}; !slices.Equal(s.APIs, want) {
		t.Errorf("entitymanager: apis %v, want %v", s.APIs, want)
	}
	if want := []string{"company-tree", "entities", "partner-relationships"}; !slices.Equal(s.Aliases, want) {
		t.Errorf("entitymanager: aliases %v, want %v", s.Aliases, want)
	}
	if got, want := s.Document.String(), "https://developers.iqmetrix.com/api/company-tree"; got != want {
		t.Errorf("entitymanager: document %s, want %s", got, want)
	}
	regional := service(t, c, "production", "vmi3")
	if len(regional.Aliases) != 0 || len(regional.APIs) != 2 {
		t.Errorf("vmi3: aliases %v, which belong to cmi, and apis %v", regional.Aliases, regional.APIs)
	}
}

// An environment with a url of its own takes every host from there, by stem,
// without the exceptions of the built-in environments.
func TestOwnEnvironmentTakesEveryHost(t *testing.T) {
	c := builtinConfig(t)
	for name, want := range map[string]string{
		"crm":             "http://127.0.0.1:19900/crm",
		"company-tree":    "http://127.0.0.1:19900/entitymanager",
		"dataconnect":     "http://127.0.0.1:19900/dataconnect",
		"cmi":             "http://127.0.0.1:19900/vmi",
		"vmi3":            "http://127.0.0.1:19900/vmi3",
		"authproxyatt":    "http://127.0.0.1:19900/authproxyatt",
		"vendorinventory": "http://127.0.0.1:19900/api/vendorinventory",
		"accounts":        "http://127.0.0.1:19900/accounts",
	} {
		if s := service(t, c, "my-own", name); s.Upstream == nil || s.Upstream.String() != want {
			t.Errorf("%s is at %v (%s), want %s", name, s.Upstream, s.Reason, want)
		}
	}
	if s := service(t, c, "my-own", "shipping-options"); s.Proxied || s.Upstream != nil {
		t.Errorf("shipping-options is at %v", s.Upstream)
	}
}

func TestTheCatalogueIsTheSource(t *testing.T) {
	c := builtinConfig(t)
	s := service(t, c, "sandbox", "dataconnect")
	for key, want := range map[string]string{
		"host": "catalogue", "quota.max": "catalogue", "timeouts.total": "catalogue", "timeouts.connect": "default", "aliases": "catalogue",
	} {
		if got := s.Source(key); got != want {
			t.Errorf("%s comes from %q, want %q", key, got, want)
		}
	}
}
