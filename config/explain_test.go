package config

import (
	"reflect"
	"strings"
	"testing"
)

func TestExplain(t *testing.T) {
	full, _ := loadExample(t, "full")
	for _, tt := range []struct {
		path  string
		typ   string
		value string // of the first
		from  string
	}{
		{"services.crm.quota.max_wait.batch", "duration, 0s to 24h", "60s", "examples/full.yaml:"},
		{"services.catalogs.quota.kind", "window, concurrency, none", "window", "catalogue"},
		{"environments.production.services.crm.cache.mode", "policy, rfc9111, none", "policy", "examples/full.yaml:"},
		{"callers.storefront.class", "interactive, batch, background", "interactive", "examples/full.yaml:"},
		{"callers.storefront.keys", "list of mappings with id, sha256, expires", "1 written", "examples/full.yaml:"},
		{"admin.token", "secret", "${file:", "examples/full.yaml:"},
	} {
		s, err := Explain(tt.path, full)
		if err != nil {
			t.Error(err)
			continue
		}
		if len(s.Values) == 0 || s.Type != tt.typ || s.Meaning == "" || !strings.HasPrefix(s.Values[0].Value, tt.value) || !strings.Contains(s.Values[0].Source, tt.from) {
			t.Errorf("%s: %+v", tt.path, s)
		}
	}
	if s, err := Explain("callers", full); err != nil || !reflect.DeepEqual(s.Keys, sortedKeys(full.Callers)) {
		t.Errorf("%v, %v", s.Keys, err)
	}
}

func TestExplainNamesWhatIsNear(t *testing.T) {
	full, _ := loadExample(t, "full")
	for path, want := range map[string]string{
		"services.crm.quot":           `services.crm.quot: unknown key (did you mean "quota"?)`,
		"services.customer.quota.max": `did you mean "customers"?`,
		"callers.storefornt.class":    `there is no entry of callers "storefornt" (did you mean "storefront"?)`,
		"callers.storefront.keys[0]":  "there is nothing below callers.storefront.keys",
		"server.address.port":         "there is nothing below server.address",
		"a..b":                        "unknown key",
		".":                           "unknown key",
		"":                            "no key",
	} {
		if s, err := Explain(path, full); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v, want %s", path, s, err, want)
		}
	}
}

// Every key path of the schema has a meaning and a type.
func TestExplainKnowsTheWholeSchema(t *testing.T) {
	known := newSchema()
	n := 0
	var walk func(path string, typ reflect.Type, depth int)
	walk = func(path string, typ reflect.Type, depth int) {
		k, typ := kindOf(typ)
		switch {
		case depth > 8:
			return
		case k == kindNames:
			walk(path+".name", typ.Elem(), depth+1)
			return
		case k != kindMapping:
			return
		}
		for _, f := range known.of(typ).fields {
			at := join(path, f.key)
			s, err := Explain(at, nil)
			if n++; err != nil || s.Meaning == "" || s.Type == "" {
				t.Errorf("%s: %+v, %v", at, s, err)
			}
			walk(at, f.typ, depth+1)
		}
	}
	walk("", reflect.TypeFor[Document](), 0)
	if n < 200 {
		t.Errorf("only %d keys", n)
	}
}
