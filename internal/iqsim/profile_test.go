package iqsim

import (
	"fmt"
	"net/http"
	"testing"
)

// The limits that were observed, by the fields that tell them.
func TestBuiltinLimits(t *testing.T) {
	h := startSim(t, Options{})
	for service, want := range map[string][2]string{ // X-RateLimit-Limit, IQ-APIM-RateLimit-Limit
		"accounts":            {"1000000", "3000"},
		"catalogs":            {"500", ""},
		"crm":                 {"1000", "1500"},
		"entitymanager":       {"", "1500"},
		"availability":        {"", "1500"},
		"pricing":             {"1000", ""},
		"pointofsale":         {"1000", ""},
		"posreports":          {"1000", ""},
		"generalledger":       {"1000", ""},
		"cost":                {"1000", ""},
		"reasoncode":          {"1000", ""},
		"inventoryadjustment": {"1000", ""},
		"purchaseorder":       {"1000", ""},
		"iqtaxprovider":       {"1000", ""},
		"dataconnect":         {"", ""},
	} {
		r := h.get("/" + service + "/ping")
		if service == "accounts" {
			r = h.do(http.MethodPost, "/accounts/token", formOf(), "Content-Type", formType)
		}
		got := [2]string{r.header.Get("X-RateLimit-Limit"), r.header.Get("IQ-APIM-RateLimit-Limit")}
		if got != want || r.status != http.StatusOK {
			t.Errorf("%s: status %d, limits %q, want %q", service, r.status, got, want)
		}
	}
}

// Every service refuses a call without a token, but for those that are open.
func TestEveryServiceAsksForAToken(t *testing.T) {
	h := startSim(t, Options{})
	h.bearer = ""
	open := map[string]bool{"reference": true, "accounts": true, "vmi": true, "vmi1": true, "vmi3": true, "vmi10": true}
	for service := range h.environments["sandbox"].services() {
		r := h.get("/" + service + "/v1/Companies(14146)/Things")
		if (r.status == http.StatusUnauthorized) == open[service] {
			t.Errorf("%s: status %d", service, r.status)
		}
	}
}

func TestNeedsToken(t *testing.T) {
	p, err := Profile{Anonymous: []string{"/v1/Open**", "GET /assets/{id}"}}.compile()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		method, folded string
		want           bool
	}{
		{"GET", "/v1/open", false},
		{"POST", "/v1/open/x", false},
		{"GET", "/assets/1", false},
		{"POST", "/assets/1", true},
		{"GET", "/assets", true},
		{"GET", "/v1/other", true},
	} {
		if got := p.needsToken(tt.method, tt.folded); got != tt.want {
			t.Errorf("%s %s: %v", tt.method, tt.folded, got)
		}
	}
}

func TestCompileFillsDefaults(t *testing.T) {
	p, err := Profile{APIMLimit: "0"}.compile()
	if err != nil {
		t.Fatal(err)
	}
	if p.Limit != 1000 || p.AnonymousLimit != 1000 || p.CompressFrom != 512 || fmt.Sprint(p.Encodings) != "[gzip]" {
		t.Errorf("profile %+v", p.Profile)
	}
	if len(p.fields) != 1 || p.fields[0] != (Field{"IQ-APIM-RateLimit-Limit", "0"}) || len(p.Fields) != 0 {
		t.Errorf("fields %v of %v", p.fields, p.Fields)
	}
}

func TestLimitsOption(t *testing.T) {
	ps, err := newProfiles(map[string]Profile{"crm": {Limit: 5, APIMLimit: "9"}}, map[string]int{"crm": 7, "catalogs": 8})
	if err != nil {
		t.Fatal(err)
	}
	if p := ps.of("rc", "crm"); p.Limit != 7 || p.AnonymousLimit != 7 || p.APIMLimit != "9" {
		t.Errorf("crm %+v", p.Profile)
	}
	if p := ps.of("rc", "catalogs"); p.Limit != 8 || !p.JSONCharset {
		t.Errorf("catalogs %+v", p.Profile)
	}
	first, again := ps.of("rc", "crm"), ps.of("rc", "crm")
	if first != again {
		t.Error("the profile was compiled twice")
	}
}
