package proxy_test

import (
	"testing"

	"iqgateway/internal/exchange"
	"iqgateway/proxy"
)

func tokenRoutes(t *testing.T) *proxy.Router {
	t.Helper()
	services := func(origin func(stem string) string) []proxy.RouteService {
		return []proxy.RouteService{
			{Name: "accounts", Aliases: []string{"authentication"}, Upstream: parseURL(origin("accounts")), Tokens: true, Denied: patterns("/**")},
			{Name: "crm", Upstream: parseURL(origin("crm"))},
		}
	}
	r, err := proxy.NewRouter(proxy.RouterOptions{Environments: []proxy.RouteEnvironment{
		{Name: "production", Services: services(func(stem string) string { return "https://" + stem + ".iqmetrix.net" })},
		{Name: "sandbox", Services: services(func(stem string) string { return "https://" + stem + "demo.iqmetrix.net" })},
		{Name: "prefixed", Services: services(func(stem string) string { return "https://one.example/" + stem })},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTokenCall(t *testing.T) {
	type form = exchange.Form
	const path, native, absolute = exchange.FormPath, exchange.FormNative, exchange.FormAbsolute
	r := tokenRoutes(t)
	for _, tt := range []struct {
		form       form
		host, path string
		want       bool
	}{
		{native, "accounts.iqmetrix.net", "/v1/oauth2/token", true},
		{native, "accountsdemo.iqmetrix.net", "/v1/oauth2/token", true},
		{native, "AccountsDemo.iqmetrix.net:8443", "/v1/oauth2/token", true},
		{native, "accounts.iqmetrix.net", "/v1/oauth2/token/", true},
		{native, "accounts.iqmetrix.net", "/V1/OAuth2/Token", true},
		{native, "accounts.iqmetrix.net", "/v1/oauth2/%74oken", true},
		{native, "accounts.iqmetrix.net", "/Token", true},
		{native, "accounts.iqmetrix.net", "/token/", true},
		{native, "accounts.iqmetrix.net", "/oauth2/token", true},
		{absolute, "accounts.iqmetrix.net", "/v1/oauth2/token", true},
		{absolute, "one.example", "/accounts/v1/oauth2/token", true},
		{native, "accounts.iqmetrix.net", "/logout", false},
		{native, "accounts.iqmetrix.net", "/v1/oauth2/token/x", false},
		{native, "accounts.iqmetrix.net", "/v1/oauth2/tokens", false},
		{native, "accounts.iqmetrix.net", "/v2/oauth2/token", false},
		{native, "accounts.iqmetrix.net", "/", false},
		{native, "crm.iqmetrix.net", "/v1/oauth2/token", false},
		{native, "one.example", "/crm/v1/oauth2/token", false},
		{native, "elsewhere.example", "/v1/oauth2/token", false},
		{native, "", "/v1/oauth2/token", false},

		{path, "gw", "/accounts/v1/oauth2/token", true},
		{path, "gw", "/authentication/v1/oauth2/token", true},
		{path, "gw", "/sandbox/accounts/v1/oauth2/token/", true},
		{path, "gw", "/sandbox/accounts/Token", true},
		{path, "gw", "/accounts/token", true},
		{path, "gw", "/v1/oauth2/token", true},
		{path, "gw", "/V1/OAUTH2/TOKEN/", true},
		{path, "gw", "/oauth2/token", true},
		{path, "gw", "/token", false},
		{path, "gw", "/accounts", false},
		{path, "gw", "/accounts/logout", false},
		{path, "gw", "/crm/v1/oauth2/token", false},
		{path, "gw", "/sandbox/crm/v1/oauth2/token", false},
		{path, "gw", "/nowhere/accounts/v1/oauth2/token", false},
		{path, "gw", "/crm/v1/%", false},
	} {
		if got := r.TokenCall(proxy.Request{Form: tt.form, Host: tt.host, Path: tt.path}); got != tt.want {
			t.Errorf("%s %s%s: %t", tt.form, tt.host, tt.path, got)
		}
	}
}

// Every request is asked whether it is a token call.
func TestTokenCallCostsOthersNothing(t *testing.T) {
	r := tokenRoutes(t)
	q := proxy.Request{Form: exchange.FormPath, Path: "/crm/v1/Companies(14146)/Customers"}
	if n := testing.AllocsPerRun(100, func() { r.TokenCall(q) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
