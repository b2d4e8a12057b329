package iqsim

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func testAddresses() addresses {
	return addresses{
		environments:       []Environment{{"production", ""}, {"sandbox", "demo"}, {"rc", "rc"}},
		defaultEnvironment: "sandbox",
		knows: func(service string) bool {
			return strings.Contains(" crm catalogs dataconnect api ", " "+service+" ")
		},
	}
}

func TestAddresses(t *testing.T) {
	tests := []struct {
		host, target string
		want         address
	}{
		{"127.0.0.1:19900", "/crm/v1/x", address{"sandbox", "crm", "/v1/x", "http://127.0.0.1:19900/crm"}},
		{"127.0.0.1:19900", "/crm", address{"sandbox", "crm", "/", "http://127.0.0.1:19900/crm"}},
		{"localhost", "/crm/", address{"sandbox", "crm", "/", "http://localhost/crm"}},
		{"localhost", "/~production/crm/v1/x?a=b", address{"production", "crm", "/v1/x", "http://localhost/~production/crm"}},
		{"localhost", "/~nowhere/crm/v1/x", address{}},
		{"localhost", "/~production", address{}},
		{"localhost", "/nope/v1", address{}},
		{"localhost", "/", address{}},
		{"localhost", "//crm/v1", address{}},
		{"crm.iqmetrix.net", "/v1/x", address{"production", "crm", "/v1/x", "https://crm.iqmetrix.net"}},
		{"CRMdemo.iqmetrix.net:443", "/v1/x", address{"sandbox", "crm", "/v1/x", "https://CRMdemo.iqmetrix.net:443"}},
		{"crmrc.iqmetrix.net.", "/", address{"rc", "crm", "/", "https://crmrc.iqmetrix.net."}},
		{"rqdataconnectdemo.iqmetrix.net", "/session", address{"sandbox", "dataconnect", "/session", "https://rqdataconnectdemo.iqmetrix.net"}},
		{"dataconnectrc-useast.iqmetrix.net", "/s", address{"rc", "dataconnect", "/s", "https://dataconnectrc-useast.iqmetrix.net"}},
		{"nope.iqmetrix.net", "/crm/v1", address{}},
		{"localhost", "/crm/v1/Companies%281%29/a%2Fb//c;d", address{"sandbox", "crm", "/v1/Companies%281%29/a%2Fb//c;d", "http://localhost/crm"}},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(http.MethodGet, tt.target, nil)
		r.Host = tt.host
		a := testAddresses()
		got, ok := a.resolve(r)
		if got != tt.want || ok != (tt.want != address{}) {
			t.Errorf("%s %s: got %+v, %v, want %+v", tt.host, tt.target, got, ok, tt.want)
		}
	}
}

func TestBelowKeepsTheEscaping(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/crm/v1/Companies%281%29/a%2Fb?$filter=x;y&%24top=1", nil)
	sub := below(r, "/v1/Companies%281%29/a%2Fb")
	if sub.URL.EscapedPath() != "/v1/Companies%281%29/a%2Fb" || sub.URL.Path != "/v1/Companies(1)/a/b" {
		t.Errorf("path %q, escaped %q", sub.URL.Path, sub.URL.EscapedPath())
	}
	if sub.URL.RawQuery != "$filter=x;y&%24top=1" {
		t.Errorf("query %q", sub.URL.RawQuery)
	}
	if r.URL.Path != "/crm/v1/Companies(1)/a/b" {
		t.Error("the original request was changed")
	}
}

func TestAbsoluteForm(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "https://crmdemo.iqmetrix.net/v1/x%28?y", nil)
	a := testAddresses()
	got, ok := a.resolve(r)
	if !ok || got.environment != "sandbox" || got.path != "/v1/x%28" {
		t.Errorf("got %+v, %v", got, ok)
	}
}

func FuzzAddress(f *testing.F) {
	for _, seed := range [][2]string{
		{"localhost", "/crm/v1/Companies(1)"},
		{"crmdemo.iqmetrix.net", "/v1//x%2f?a=b"},
		{"[::1]:80", "/~rc/api/%zz"},
		{".iqmetrix.net", "/"},
		{"-", "*"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, host, target string) {
		r := &http.Request{Method: http.MethodGet, Host: host, RequestURI: target, URL: &url.URL{Path: target}}
		a := testAddresses()
		to, ok := a.resolve(r)
		if !ok {
			return
		}
		if !a.knows(to.service) || !a.exists(to.environment) || !strings.HasPrefix(to.path, "/") {
			t.Errorf("%q %q resolved to %+v", host, target, to)
		}
		raw := rawPath(r)
		if to.path != "/" && !strings.HasSuffix(raw, to.path) {
			t.Errorf("path %q is not how %q ends", to.path, raw)
		}
		if sub := below(r, to.path); sub.URL.RawPath != to.path {
			t.Errorf("the service sees %q instead of %q", sub.URL.RawPath, to.path)
		}
	})
}
