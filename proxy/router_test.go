package proxy_test

import (
	"net/http"
	"strings"
	"testing"

	"iqgateway/internal/exchange"
	"iqgateway/internal/pathpattern"
	"iqgateway/proxy"
)

func patterns(texts ...string) []pathpattern.Pattern {
	all := make([]pathpattern.Pattern, len(texts))
	for i, text := range texts {
		all[i] = pathpattern.MustParse(text)
	}
	return all
}

// routes is a cut of the catalogue with every kind of rule.
func routes(t testing.TB) *proxy.Router {
	t.Helper()
	services := func(suffix string) []proxy.RouteService {
		host := func(stem string) string { return "https://" + stem + suffix + ".iqmetrix.net" }
		return []proxy.RouteService{
			{
				Name: "crm", Aliases: []string{"customers"}, Upstream: parseURL(host("crm")),
				Routes: patterns("/v1/**", "/v1/Companies({company})/Customers**"),
			},
			{
				Name: "catalogs", Upstream: parseURL(host("catalogs") + "/"),
				Reads: []proxy.ReadingPost{{Path: pathpattern.MustParse("/v1/Companies({company})/Catalog/Items/ProductDetails/Bulk")}},
			},
			{
				Name: "dataconnect", Upstream: parseURL(host("dataconnect")), Session: true,
				Denied:      patterns("/logout"),
				SideEffects: []proxy.SideEffect{{Path: pathpattern.MustParse("/Import/**")}, {Parameter: "Response", Values: []string{"*.Email"}}, {Parameter: "Email.To"}},
				Reads:       []proxy.ReadingPost{{Path: pathpattern.MustParse("/**"), WithoutBody: true}},
			},
			{Name: "reference", Upstream: parseURL(host("reference")), Anonymous: patterns("/v1/Countries**")},
			{Name: "cmi", Upstream: parseURL(host("cmi")), Authentication: "none"},
			{Name: "assets", Upstream: parseURL(host("ams")), Authentication: "anonymous"},
			{Name: "usermanager", Upstream: parseURL(host("usermanager")), Sensitive: true},
			{Name: "api", Upstream: parseURL(host("api"))},
			{Name: "taxes", Upstream: parseURL(host("api") + "/taxes"), Denied: patterns("/v1/admin/**")},
		}
	}
	r, err := proxy.NewRouter(proxy.RouterOptions{Environments: []proxy.RouteEnvironment{
		{Name: "production", Services: services("")},
		{Name: "sandbox", Services: services("demo")},
		{Name: "sim", Services: []proxy.RouteService{{Name: "crm", Upstream: parseURL("http://127.0.0.1:19900/crm")}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func request(path string) proxy.Request {
	p, query, has := strings.Cut(path, "?")
	return proxy.Request{Method: http.MethodGet, Path: p, RawQuery: query, HasQuery: has, Environments: []string{"sandbox"}}
}

func with(q proxy.Request, change func(*proxy.Request)) proxy.Request {
	change(&q)
	return q
}

func native(host, path string) proxy.Request {
	return with(request(path), func(q *proxy.Request) { q.Form, q.Host = exchange.FormNative, host })
}

func TestResolveFindsTheUpstream(t *testing.T) {
	both := func(own string) func(*proxy.Request) {
		return func(q *proxy.Request) { q.Environments, q.Environment = []string{"production", "sandbox"}, own }
	}
	tests := []struct {
		name                   string
		q                      proxy.Request
		upstream, prefix, path string
	}{
		{"only environment", request("/crm/v1/x"), "https://crmdemo.iqmetrix.net", "/crm", "/v1/x"},
		{"alias", request("/customers/v1/x"), "https://crmdemo.iqmetrix.net", "/customers", "/v1/x"},
		{"environment named", request("/sandbox/crm/v1/x"), "https://crmdemo.iqmetrix.net", "/sandbox/crm", "/v1/x"},
		{"own default", with(request("/crm/v1/x"), both("production")), "https://crm.iqmetrix.net", "/crm", "/v1/x"},
		{"named beats default", with(request("/sandbox/crm/v1/x"), both("production")), "https://crmdemo.iqmetrix.net", "/sandbox/crm", "/v1/x"},
		{"raw bytes", request(`/crm/v1/Items(SourceId="g")%2f%c3`), "https://crmdemo.iqmetrix.net", "/crm", `/v1/Items(SourceId="g")%2f%c3`},
		{"no path", request("/crm"), "https://crmdemo.iqmetrix.net", "/crm", "/"},
		{"prefix of the upstream", request("/taxes/v1/x"), "https://apidemo.iqmetrix.net/taxes", "/taxes", "/v1/x"},
		{"slash at the upstream's end", request("/catalogs/v1/x"), "https://catalogsdemo.iqmetrix.net", "/catalogs", "/v1/x"},
		{"native", native("crmdemo.iqmetrix.net", "/v1/x"), "https://crmdemo.iqmetrix.net", "", "/v1/x"},
		{"native, odd spelling of the host", native("CRMdemo.iqmetrix.NET.:8443", "/v1/x"), "https://crmdemo.iqmetrix.net", "", "/v1/x"},
		{"native, shared host", native("apidemo.iqmetrix.net", "/taxes/v1/x"), "https://apidemo.iqmetrix.net/taxes", "", "/v1/x"},
		{"native, the rest of a shared host", native("apidemo.iqmetrix.net", "/taxesx/v1"), "https://apidemo.iqmetrix.net", "", "/taxesx/v1"},
		{"absolute", with(native("crmdemo.iqmetrix.net", "/v1/x"), func(q *proxy.Request) { q.Form = exchange.FormAbsolute }), "https://crmdemo.iqmetrix.net", "", "/v1/x"},
	}
	r := routes(t)
	for _, tt := range tests {
		got, problem := r.Resolve(tt.q)
		if problem != nil {
			t.Errorf("%s: %v", tt.name, problem)
			continue
		}
		if got.Upstream.String() != tt.upstream || got.Prefix != tt.prefix || got.Path != tt.path {
			t.Errorf("%s: upstream %s, prefix %q, path %q; want %s, %q, %q",
				tt.name, got.Upstream, got.Prefix, got.Path, tt.upstream, tt.prefix, tt.path)
		}
	}
}

func TestResolveRefuses(t *testing.T) {
	tests := []struct {
		name string
		q    proxy.Request
		want exchange.ProblemType
	}{
		{"unknown service", request("/nosuch/v1/x"), exchange.UnknownService},
		{"root", request("/"), exchange.UnknownService},
		{"environment of others", request("/production/crm/v1/x"), exchange.UnknownService},
		{"unknown environment", request("/nosuch/crm/v1/x"), exchange.UnknownService},
		{"unknown service of an environment", request("/sandbox/nosuch"), exchange.UnknownService},
		{"environment alone", request("/sandbox"), exchange.UnknownService},
		{"other case", request("/CRM/v1/x"), exchange.UnknownService},
		{"escaped name", request("/%63rm/v1/x"), exchange.UnknownService},
		{"native host of others", native("crm.iqmetrix.net", "/v1/x"), exchange.UnknownService},
		{"unknown host", native("evil.test", "/v1/x"), exchange.UnknownService},
		{"address of a simulator", with(native("127.0.0.1", "/crm/v1"), func(q *proxy.Request) { q.Environments = []string{"sim"} }), exchange.UnknownService},
		{"malformed host", native("a,b", "/v1/x"), exchange.MalformedRequest},
		{"caller without environments", with(request("/crm/v1/x"), func(q *proxy.Request) { q.Environments = nil }), exchange.UnknownService},
		{"default that the caller may not use", with(request("/crm/v1/x"), func(q *proxy.Request) { q.Environment = "production" }), exchange.EnvironmentAmbiguous},
		{"two slashes", request("/crm//v1/x"), exchange.MalformedRequest},
		{"denied", request("/dataconnect/logout"), exchange.PathDenied},
		{"denied, native", native("dataconnectdemo.iqmetrix.net", "/logout"), exchange.PathDenied},
		{"denied, other case", request("/dataconnect/LogOut"), exchange.PathDenied},
		{"denied, escaped", request("/dataconnect/%6cogout"), exchange.PathDenied},
		{"denied, escaped twice", request("/dataconnect/%256cogout"), exchange.PathDenied},
		{"denied, slashes", request("/dataconnect/logout//"), exchange.PathDenied},
		{"denied, escaped slash", request("/dataconnect/%2flogout"), exchange.PathDenied},
		{"denied, parameters", request("/dataconnect/logout;a=b"), exchange.PathDenied},
		{"denied, parameters before", request("/dataconnect/;a/logout"), exchange.PathDenied},
		{"denied, trailing dot", request("/dataconnect/logout."), exchange.PathDenied},
		{"denied, trailing space", request("/dataconnect/logout%20"), exchange.PathDenied},
		{"denied, long s", request("/taxes/v1/admin/\u017f"), exchange.PathDenied},
		{"denied below a prefix", native("apidemo.iqmetrix.net", "/taxes/v1/admin/x"), exchange.PathDenied},
		{"by way of the service around it", request("/api/taxes/v1/admin/x"), exchange.PathDenied},
		{"the same, otherwise spelled", native("apidemo.iqmetrix.net", "/%74axes/v1/admin/x"), exchange.PathDenied},
		{"the same, with parameters", request("/api/TAXES;x/v1"), exchange.PathDenied},
	}
	r := routes(t)
	for _, tt := range tests {
		got, problem := r.Resolve(tt.q)
		if problem == nil || problem.Type != tt.want {
			t.Errorf("%s: %+v, %v; want %s", tt.name, got, problem, tt.want)
		}
	}
}

func TestAmbiguousEnvironmentListsChoices(t *testing.T) {
	q := with(request("/crm/v1/x"), func(q *proxy.Request) { q.Environments = []string{"production", "sandbox", "unknown"} })
	_, problem := routes(t).Resolve(q)
	if problem == nil || problem.Type != exchange.EnvironmentAmbiguous {
		t.Fatalf("got %v", problem)
	}
	choices, _ := problem.Extra["environments"].([]string)
	if strings.Join(choices, " ") != "production sandbox" || !strings.Contains(problem.Detail, "production, sandbox") {
		t.Errorf("choices %v in %q", choices, problem.Detail)
	}
}

// An environment that a caller may not use looks like one that does not exist.
func TestForeignEnvironmentIsNotRevealed(t *testing.T) {
	r := routes(t)
	_, foreign := r.Resolve(request("/production/crm"))
	_, unknown := r.Resolve(request("/nosuch0000/crm"))
	if got, want := strings.ReplaceAll(foreign.Detail, "production", "nosuch0000"), unknown.Detail; got != want {
		t.Errorf("foreign: %q\nunknown: %q", got, want)
	}
}

func TestResolveNeedsWrite(t *testing.T) {
	post := func(path string, body bool) proxy.Request {
		return with(request(path), func(q *proxy.Request) { q.Method, q.HasBody = http.MethodPost, body })
	}
	bulk := "/catalogs/v1/Companies(1)/Catalog/Items/ProductDetails/Bulk"
	tests := []struct {
		name string
		q    proxy.Request
		want bool
	}{
		{"GET", request("/crm/v1/x"), false},
		{"HEAD", with(request("/crm/v1/x"), func(q *proxy.Request) { q.Method = http.MethodHead }), false},
		{"POST", post("/crm/v1/x", true), true},
		{"DELETE", with(request("/crm/v1/x"), func(q *proxy.Request) { q.Method = http.MethodDelete }), true},
		{"reading POST", post(bulk, true), false},
		{"reading POST, otherwise spelled", post(strings.ToLower(bulk), true), true},
		{"PUT where POST reads", with(request(bulk), func(q *proxy.Request) { q.Method = http.MethodPut }), true},
		{"POST without body", post("/dataconnect/lists", false), false},
		{"POST with parameters in the body", post("/dataconnect/lists", true), true},
		{"import", request("/dataconnect/Import/Traffic"), true},
		{"import, otherwise spelled", request("/dataconnect/iMPORT%2ftraffic"), true},
		{"mail", request("/dataconnect/lists?Response=Excel.Email"), true},
		{"mail, other case", request("/dataconnect/lists?a=1&rESPONSE=csv.EMAIL"), true},
		{"mail, escaped", request("/dataconnect/lists?%52esponse=Csv%2eEmail"), true},
		{"mail, behind a semicolon", request("/dataconnect/lists?a=1;Response=Csv.Email"), true},
		{"mail, semicolon in the value", request("/dataconnect/lists?Response=Csv;.Email"), true},
		{"mail, before a semicolon", request("/dataconnect/lists?Response=Csv.Email;x"), true},
		{"mail, spaces", request("/dataconnect/lists?Response=+Csv.Email%20"), true},
		{"mail, repeated", request("/dataconnect/lists?Response=Csv&Response=Csv.Email"), true},
		{"mail, list", request("/dataconnect/lists?Response=Csv.Email,Csv"), true},
		{"mail by POST without body", post("/dataconnect/lists?Response=Csv.Email", false), true},
		{"recipient", request("/dataconnect/lists?email.to"), true},
		{"download", request("/dataconnect/lists?Response=Csv&CSV.Delimiter=;"), false},
		{"another parameter with that value", request("/dataconnect/lists?Note=Csv.Email"), false},
	}
	r := routes(t)
	for _, tt := range tests {
		got, problem := r.Resolve(tt.q)
		if problem != nil || got.Write != tt.want {
			t.Errorf("%s: write %v, %v; want %v", tt.name, got.Write, problem, tt.want)
		}
	}
}

func TestSessionInEverySpelling(t *testing.T) {
	r := routes(t)
	for _, path := range []string{"/session", "/Session/", "/%73ession", "/%2573ession", "//session"[1:], "/session;a", "/session.", "/\u017fession"} {
		got, problem := r.Resolve(request("/dataconnect" + path + "?Response=Csv.Email"))
		if problem != nil || !got.Session || got.Write {
			t.Errorf("%s: session %v, write %v, %v", path, got.Session, got.Write, problem)
		}
	}
	for _, q := range []proxy.Request{request("/dataconnect/sessions"), request("/dataconnect/a/session"), request("/crm/session")} {
		if got, problem := r.Resolve(q); problem != nil || got.Session {
			t.Errorf("%s: session %v, %v", q.Path, got.Session, problem)
		}
	}
}

func TestResolveAuthenticationAndRoute(t *testing.T) {
	tests := []struct {
		q                             proxy.Request
		authentication, policy, route string
		sensitive                     bool
	}{
		{request("/crm/v1/Companies(1)/Customers(2)"), "bearer", "authenticated", "/sandbox/crm/v1/Companies({company})/Customers**", false},
		{request("/crm/v1/Companies(1)/Other"), "bearer", "authenticated", "/sandbox/crm/v1/**", false},
		{request("/customers/v2"), "bearer", "authenticated", "/sandbox/crm/**", false},
		{native("crmdemo.iqmetrix.net", "/v1/x"), "bearer", "authenticated", "/sandbox/crm/v1/**", false},
		{request("/reference/v1/Countries"), "anonymous", "anonymous", "/sandbox/reference/**", false},
		{request("/reference/v1/countries"), "bearer", "authenticated", "/sandbox/reference/**", false},
		{with(request("/reference/v1/Countries"), func(q *proxy.Request) { q.Method = http.MethodPut }), "bearer", "authenticated", "/sandbox/reference/**", false},
		{request("/assets/x"), "anonymous", "anonymous", "/sandbox/assets/**", false},
		{request("/cmi/x.asmx?op=Ping"), "none", "anonymous", "/sandbox/cmi/**", false},
		{request("/usermanager/v1/Users"), "bearer", "authenticated", "/sandbox/usermanager/**", true},
	}
	r := routes(t)
	for _, tt := range tests {
		got, problem := r.Resolve(tt.q)
		if problem != nil {
			t.Errorf("%s: %v", tt.q.Path, problem)
		}
		if got.Authentication != tt.authentication || got.Policy != tt.policy || got.Route != tt.route || got.Sensitive != tt.sensitive {
			t.Errorf("%s %s: %s, %s, %s, sensitive %v; want %+v", tt.q.Method, tt.q.Path, got.Authentication, got.Policy, got.Route, got.Sensitive, tt)
		}
	}
}

func TestResolveKeepsTheQuery(t *testing.T) {
	r := routes(t)
	for _, path := range []string{"/crm/x", "/crm/x?", "/crm/x?a=1;b=%zz&c", "/crm/x?a?b"} {
		got, problem := r.Resolve(request(path))
		if problem != nil {
			t.Fatal(problem)
		}
		back := got.Prefix + got.Path
		if got.HasQuery {
			back += "?" + got.RawQuery
		}
		if back != path {
			t.Errorf("%s became %s", path, back)
		}
	}
}

func TestNewRouterRefusesWhatIsAmbiguous(t *testing.T) {
	u := parseURL("https://a.example")
	service := func(name string, aliases ...string) proxy.RouteService {
		return proxy.RouteService{Name: name, Aliases: aliases, Upstream: u}
	}
	tests := map[string][]proxy.RouteEnvironment{
		"stands twice":        {{Name: "a"}, {Name: "a"}},
		"stands for":          {{Name: "a", Services: []proxy.RouteService{service("x"), service("y", "x")}}},
		"environment and of":  {{Name: "a", Services: []proxy.RouteService{service("a")}}},
		"scheme and a host":   {{Name: "a", Services: []proxy.RouteService{{Name: "x"}}}},
		"must have a scheme ": {{Name: "a", Services: []proxy.RouteService{{Name: "x", Upstream: parseURL("/x")}}}},
	}
	for want, environments := range tests {
		if _, err := proxy.NewRouter(proxy.RouterOptions{Environments: environments}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// Two services at one host and prefix: the host alone cannot choose.
func TestSharedUpstreamHasNoNativeForm(t *testing.T) {
	u := parseURL("https://proxy.example")
	r, err := proxy.NewRouter(proxy.RouterOptions{Environments: []proxy.RouteEnvironment{
		{Name: "sandbox", Services: []proxy.RouteService{{Name: "crm", Upstream: u}, {Name: "order", Upstream: u}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, problem := r.Resolve(native("proxy.example", "/v1")); problem == nil {
		t.Error("the native form chose one")
	}
	if got, problem := r.Resolve(request("/order/v1")); problem != nil || got.Service != "order" {
		t.Errorf("by path: %+v, %v", got, problem)
	}
}

func BenchmarkResolve(b *testing.B) {
	r := routes(b)
	for name, q := range map[string]proxy.Request{
		"path":       request("/sandbox/crm/v1/Companies(14146)/Customers(a0b1)?$top=5"),
		"native":     native("crmdemo.iqmetrix.net", "/v1/Companies(14146)/Customers(a0b1)"),
		"restricted": request("/dataconnect/Lists/Products?Response=Csv&StartDate=2026-01-01"),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, problem := r.Resolve(q); problem != nil {
					b.Fatal(problem)
				}
			}
		})
	}
}
