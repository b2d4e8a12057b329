package auth

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iqgateway/internal/exchange"
	"iqgateway/internal/pathpattern"
)

func testPolicy(t testing.TB) *Policy {
	return NewPolicy([]Caller{
		{
			Name: "storefront", Class: "interactive", Classes: []string{"batch"},
			Access: []Access{
				{Credential: "retail", Environment: "production", Services: map[string]Grant{
					"crm":      {Level: LevelWrite},
					"catalogs": {Level: LevelRead},
					"order":    {Methods: []string{"GET", "POST"}, Paths: []pathpattern.Pattern{pattern(t, "/v1/Companies(14146)/**")}},
					"reports":  {Methods: []string{"GET"}},
					"feeds":    {Paths: []pathpattern.Pattern{pattern(t, "/v1/feeds**")}},
				}},
				{Credential: "retail-sandbox", Environment: "sandbox", Services: map[string]Grant{"*": {Level: LevelWrite}}},
				{Credential: "trial", Environment: "production", Until: noon(), Services: map[string]Grant{"pricing": {Level: LevelRead}}},
			},
		},
		{
			Name: "many",
			Access: []Access{
				{Credential: "one", Environment: "production", Services: map[string]Grant{"crm": {Level: LevelRead}, "pricing": {Level: LevelRead}}},
				{Credential: "two", Environment: "production", Default: true, Services: map[string]Grant{"crm": {Level: LevelRead}}},
				{Credential: "three", Environment: "production", Services: map[string]Grant{"*": {Level: LevelRead}, "users": {Level: LevelRead}, "crm": {Level: LevelWrite}}},
			},
		},
		{
			Name: "ordered",
			Access: []Access{
				{Credential: "a", Environment: "production", Services: map[string]Grant{"crm": {Level: LevelRead}}},
				{Credential: "b", Environment: "production", Services: map[string]Grant{"crm": {Level: LevelRead}, "order": {Level: LevelRead}}},
				{Credential: "b", Environment: "production", Services: map[string]Grant{"order": {Level: LevelRead}}},
				{Credential: "c", Environment: "production", Default: true, Services: map[string]Grant{"crm": {Level: LevelRead}}},
			},
		},
		{
			Name: "narrowed",
			Access: []Access{
				{Credential: "retail", Environment: "production", Services: map[string]Grant{"*": {Level: LevelWrite}, "crm": {Level: LevelRead}}},
			},
		},
	})
}

// request builds a decision's input: caller, environment/service, method and path.
func request(caller, where, method, path string) Request {
	environment, service, _ := strings.Cut(where, "/")
	return Request{
		Caller: caller, Method: method, Path: path, Now: noon(),
		Target: &exchange.Target{
			Environment: environment, Service: service, Path: path,
			Write: writes(method), Sensitive: service == "users",
		},
	}
}

func with(r Request, change func(*Request)) Request { change(&r); return r }

func TestDecide(t *testing.T) {
	effect := func(r *Request) { r.Target.Write = true }
	readingPost := func(r *Request) { r.Target.Write = false }
	wants := func(credential string) func(*Request) { return func(r *Request) { r.Credential = credential } }
	cases := map[string]struct {
		request    Request
		credential string // "" = refused
	}{
		"read by write":                {request("storefront", "production/crm", "GET", "/v1/x"), "retail"},
		"write by write":               {request("storefront", "production/crm", "DELETE", "/v1/x"), "retail"},
		"read by read":                 {request("storefront", "production/catalogs", "GET", "/v1/x"), "retail"},
		"HEAD by read":                 {request("storefront", "production/catalogs", "HEAD", "/v1/x"), "retail"},
		"OPTIONS by read":              {request("storefront", "production/catalogs", "OPTIONS", "/v1/x"), "retail"},
		"write by read":                {request("storefront", "production/catalogs", "POST", "/v1/x"), ""},
		"reading POST by read":         {with(request("storefront", "production/catalogs", "POST", "/v1/x"), readingPost), "retail"},
		"GET with side effect by read": {with(request("storefront", "production/catalogs", "GET", "/v1/x"), effect), ""},
		"GET with side effect by write": {
			with(request("storefront", "production/crm", "GET", "/v1/x"), effect), "retail",
		},
		"listed method and path":         {request("storefront", "production/order", "POST", "/v1/Companies(14146)/OrderFull"), "retail"},
		"listed path, HEAD as GET":       {request("storefront", "production/order", "HEAD", "/v1/Companies(14146)/OrderFull"), "retail"},
		"listed path, other method":      {request("storefront", "production/order", "DELETE", "/v1/Companies(14146)/Orders(1)"), ""},
		"listed method, other path":      {request("storefront", "production/order", "GET", "/v1/Companies(2)/OrderFull"), ""},
		"grants match the raw path":      {request("storefront", "production/order", "GET", "/v1/companies(14146)/OrderFull"), ""},
		"escaped spelling is no match":   {request("storefront", "production/order", "GET", "/v1/Companies%2814146%29/OrderFull"), ""},
		"side effect, list with POST":    {with(request("storefront", "production/order", "GET", "/v1/Companies(14146)/x"), effect), "retail"},
		"side effect, list of GET alone": {with(request("storefront", "production/reports", "GET", "/v1/x"), effect), ""},
		"list of GET alone":              {request("storefront", "production/reports", "GET", "/v1/x"), "retail"},
		"paths alone read":               {request("storefront", "production/feeds", "GET", "/v1/feeds/1"), "retail"},
		"paths alone do not write":       {request("storefront", "production/feeds", "PUT", "/v1/feeds/1"), ""},
		"service not named":              {request("storefront", "production/availability", "GET", "/"), ""},
		"star":                           {request("storefront", "sandbox/availability", "POST", "/"), "retail-sandbox"},
		"star leaves out sensitive":      {request("storefront", "sandbox/users", "GET", "/"), ""},
		"sensitive by name":              {request("many", "production/users", "GET", "/"), "three"},
		"environment without access":     {request("storefront", "rc/crm", "GET", "/"), ""},
		"access has ended":               {request("storefront", "production/pricing", "GET", "/"), ""},
		"access ends next": {
			with(request("storefront", "production/pricing", "GET", "/"), func(r *Request) { r.Now = noon().Add(-time.Nanosecond) }), "trial",
		},
		"own entry narrows star":             {request("narrowed", "production/crm", "POST", "/"), ""},
		"star beside own entry":              {request("narrowed", "production/order", "POST", "/"), "retail"},
		"default of several":                 {request("many", "production/crm", "GET", "/"), "two"},
		"default after several":              {request("ordered", "production/crm", "GET", "/"), "c"},
		"two rules for one credential":       {request("ordered", "production/order", "GET", "/"), "b"},
		"only one of several may":            {request("many", "production/crm", "POST", "/"), "three"},
		"several without default":            {request("many", "production/pricing", "GET", "/"), ""},
		"asked for":                          {with(request("many", "production/pricing", "GET", "/"), wants("one")), "one"},
		"asked for beside default":           {with(request("many", "production/crm", "GET", "/"), wants("three")), "three"},
		"asked for, not allowed there":       {with(request("many", "production/pricing", "GET", "/"), wants("two")), ""},
		"asked for, belongs to others":       {with(request("storefront", "production/crm", "GET", "/"), wants("one")), ""},
		"asked for, of another environment":  {with(request("storefront", "production/crm", "GET", "/"), wants("retail-sandbox")), ""},
		"caller that the policy has not":     {request("ghost", "production/crm", "GET", "/"), ""},
		"lowercase method is another method": {request("storefront", "production/order", "get", "/v1/Companies(14146)/x"), ""},
	}
	policy := testPolicy(t)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, problem := policy.Decide(c.request)
			switch {
			case c.credential == "" && (problem == nil || problem.Type != exchange.NotAllowed || problem.Detail == ""):
				t.Errorf("allowed with %+v, problem %v", got, problem)
			case c.credential != "" && problem != nil:
				t.Errorf("refused: %v", problem)
			case got.Credential != c.credential:
				t.Errorf("credential %q, want %q", got.Credential, c.credential)
			}
			explained := policy.Explain(c.request)
			if chosen := chosenOf(policy, c.request, explained); chosen != c.credential {
				t.Errorf("explained as %q: %+v", chosen, explained)
			}
		})
	}
}

// chosenOf returns the credential that Explain marks, and checks that every
// other rule has a reason.
func chosenOf(p *Policy, r Request, all []Considered) string {
	chosen := ""
	for i, c := range all {
		switch {
		case c.Chosen && (!c.Matched || chosen != ""):
			return "two"
		case c.Chosen:
			chosen = p.callers[r.Caller].Access[i].Credential
		case c.Reason == "":
			return "a rule lost without reason: " + c.Rule
		}
	}
	return chosen
}

// The default entry wins wherever it stands, also after another entry of the
// same credential.
func TestDefaultEntry(t *testing.T) {
	read := map[string]Grant{"crm": {Level: LevelRead}}
	policy := NewPolicy([]Caller{{Name: "c", Access: []Access{
		{Credential: "a", Environment: "e", Services: read},
		{Credential: "a", Environment: "e", Services: read, Default: true},
		{Credential: "b", Environment: "e", Services: read},
	}}})
	got, problem := policy.Decide(request("c", "e/crm", "GET", "/"))
	if problem != nil || got.Credential != "a" {
		t.Errorf("%+v, %v", got, problem)
	}
}

func TestPolicyKnowsItsCallers(t *testing.T) {
	policy := testPolicy(t)
	got := policy.Caller("storefront")
	if got == nil || got.Name != "storefront" || got.KeyID != "" || !cmp.Equal(got.Environments, []string{"production", "sandbox"}) {
		t.Errorf("caller %+v", got)
	}
	if ghost := policy.Caller("ghost"); ghost != nil || policy.Explain(Request{Caller: "ghost"}) != nil {
		t.Errorf("a caller that does not exist: %+v", ghost)
	}
}

func TestClass(t *testing.T) {
	policy := testPolicy(t)
	for asked, want := range map[string]string{
		"": "interactive", "batch": "batch", "background": "interactive", "BATCH": "interactive", "interactive": "interactive",
	} {
		r := request("storefront", "production/crm", "GET", "/")
		r.Priority = asked
		if got, _ := policy.Decide(r); got.Class != want {
			t.Errorf("asked for %q, got %q, want %q", asked, got.Class, want)
		}
	}
}

func TestRefusalSaysWhatIsAllowed(t *testing.T) {
	policy := testPolicy(t)
	cases := map[string]struct {
		request Request
		parts   []string
		without string
	}{
		"rights of this environment": {
			request("storefront", "production/catalogs", "POST", "/v1/secret-path"),
			[]string{
				"storefront may not write to catalogs in production", "crm: write (retail)", "catalogs: read (retail)",
				"order: GET POST of /v1/Companies(14146)/** (retail)", "feeds: read of /v1/feeds** (retail)",
			},
			"sandbox",
		},
		"nothing at all": {request("storefront", "rc/crm", "GET", "/"), []string{"nothing in this environment"}, "retail"},
		"ended access is no right": {
			request("storefront", "production/pricing", "GET", "/"), []string{"may not use pricing", "Its access with trial ended at"}, "(trial)",
		},
		"which credentials": {request("many", "production/pricing", "GET", "/"), []string{"X-Gateway-Credential: one or three"}, "two"},
		"foreign credential": {
			with(request("storefront", "production/crm", "GET", "/"), func(r *Request) { r.Credential = "payroll" }),
			[]string{"X-Gateway-Credential"},
			"payroll",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, problem := policy.Decide(c.request)
			for _, part := range c.parts {
				if !strings.Contains(problem.Detail, part) {
					t.Errorf("%q lacks %q", problem.Detail, part)
				}
			}
			if strings.Contains(problem.Detail, c.without) || strings.Contains(problem.Detail, "secret-path") {
				t.Errorf("%q says too much", problem.Detail)
			}
		})
	}
}

func TestExplain(t *testing.T) {
	got := testPolicy(t).Explain(request("storefront", "production/catalogs", "POST", "/v1/x"))
	want := []Considered{
		{
			Rule:   "callers.storefront.access[0]: retail (production), catalogs: read",
			Reason: "it only reads, and the request writes or has side effects",
		},
		{
			Rule:   "callers.storefront.access[1]: retail-sandbox (sandbox), *: write",
			Reason: "retail-sandbox belongs to sandbox, the request goes to production",
		},
		{
			Rule:   "callers.storefront.access[2]: trial (production)",
			Reason: "it ended at 2026-05-04T12:00:00Z",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkDecide(b *testing.B) {
	policy := testPolicy(b)
	r := request("storefront", "production/order", "POST", "/v1/Companies(14146)/OrderFull")
	b.ReportAllocs()
	for b.Loop() {
		if _, problem := policy.Decide(r); problem != nil {
			b.Fatal(problem)
		}
	}
}
