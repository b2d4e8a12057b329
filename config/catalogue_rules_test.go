package config

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iqgateway/internal/pathpattern"
)

// A POST that counts as reading may be sent twice and stored: none of these
// may ever be one.
func TestReadingPostsNeverWrite(t *testing.T) {
	c := builtinConfig(t)
	for name, paths := range map[string][]string{
		"catalogs":           {"/v1/Companies(1)/Catalog/Items", "/v1/Companies(1)/Catalog/Items/", "/v1/Companies(1)/Catalog/Items(a)/attributes"},
		"availability":       {"/v1/Companies(1)/CatalogItems", "/v1/Suppliers(1)/Companies(1)/SupplierSkus"},
		"shippingaggregator": {"/Companies(1)/Orders"},
		"dataconnect":        {"/Import/TrafficCount", "/import/TrafficCount", "/session", "/", "/private/billing"},
		"order":              {"/v1/Companies(1)/OrderFull", "/v1/Companies(1)/Orders(1)/Process"},
		"usermanager":        {"/v1/Users(1)/Unlock", "/v1/Users(1)/Lock"},
		"crm":                {"/v1/Companies(1)/Customers"},
		"vmi1":               {"/VMIClientService.asmx"},
	} {
		for _, r := range service(t, c, "production", name).Reads {
			for _, path := range paths {
				if r.Path.Match(path) {
					t.Errorf("%s: POST %s writes, but counts as reading by %s", name, path, r.Path)
				}
			}
		}
	}
}

// DataConnect alone reads without a body only: there a body may ask for mail.
func TestReadingPostsRead(t *testing.T) {
	c := builtinConfig(t)
	for _, tt := range []struct {
		service, path string
		withoutBody   bool
	}{
		{"catalogs", "/v1/Companies(14146)/Catalog/Items/ProductDetails/Bulk", false},
		{"availability", "/v1/Suppliers(1)/Companies(14146)/BulkSupplierAvailability", false},
		{"shippingaggregator", "/Companies(14146)/ShippingInformation", false},
		{"dataconnect", "/partner/relationships", true},
		{"dataconnect", "/reports/inventorylistingreport", true},
		{"dataconnect", "/bridge/current/schema", true},
		{"dataconnect", "/Supplier/Availability", true},
	} {
		found := slices.ContainsFunc(service(t, c, "rc", tt.service).Reads, func(r ReadingPost) bool {
			return r.Path.Match(tt.path) && r.WithoutBody == tt.withoutBody
		})
		if !found {
			t.Errorf("%s: POST %s does not read (without body: %v)", tt.service, tt.path, tt.withoutBody)
		}
	}
	everyService(t, func(s *EffectiveService) {
		for _, r := range s.Reads {
			if r.WithoutBody != (s.Name == "dataconnect") {
				t.Errorf("%s: POST %s reads, without body: %v", s.Name, r.Path, r.WithoutBody)
			}
		}
	})
}

func TestSideEffects(t *testing.T) {
	type effect struct {
		Path, Parameter string
		Values          []string
	}
	got := make(map[string][]effect)
	e, _ := builtinConfig(t).Environment("sandbox")
	for _, s := range e.Services() {
		for _, x := range s.SideEffects {
			got[s.Name] = append(got[s.Name], effect{x.Path.String(), x.Parameter, x.Values})
		}
	}
	want := map[string][]effect{"dataconnect": {
		{"/**", "Response", []string{"*.Email"}},
		{"/**", "Email.To", nil},
		{"/Import/**", "", nil},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSessions(t *testing.T) {
	everyService(t, func(s *EffectiveService) {
		if want := s.Name == "dataconnect"; s.Session.Cookies != want || s.Session.PreferredEndpoint != want {
			t.Errorf("%s: session %+v", s.Name, s.Session)
		}
	})
}

// Nothing that is personal or not stored may have a lifetime, and what a write
// drops must follow from the path that it writes to.
func TestCacheRulesOfTheCatalogueAreSafe(t *testing.T) {
	everyService(t, func(s *EffectiveService) {
		for _, r := range s.CatalogueRules {
			if r.TTL > 0 && s.Sensitive {
				t.Errorf("%s is sensitive, but %s is kept for %s", s.Name, r.Path, r.TTL)
			}
			if r.TTL == 0 && (r.NegativeTTL > 0 || r.StaleIfError > 0 || r.StaleWhileRevalidate > 0) {
				t.Errorf("%s: %s is not stored, but has further lifetimes", s.Name, r.Path)
			}
			if r.NegativeTTL > 10*time.Second {
				t.Errorf("%s: %s: a missing thing is remembered for %s", s.Name, r.Path, r.NegativeTTL)
			}
			known := parameters(r.Path)
			for _, p := range r.Invalidates {
				for _, parameter := range parameters(p) {
					if !slices.Contains(known, parameter) {
						t.Errorf("%s: %s invalidates %s, but does not know %s", s.Name, r.Path, p, parameter)
					}
				}
			}
		}
	})
}

func parameters(p Pattern) []string {
	return regexp.MustCompile(`\{[^}]*\}`).FindAllString(p.String(), -1)
}

// Two rules of one shape would leave the lifetime to chance.
func TestCacheRulesAreOrdered(t *testing.T) {
	everyService(t, func(s *EffectiveService) {
		for i, r := range s.CatalogueRules {
			for _, other := range s.CatalogueRules[i+1:] {
				if pathpattern.Compare(r.Path, other.Path) == 0 {
					t.Errorf("%s: %s and %s are equally specific", s.Name, r.Path, other.Path)
				}
			}
		}
	})
}

// What each answer may be reused for: the provider's rate of change, as far as
// it is known. 0 = never, -1 = no rule.
func TestLifetimes(t *testing.T) {
	const (
		never  = time.Duration(0)
		noRule = time.Duration(-1)
	)
	c := builtinConfig(t)
	for _, tt := range []struct {
		service, path, mode string
		ttl                 time.Duration
	}{
		{"reference", "/v1/Countries", "apply", 24 * time.Hour},
		{"productlibrary", "/v1/ClassificationTrees(1)", "apply", time.Hour},
		{"productlibrary", "/v1/FieldDefinitions(1)", "apply", 30 * time.Minute},
		{"productlibrary", "/v1/Products/M1248-V1", "apply", 15 * time.Minute},
		{"productlibrary", "/v1/Products/GetBulk", "apply", 15 * time.Minute},
		{"productlibrary", "/v1/Products/FindByIdentifier", "apply", 5 * time.Minute},
		{"entitymanager", "/v1/Companies(14146)/Tree", "apply", 10 * time.Minute},
		{"entitymanager", "/v1/Companies(14146)/Tree/Nodes(1)/Locations(2)", "apply", never},
		{"catalogs", "/v1/Companies(14146)/Catalog/Items", "apply", 5 * time.Minute},
		{"catalogs", `/v1/Companies(14146)/Catalog/Items(SourceId="x")`, "apply", 5 * time.Minute},
		{"catalogs", "/v1/Companies(14146)/Catalog/Items(x)/Structure", "apply", 15 * time.Minute},
		{"catalogs", "/v1/Companies(14146)/Catalog/Items/ByVendorSku", "apply", 10 * time.Minute},
		{"catalogs", "/v1/Companies(14146)/Catalog/Items(x)/attributes", "apply", noRule},
		{"pricing", "/v1/Companies(1)/Entities(2)/CatalogItems(x)/Pricing", "suggest", 30 * time.Second},
		{"availability", "/v1/Companies(1)/Entities(2)/CatalogItems(x)", "suggest", 30 * time.Second},
		{"dataconnect", "/reports/x", "suggest", 5 * time.Minute},
		{"dataconnect", "/bridge/current/data", "suggest", never},
		{"dataconnect", "/session", "suggest", never},
		{"dataconnect", "/Import/TrafficCount", "suggest", never},
		{"dropship", "/v1/Suppliers(1)/Notifications", "suggest", never},
		{"dropship", "/Suppliers(1)/Notifications/Pages(x)", "suggest", 6 * time.Hour},
		{"crm", "/v1/Companies(1)/Customers(x)", "apply", never},
		{"order", "/v1/Companies(1)/Orders(1)", "apply", never},
		{"usermanager", "/v1/Users(1)", "apply", never},
		{"ams", "/assets/x", "apply", 24 * time.Hour},
		{"ams", "/images/x", "apply", noRule}, // a redirect: its target is not ours
	} {
		s := service(t, c, "production", tt.service)
		if s.Cache.Catalogue != tt.mode {
			t.Errorf("%s: catalogue: %q, want %q", tt.service, s.Cache.Catalogue, tt.mode)
		}
		got := noRule
		if r := bestRule(s.CatalogueRules, tt.path); r != nil {
			got = r.TTL
		}
		if got != tt.ttl {
			t.Errorf("%s%s lives for %s, want %s", tt.service, tt.path, got, tt.ttl)
		}
	}
}

// The rules name routes in metrics: the most used paths have one of their own.
func TestRoutesOfTheMostUsedPaths(t *testing.T) {
	c := builtinConfig(t)
	for _, tt := range []struct{ service, path, want string }{
		{"crm", "/v1/Companies(14146)/Customers(x)/Addresses", "/v1/Companies({company})/Customers**"},
		{"crm", "/v1/Companies(14146)/CustomerFull(x)", "/v1/Companies({company})/CustomerFull**"},
		{"crm", "/v1/anything", "/**"},
		{"order", "/v1/Companies(14146)/Orders(1)/Process", "/v1/Companies({company})/Orders**"},
		{"salesorder", "/v1/Companies(14146)/PrintableId(1)", "/v1/Companies({company})/PrintableId({id})"},
		{"productsubscriptions", "/v1/subscription(l)/company(1)", "/v1/subscription({list})**"},
		{"usermanager", "/v1/Users(1)/Unlock", "/v1/Users**"},
		{"dataconnect", "/lists/stores", "/lists/**"},
	} {
		r := bestRule(service(t, c, "production", tt.service).CatalogueRules, tt.path)
		if r == nil || r.Path.String() != tt.want {
			t.Errorf("%s%s: %v, want %s", tt.service, tt.path, r, tt.want)
		}
	}
}

func bestRule(rules []CacheRule, path string) *CacheRule {
	var best *CacheRule
	for i, r := range rules {
		if r.Path.Match(path) && (best == nil || pathpattern.Compare(r.Path, best.Path) < 0) {
			best = &rules[i]
		}
	}
	return best
}

func TestAnonymousPaths(t *testing.T) {
	c := builtinConfig(t)
	if got := service(t, c, "production", "reference").Authentication; got != "anonymous" {
		t.Errorf("reference: authentication %q", got)
	}
	for _, tt := range []struct {
		service, path string
		want          bool
	}{
		{"ams", "/assets/09fe1ee4", true},
		{"ams", "/images/09fe1ee4", true},
		{"ams", "/assets", false}, // POST creates one
		{"dataconnect", "/version", true},
		{"dataconnect", "/session", false},
		{"dataconnect", "/lists/stores", false},
		{"crm", "/v1/Companies(1)/Customers", false},
	} {
		anonymous := service(t, c, "production", tt.service).Anonymous
		if got := slices.ContainsFunc(anonymous, func(p Pattern) bool { return p.Match(tt.path) }); got != tt.want {
			t.Errorf("%s%s without a token: %v, want %v", tt.service, tt.path, got, tt.want)
		}
	}
}

func TestSensitiveServices(t *testing.T) {
	var got []string
	e, _ := builtinConfig(t).Environment("production")
	for _, s := range e.Services() {
		if s.Sensitive {
			got = append(got, s.Name)
		}
	}
	want := []string{"accounts", "authproxyatt", "carrierservices", "paymentreporting", "payments", "usermanager"}
	if !slices.Equal(got, want) {
		t.Errorf("sensitive: %v, want %v", got, want)
	}
}

// Credentials of SOAP calls are in the body: no token may go beside them.
func TestSOAPServicesGetNoToken(t *testing.T) {
	everyService(t, func(s *EffectiveService) {
		soap := slices.Contains([]string{"cmi", "vmi1", "vmi3", "vmi10"}, s.Name)
		if (s.Authentication == "none") != soap {
			t.Errorf("%s: authentication %q", s.Name, s.Authentication)
		}
		if got := slices.Equal(s.Headers.Forward, []HeaderName{"SOAPAction"}); got != soap {
			t.Errorf("%s: forwards %v", s.Name, s.Headers.Forward)
		}
	})
}

func TestSlowServicesHaveTime(t *testing.T) {
	c := builtinConfig(t)
	dataconnect := service(t, c, "production", "dataconnect")
	want := Timeouts{Connect: 2 * time.Second, ResponseHeader: 10 * time.Minute, BodyIdle: 2 * time.Minute}
	if diff := cmp.Diff(want, dataconnect.Timeouts); diff != "" {
		t.Errorf("dataconnect: %s", diff)
	}
	const slowestSubmit = 30 * time.Second // documented by the provider for synchronous orders
	for _, name := range []string{"order", "salesorder", "covaorderintake"} {
		if got := service(t, c, "production", name).Timeouts.ResponseHeader; got < 2*slowestSubmit {
			t.Errorf("%s waits %s for a header, submits take up to %s", name, got, slowestSubmit)
		}
	}
	everyService(t, func(s *EffectiveService) {
		if total := s.Timeouts.Total; total > 0 && s.Timeouts.ResponseHeader >= total {
			t.Errorf("%s in %s: waits %s for a header, but has %s in all", s.Name, s.Environment, s.Timeouts.ResponseHeader, total)
		}
	})
}
