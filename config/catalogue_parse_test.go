package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseCatalogueRefuses(t *testing.T) {
	const head = "domain: example.net\nportal: docs.example.net\n"
	for name, tt := range map[string]struct{ text, want string }{
		"no YAML":              {"{", "not readable"},
		"an unknown section":   {head + "hosts: {}", "field hosts not found"},
		"an unknown field":     {head + "apis: [{name: A, host: x}]", "field host not found"},
		"an unknown setting":   {head + "services: {crm: {pong: /ping}}", "services.crm.pong: unknown key"},
		"an unknown exception": {head + "environments: {rc: {services: {crm: {pong: /ping}}}}", "environments.rc.services.crm.pong: unknown key"},
		"settings as a list":   {head + "services: {crm: [a]}", "services.crm: is a list"},
		"an empty service":     {head + "services: {crm: }", "services.crm: is a key without a value"},
		"a bad name":           {head + "services: {CRM: {}}", `services."CRM": is no name`},
		"a key twice":          {head + "services: {crm: {ping: /a, ping: /b}}", "given twice"},
		"a service twice":      {head + "services: {crm: {}, crm: {}}", "already defined"},
		"an API of no service": {head + "apis: [{name: A, services: [crm]}]", `API "A": service "crm" is not in services`},
		"evidence of no environment": {
			head + "services: {crm: {x-published: [moon]}}", `service "crm": x-published names "moon"`,
		},
		"evidence that is no list": {
			head + "services: {crm: {x-published: {a: b}}}", `service "crm"`,
		},
		"an alias twice": {
			head + "services: {a: {}, b: {}}\napis:\n- {name: A, services: [a], aliases: [x]}\n- {name: B, services: [b], aliases: [x]}",
			`API "B": alias "x" already stands for "A"`,
		},
		"an alias that is a service": {
			head + "services: {a: {}, b: {}}\napis: [{name: A, services: [a], aliases: [b]}]", `alias "b" already stands for "b"`,
		},
	} {
		if _, err := parseCatalogue([]byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func TestParseCatalogueMergesAnchors(t *testing.T) {
	c, err := parseCatalogue([]byte("environments: {rc: {suffix: rc}}\nservices:\n" +
		"  a: &a {host: 0777, sensitive: no, x-published: [rc]}\n  b: {<<: *a, sensitive: yes}\n"))
	if err != nil {
		t.Fatal(err)
	}
	b := c.services["b"]
	for key, want := range map[string]string{"host": "0777", "sensitive": "yes"} {
		if l, _ := b[key].(leaf); l.Text != want {
			t.Errorf("%s is %v, want %s", key, b[key], want)
		}
	}
	if at, want := originOf(b["host"]), (Origin{Layer: layerCatalogue, Name: "catalogue.yaml", Line: 3}); at != want {
		t.Errorf("host comes from %#v, want %#v", at, want)
	}
	if _, left := b["x-published"]; left || len(c.Published["b"]) != 1 {
		t.Errorf("x-published: %v in the settings, %v as evidence", left, c.Published["b"])
	}
}

func FuzzParseCatalogue(f *testing.F) {
	f.Add("domain: d\nenvironments: {rc: {suffix: rc, services: {a: &x {proxied: false, reason: r}, b: *x}}}\nservices: {a: {}, b: {x-published: [rc]}}")
	f.Add("services: {a: &a {x: 1}, b: {<<: *a}}")
	f.Add("apis: [{name: A, services: [a], aliases: [b]}]\nservices: {a: {aliases: x}}")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCatalogue([]byte(text))
		if err != nil {
			return
		}
		again, err := parseCatalogue([]byte(text))
		if err != nil {
			t.Fatalf("read once, but not twice: %v", err)
		}
		if diff := cmp.Diff(c.services, again.services); diff != "" {
			t.Errorf("reads differently the second time:\n%s", diff)
		}
	})
}

func TestOverlayLeavesTheSpecialTreeAlone(t *testing.T) {
	a, b := leaf{Text: "a"}, leaf{Text: "b"}
	general := tree{"quota": tree{"kind": a, "max": a}, "ping": a}
	special := tree{"quota": tree{"kind": b}, "cache": tree{"mode": b}}
	overlay(general, special)
	want := tree{"quota": tree{"kind": b, "max": a}, "ping": a, "cache": tree{"mode": b}}
	if diff := cmp.Diff(want, general); diff != "" {
		t.Error(diff)
	}
	overlay(general, tree{"cache": tree{"mode": a}, "quota": tree{"kind": a}})
	if diff := cmp.Diff(tree{"quota": tree{"kind": b}, "cache": tree{"mode": b}}, special); diff != "" {
		t.Errorf("a later overlay reached the first one's source:\n%s", diff)
	}
}

func TestSettings(t *testing.T) {
	c, err := builtin()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ environment, service, key, want string }{
		{"sandbox", "dataconnect", "host", "rqdataconnect"},
		{"rc", "dataconnect", "host", ""},
		{"my-own", "dataconnect", "host", ""}, // exceptions are those of the built-in environment
		{"my-own", "vendorinventory", "host", "api"},
		{"sandbox", "vendorinventory", "proxied", "false"},
		{"production", "taxes", "host", ""}, // not of the catalogue
	} {
		if l, _ := c.Settings(tt.environment, tt.service)[tt.key].(leaf); l.Text != tt.want {
			t.Errorf("%s in %s: %s = %q, want %q", tt.service, tt.environment, tt.key, l.Text, tt.want)
		}
	}
	for name, own := range map[string]int{"taxes": 0, "crm": 0, "dataconnect": 1} {
		if l, _ := c.Settings("sandbox", name)["denied"].(leaf); len(l.Items) != own+len(c.denied) {
			t.Errorf("%s: denied %v", name, l.Items)
		}
	}
}

// A merge into one result must not reach the next reader.
func TestSettingsBelongToTheCaller(t *testing.T) {
	c, err := builtin()
	if err != nil {
		t.Fatal(err)
	}
	want := c.Settings("production", "cmi")
	spoiled := c.Settings("production", "cmi")
	overlay(spoiled, tree{"quota": tree{"kind": leaf{Text: "none"}}, "timeouts": tree{"total": leaf{Text: "1s"}}})
	delete(subtree(spoiled, "cache"), "rules")
	if diff := cmp.Diff(want, c.Settings("production", "cmi")); diff != "" {
		t.Errorf("after writing into an earlier result:\n%s", diff)
	}
}

func BenchmarkBuiltin(b *testing.B) {
	for b.Loop() {
		if _, err := builtin(); err != nil {
			b.Fatal(err)
		}
	}
}
