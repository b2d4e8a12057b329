package config

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func exampleNames() []string { return []string{"minimal", "simulator", "full"} }

// loadExample reads an example offline: its references lead nowhere here.
func loadExample(t testing.TB, name string) (*Config, Problems) {
	t.Helper()
	c, warnings, err := Load(LoadOptions{Path: "../examples/" + name + ".yaml", Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	return c, warnings
}

func TestExamplesLoad(t *testing.T) {
	want := map[string][]string{
		"minimal": nil,
		"simulator": {
			"../examples/simulator.yaml:19: credentials.retail.client_secret: a secret stands in the open: write ${env:NAME} or ${file:/path}",
			"../examples/simulator.yaml:21: credentials.retail.password: a secret stands in the open: write ${env:NAME} or ${file:/path}",
		},
		"full": {
			"../examples/full.yaml:80: environments.staging.services.dataconnect: no caller can reach this service",
			"../examples/full.yaml:81: environments.staging.services.crm: no caller can reach this service",
			"../examples/full.yaml:139: services.crm.quota.shares.reporting: has no effect: callers.reporting.access does not have crm",
		},
	}
	for _, name := range exampleNames() {
		_, warnings := loadExample(t, name)
		var got []string
		for _, w := range warnings {
			got = append(got, w.String())
		}
		if diff := cmp.Diff(want[name], got); diff != "" {
			t.Errorf("%s: warnings (-want +got)\n%s", name, diff)
		}
	}
}

// The examples run with their references followed, too.
func TestMinimalExampleWithSecrets(t *testing.T) {
	environ := []string{"IQ_CLIENT_ID=id", "IQ_CLIENT_SECRET=secret", "IQ_USERNAME=user", "IQ_PASSWORD=0777"}
	c, _, err := Load(LoadOptions{Path: "../examples/minimal.yaml", Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Credentials["retail"].Password.Reveal(); got != "0777" {
		t.Errorf("password %q", got)
	}
	_, _, err = Load(LoadOptions{Path: "../examples/minimal.yaml", Environ: environ[:2]})
	want := "../examples/minimal.yaml:13: credentials.retail.username: refers to environment variable IQ_USERNAME, which is not set\n" +
		"../examples/minimal.yaml:14: credentials.retail.password: refers to environment variable IQ_PASSWORD, which is not set"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want\n%s", err, want)
	}
}

// eachField visits every key of the schema once per mapping type.
func eachField(visit func(t reflect.Type, f field)) {
	s := newSchema()
	var walk func(t reflect.Type)
	walk = func(t reflect.Type) {
		k, t := kindOf(t)
		_, done := s.mappings[t]
		switch {
		case k == kindNames || k == kindList:
			walk(t.Elem())
		case k == kindMapping && !done:
			for _, f := range s.of(t).fields {
				visit(t, f)
				walk(f.typ)
			}
		}
	}
	walk(reflect.TypeFor[Document]())
}

// Every key of the schema stands in full.yaml.
func TestFullExampleHasEveryKey(t *testing.T) {
	c, _ := loadExample(t, "full")
	seen := map[string]bool{}
	var walk func(typ reflect.Type, v any)
	walk = func(typ reflect.Type, v any) {
		k, typ := kindOf(typ)
		l, _ := v.(leaf)
		mapping, _ := v.(tree)
		for _, item := range l.Items {
			walk(typ.Elem(), item)
		}
		for key, value := range mapping {
			switch {
			case key == self:
			case k == kindNames:
				walk(typ.Elem(), value)
			case firstWritten(value).Layer == layerFile:
				f, _ := c.schema.of(typ).find(key)
				seen[typ.Name()+"."+key] = true
				walk(f.typ, value)
			}
		}
	}
	walk(reflect.TypeFor[Document](), c.tree)
	eachField(func(typ reflect.Type, f field) {
		if name := typ.Name() + "." + f.key; !seen[name] {
			t.Errorf("key %s does not stand in examples/full.yaml", name)
		}
	})
	if len(seen) < 150 {
		t.Errorf("only %d keys were compared", len(seen))
	}
}

// The schema has no word that YAML 1.1 takes for a boolean, spells every key in
// snake_case, describes it, and has defaults that keep their own rules.
func TestSchemaIsSound(t *testing.T) {
	docs, err := schemaDocs()
	if err != nil {
		t.Fatal(err)
	}
	booleans := strings.Fields("y n yes no on off true false null ~ nan inf")
	r := &report{}
	d := newDecoder(newSchema(), r, sources{offline: true})
	eachField(func(typ reflect.Type, f field) {
		name := typ.Name() + "." + f.key
		if strings.Trim(f.key, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			t.Errorf("%s is not snake_case", name)
		}
		for _, word := range append(slices.Clone(f.rule.enum), f.key) {
			if slices.Contains(booleans, strings.ToLower(word)) {
				t.Errorf("%s: %q is a boolean in YAML 1.1", name, word)
			}
		}
		if docs[typ.Name()+"."+f.name] == "" {
			t.Errorf("%s has no comment", name)
		}
		if f.rule.hasDef {
			d.decode(reflect.New(f.typ).Elem(), defaultOf(f), name, f.rule, true)
		}
	})
	if len(r.errors) > 0 {
		t.Errorf("defaults: %v", r.errors)
	}
}

// The defaults section of full.yaml shows the defaults.
func TestFullExampleShowsTheDefaults(t *testing.T) {
	full, _ := loadExample(t, "full")
	minimal, _ := loadExample(t, "minimal")
	a, _ := full.Environment("rc")
	b, _ := minimal.Environment("rc")
	x, _ := a.Service("pricing")
	y, _ := b.Service("pricing")
	opaque := cmp.Comparer(func(a, b Pattern) bool { return a.String() == b.String() })
	if diff := cmp.Diff(y.Service, x.Service, opaque); diff != "" {
		t.Errorf("(-built in +full.yaml)\n%s", diff)
	}
	if diff := cmp.Diff(minimal.Server.Limits, full.Server.Limits); diff != "" {
		t.Errorf("server.limits (-built in +full.yaml)\n%s", diff)
	}
}

// A few values through the whole way, as the rest of the program reads them.
func TestFullExampleValues(t *testing.T) {
	c, _ := loadExample(t, "full")
	production, _ := c.Environment("production")
	crm, _ := production.Service("crm")
	staging, _ := c.Environment("staging")
	dataconnect, _ := staging.Service("dataconnect")
	sandbox, _ := c.Environment("sandbox")
	taxes, _ := sandbox.Service("taxes")
	noTaxes, _ := staging.Service("taxes")
	stagingCRM, _ := staging.Service("customers") // an alias
	access := c.Callers["storefront"].Access
	tests := []struct {
		what      string
		got, want any
	}{
		{"max", crm.Quota.Max, 900},
		{"max in staging", stagingCRM.Quota.Max, 200},
		{"alias", stagingCRM.Name, "crm"},
		{"assume", crm.Quota.Assume, Rate{1000, time.Minute}},
		{"shorthand share", crm.Quota.Shares["storefront"], Share{Guarantee: Amount{Percent: 40}, Weight: 1}},
		{"share", crm.Quota.Shares["reporting"], Share{Guarantee: Amount{Percent: 5}, Cap: Amount{Percent: 25}, Weight: 1}},
		{"upstream", crm.Upstream.String(), "https://crm.iqmetrix.net"},
		{"upstream in staging", stagingCRM.Upstream.String(), "https://crm.iq-staging.example.com"},
		{"own url in staging", dataconnect.Upstream.String(), "https://rqdataconnect.iq-staging.example.com"},
		{"suffix in a service's url", taxes.Upstream.String(), "https://apidemo.iqmetrix.net/taxes"},
		{"a fixed url stays out of staging", noTaxes.Upstream == nil, true},
		{"none", dataconnect.Timeouts.Total, time.Duration(0)},
		{"response header", dataconnect.Timeouts.ResponseHeader, 10 * time.Minute},
		{"rule ttl none", crm.Cache.Rules[0].TTL, time.Duration(0)},
		{"vary", crm.Cache.Rules[1].Vary, []HeaderName{"Accept", "Accept-Language"}},
		{"size", c.Cache.Memory, Size(256 << 20)},
		{"date ends its day", c.Callers["storefront"].Keys[0].Expires, time.Date(2027, 12, 31, 23, 59, 59, 999999999, time.UTC)},
		{"grant", access[0].Services["crm"], Grant{Level: "write"}},
		{"grant of methods", access[0].Services["order"].Methods, []string{"GET", "POST"}},
		{"environment of an access", access[0].Environment, "production"},
		{"rate", c.Callers["storefront"].RateLimit.Rate, Rate{100, time.Second}},
		{"ratio", c.Telemetry.Traces.Sample, Ratio(0.01)},
		{"sensitive default", c.Callers["reporting"].Cache, true},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, tt.got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.what, diff)
		}
	}
}

// The published example must stay loadable without any file around it.
func TestExamplesAreSelfContained(t *testing.T) {
	for _, name := range exampleNames() {
		text, err := os.ReadFile("../examples/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := Load(LoadOptions{Path: "elsewhere.yaml", Data: text, Files: fakeFiles{}, Offline: true}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
