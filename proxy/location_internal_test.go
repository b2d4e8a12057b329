package proxy

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"iqgateway/internal/exchange"
)

func parseURL(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		panic(err) // a mistake in a table
	}
	return u
}

// testLocations has a service of its own host, two that share one, and a
// simulated environment where all stand below one address.
func testLocations() *Locations {
	origin := func(environment, service, upstream, native string) Origin {
		o := Origin{Environment: environment, Service: service, Upstream: parseURL(upstream)}
		if native != "" {
			o.Native = parseURL(native)
		}
		return o
	}
	return NewLocations([]Origin{
		origin("production", "crm", "https://crm.iqmetrix.net", "https://crm.iqmetrix.net"),
		origin("production", "pointofsale", "https://pointofsale.iqmetrix.net", "https://pointofsale.iqmetrix.net"),
		origin("production", "covaorderintake", "https://api.iqmetrix.net/covaorderintake", "https://api.iqmetrix.net/covaorderintake"),
		origin("production", "vendorinventory", "https://api.iqmetrix.net/vendorinventory", "https://api.iqmetrix.net/vendorinventory"),
		origin("sandbox", "crm", "https://crmdemo.iqmetrix.net", "https://crmdemo.iqmetrix.net"),
		origin("sim", "crm", "http://127.0.0.1:8081/crm", "https://crm.sim.test"),
		origin("sim", "order", "http://127.0.0.1:8081/order", ""),
	})
}

// target is that of a request to a service under the caller's own prefix.
func target(environment, service, upstream, prefix string) *exchange.Target {
	return &exchange.Target{Environment: environment, Service: service, Upstream: parseURL(upstream), Prefix: prefix}
}

func TestLocation(t *testing.T) {
	crm := target("production", "crm", "https://crm.iqmetrix.net", "/customers")
	cova := target("production", "covaorderintake", "https://api.iqmetrix.net/covaorderintake", "/production/covaorderintake")
	sim := target("sim", "crm", "http://127.0.0.1:8081/crm", "/crm")
	path := func(t *exchange.Target) callerView {
		return callerView{form: exchange.FormPath, scheme: "https", host: "", target: t}
	}
	native := func(t *exchange.Target) callerView {
		return callerView{form: exchange.FormNative, scheme: "https", host: "", target: t}
	}
	absolute := func(t *exchange.Target) callerView {
		return callerView{form: exchange.FormAbsolute, scheme: "http", host: "", target: t}
	}
	const dropped = ""
	tests := []struct {
		view     callerView
		in, want string
	}{
		// The way the caller came: its own spelling for the service it called.
		{path(crm), "https://crm.iqmetrix.net/v1/Companies(1)/Customers(2)?a=%20b;c", "/customers/v1/Companies(1)/Customers(2)?a=%20b;c"},
		{path(crm), "HTTPS://CRM.iqmetrix.net.:443/v1/x", "/customers/v1/x"},
		{path(crm), "http://crm.iqmetrix.net:80/v1/x", "/customers/v1/x"},
		{path(crm), "//crm.iqmetrix.net/v1/x", "/customers/v1/x"},
		{path(crm), "https://crm.iqmetrix.net", "/customers/"},
		{path(crm), "https://crm.iqmetrix.net?a=b", "/customers/?a=b"},
		{path(crm), "https://crm.iqmetrix.net//evil.test/x", "/customers//evil.test/x"},
		// Another service or environment is spelled out.
		{path(cova), "https://pointofsale.iqmetrix.net/v1/Orders(5)", "/production/pointofsale/v1/Orders(5)"},
		{path(crm), "https://crmdemo.iqmetrix.net/v1/x", "/sandbox/crm/v1/x"},
		{path(crm), "https://api.iqmetrix.net/vendorinventory/v1/x", "/production/vendorinventory/v1/x"},
		{path(sim), "http://127.0.0.1:8081/order/v1/x", "/sim/order/v1/x"},
		// Root-relative: the upstream's root is not the caller's.
		{path(crm), "/v1/x", "/customers/v1/x"},
		{path(sim), "/crm/v1/x", "/crm/v1/x"},
		{path(sim), "/order/v1/x", "/sim/order/v1/x"},
		{path(sim), "/other/v1/x", "/other/v1/x"},
		{path(cova), "/covaorderintake/v1/x", "/production/covaorderintake/v1/x"},
		{path(cova), "/vendorinventory", "/production/vendorinventory/"},
		{path(cova), "/vendorinventoryextra/x", "/vendorinventoryextra/x"},
		// Relative to the request: stays so.
		{path(crm), "Customers(2)", "Customers(2)"},
		{path(crm), "../x?y", "../x?y"},
		{path(crm), "?$skip=1", "?$skip=1"},
		{path(crm), "v1/Companies(1):x", "v1/Companies(1):x"},
		// Hosts outside of the catalogue.
		{path(crm), "https://store.blob.core.windows.net/x?sig=abc&se=2027", "https://store.blob.core.windows.net/x?sig=abc&se=2027"},
		{path(crm), "https://crm.iqmetrix.net:8443/v1/x", "https://crm.iqmetrix.net:8443/v1/x"},
		{path(crm), "https://crm.iqmetrix.net.evil.test/x", "https://crm.iqmetrix.net.evil.test/x"},
		{path(crm), "urn:uuid:1", "urn:uuid:1"},
		// Names of the provider, for callers that use them.
		{native(crm), "https://crm.iqmetrix.net/v1/x", "https://crm.iqmetrix.net/v1/x"},
		{native(crm), "/v1/x", "/v1/x"},
		{native(sim), "http://127.0.0.1:8081/crm/v1/x", "https://crm.sim.test/v1/x"},
		{native(sim), "/crm/v1/x", "/v1/x"},
		{native(sim), "http://127.0.0.1:8081/order/v1/x", "http://127.0.0.1:8081/order/v1/x"},
		{native(cova), "/covaorderintake/v1/x", "/covaorderintake/v1/x"},
		{absolute(crm), "https://pointofsale.iqmetrix.net/v1/x", "http://pointofsale.iqmetrix.net/v1/x"},
		{absolute(cova), "https://api.iqmetrix.net/vendorinventory/x", "http://api.iqmetrix.net/vendorinventory/x"},
		// Credentials go nowhere, known host or not.
		{path(crm), "https://user:pw@crm.iqmetrix.net/v1/x", dropped},
		{path(crm), "https://crm.iqmetrix.net@evil.test/", dropped},
		{path(crm), "https://evil.test/?access_token=CAN_AT", dropped},
		{path(crm), "https://crm.iqmetrix.net/x?a=1&Access%5fToken=CAN_AT", dropped},
		{path(crm), "/x?a=1;auth=CAN_AT", dropped},
		{path(crm), "x#id_token=CAN_AT", dropped},
		// Nothing that two clients would read differently.
		{path(crm), "", dropped},
		{path(crm), `https:\\evil.test\x`, dropped},
		{path(crm), `/\evil.test/x`, dropped},
		{path(crm), "https:/evil.test", dropped},
		{path(crm), "https:evil.test", dropped},
		{path(crm), "///evil.test", dropped},
		{path(crm), "https://a b/", dropped},
		{path(crm), "https://crm.iqmetrix.net/\x7f", dropped},
	}
	l := testLocations()
	for _, tt := range tests {
		got, keep := l.rewrite(tt.in, tt.view)
		if !keep {
			got = dropped
		}
		if got != tt.want {
			t.Errorf("%s: %q became %q, want %q", tt.view.form, tt.in, got, tt.want)
		}
	}
}

func TestLocationFields(t *testing.T) {
	ex := &exchange.Exchange{Target: target("production", "crm", "https://crm.iqmetrix.net", "/crm")}
	tests := map[string]struct{ in, want http.Header }{
		"both":   {http.Header{"Location": {"/a"}, "Content-Location": {"/b"}}, http.Header{"Location": {"/crm/a"}, "Content-Location": {"/crm/b"}}},
		"two":    {http.Header{"Location": {"/a", "/b"}}, http.Header{}},
		"secret": {http.Header{"Location": {"/a?token=1"}, "X": {"y"}}, http.Header{"X": {"y"}}},
		"none":   {http.Header{}, http.Header{}},
	}
	for name, tt := range tests {
		testLocations().rewriteHeader(tt.in, ex, &http.Request{})
		if len(tt.in) != len(tt.want) || tt.in.Get("Location") != tt.want.Get("Location") || tt.in.Get("Content-Location") != tt.want.Get("Content-Location") {
			t.Errorf("%s: %v, want %v", name, tt.in, tt.want)
		}
	}
}

func FuzzLocation(f *testing.F) {
	for _, seed := range []string{
		"https://crm.iqmetrix.net/v1/x", "//crm.iqmetrix.net", "/v1/x", "x", "https:/x", "https://a@b/", "?access_token=x",
		"HTTP://CRM.IQMETRIX.NET.:80?x", "https://[::1]:443/x", "a:b", "/\\x", "///x", "https://crm.iqmetrix.net#",
	} {
		f.Add(seed)
	}
	l := testLocations()
	view := callerView{form: exchange.FormPath, scheme: "https", host: "", target: target("production", "crm", "https://crm.iqmetrix.net", "/crm")}
	f.Fuzz(func(t *testing.T, in string) {
		out, keep := l.rewrite(in, view)
		if !keep {
			return
		}
		if strings.ContainsAny(out, "\r\n \\") {
			t.Errorf("%q became %q", in, out)
		}
		u, err := url.Parse(out)
		if err != nil {
			return // passed as it came, for clients that can read it
		}
		if strings.EqualFold(strings.TrimSuffix(u.Host, "."), "crm.iqmetrix.net") && (u.Scheme == "https" || u.Scheme == "http" || u.Scheme == "") {
			t.Errorf("%q leads past the gateway: %q", in, out)
		}
		if u.User != nil && u.Host != "" {
			t.Errorf("%q carries a user: %q", in, out)
		}
	})
}

// The caller's port is the gateway's, not the upstream's.
func TestLocationKeepsTheCallersPort(t *testing.T) {
	upstream := &url.URL{Scheme: "http", Host: "crm.native.test:29900"}
	other := &url.URL{Scheme: "http", Host: "order.native.test:29900"}
	l := NewLocations([]Origin{
		{Environment: "native", Service: "crm", Upstream: upstream, Native: upstream},
		{Environment: "native", Service: "order", Upstream: other, Native: other},
	})
	target := &exchange.Target{Environment: "native", Service: "crm", Upstream: upstream}
	for _, tt := range []struct{ host, location, want string }{
		{"crm.native.test:8443", "http://crm.native.test:29900/v1/x", "https://crm.native.test:8443/v1/x"},
		{"CRM.native.test", "http://crm.native.test:29900/v1/x", "https://CRM.native.test/v1/x"},
		{"crm.native.test:8443", "http://order.native.test:29900/v1/x", "https://order.native.test:8443/v1/x"},
		{"crm.native.test", "/v1/x", "/v1/x"},
	} {
		got, keep := l.rewrite(tt.location, callerView{form: exchange.FormNative, scheme: "https", host: tt.host, target: target})
		if !keep || got != tt.want {
			t.Errorf("%s for a caller of %s: %q %v, want %q", tt.location, tt.host, got, keep, tt.want)
		}
	}
}

// The host that an upstream's session prefers is the upstream's own.
func TestLocationOnThePreferredHost(t *testing.T) {
	asked := parseURL("https://crm-east.iqmetrix.net")
	view := callerView{exchange.FormPath, "https", "", target("production", "crm", "https://crm.iqmetrix.net", "/customers"), asked}
	native := view
	native.form = exchange.FormNative
	for _, tt := range []struct {
		view     callerView
		in, want string
	}{
		{view, "https://crm-east.iqmetrix.net/v1/x?a=b", "/customers/v1/x?a=b"},
		{view, "HTTPS://CRM-East.iqmetrix.net:443/v1/x", "/customers/v1/x"},
		{view, "//crm-east.iqmetrix.net/v1/x", "/customers/v1/x"},
		{view, "https://crm.iqmetrix.net/v1/x", "/customers/v1/x"},
		{view, "/v1/x", "/customers/v1/x"},
		{view, "https://crm-west.iqmetrix.net/v1/x", "https://crm-west.iqmetrix.net/v1/x"},
		{native, "https://crm-east.iqmetrix.net/v1/x", "https://crm.iqmetrix.net/v1/x"},
		{native, "/v1/x", "/v1/x"},
	} {
		if got, keep := testLocations().rewrite(tt.in, tt.view); !keep || got != tt.want {
			t.Errorf("%s: %s became %s, want %s", tt.view.form, tt.in, got, tt.want)
		}
	}
}
