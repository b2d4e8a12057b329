package iqsim

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

const (
	crmCustomers = "/crm/v1/Companies(14146)/Customers"
	crmFirst     = crmCustomers + "(" + seedCustomerID + ")"
	crmFull      = "/crm/v1/Companies(14146)/CustomerFull"
)

func TestCustomerList(t *testing.T) {
	runCases(t, []retailCase{
		{
			name:   "a page is 50",
			target: crmCustomers, accept: typeJSON, status: 200,
			claims: []string{"#=50", "0.Id=" + seedCustomerID, "0.Version=1"},
		},
		{
			name:   "top is clamped to 100 in silence",
			target: crmCustomers + "?$top=1000", accept: typeJSON, status: 200,
			claims: []string{"#=100"},
		},
		{
			name:   "top works without $",
			target: crmCustomers + "?$skip=239&top=10", accept: typeJSON, status: 200,
			claims: []string{"#=1", "0.UniqueIdentifier=CUST-10240"},
		},
		{name: "skip beyond the end", target: crmCustomers + "?%24skip=999", accept: typeJSON, status: 200, claims: []string{"#=0"}},
		{name: "top 0", target: crmCustomers + "?$top=0", accept: typeJSON, status: 200, claims: []string{"#=0"}},
		{name: "paging that is no number", target: crmCustomers + "?$top=many", accept: typeJSON, status: 400},
		{name: "negative paging", target: crmCustomers + "?$skip=-1", accept: typeJSON, status: 400},
		{
			name:   "look-up as the real client sends it",
			target: crmCustomers + "?%24filter=UniqueIdentifier%20eq%20'CUST-10012'", accept: typeJSON, status: 200,
			claims: []string{"#=1", "0.PrimaryName=Bob"},
		},
		{
			name:   "filter is case-sensitive",
			target: crmCustomers + "?$filter=PrimaryName%20eq%20'bob'", accept: typeJSON, status: 200,
			claims: []string{"#=0"},
		},
		{
			name:   "substringof with tolower",
			target: crmCustomers + "?$filter=substringof('bob',%20tolower(PrimaryName))&$top=100", accept: typeJSON, status: 200,
			claims: []string{"0.PrimaryName=Bob"},
		},
		{
			name:   "modified since",
			target: crmCustomers + "?$filter=LastModifiedDateUtc%20ge%20datetime'2018-03-11T00:00:00Z'&$top=100", accept: typeJSON, status: 200,
			claims: []string{"0.UniqueIdentifier=CUST-10237", "#=4"},
		},
		{
			name:   "filter that cannot be read",
			target: crmCustomers + "?$filter=PrimaryName%20eq", accept: typeJSON, status: 400,
			claims: []string{"Message=Error while extracting the request query: filter ends too early"},
		},
	})
}

func TestCustomer(t *testing.T) {
	runCases(t, []retailCase{
		{name: "one", target: crmFirst, accept: typeJSON, status: 200, claims: []string{"FamilyName=Smith", "_links=<none>"}},
		{
			name:   "one, escaped and in other case",
			target: "/crm/v1/companies%2814146%29/customers%28" + strings.ToUpper(seedCustomerID) + "%29", accept: typeJSON, status: 200,
			claims: []string{"Id=" + seedCustomerID},
		},
		{
			name:   "unknown",
			target: crmCustomers + "(00000000-0000-4000-8000-000000000000)", accept: typeJSON, status: 404,
			claims: []string{"Message=Resource cannot be found"},
		},
		{
			name:   "another company has none",
			target: "/crm/v1/Companies(1)/Customers", accept: typeJSON, status: 200,
			claims: []string{"#=0"},
		},
		{
			name:   "create without a name",
			method: "POST", target: crmCustomers, body: `{"FamilyName":"X"}`, status: 400,
			claims: []string{"Message=PrimaryName should not be empty"},
		},
		{
			name:   "create from no JSON",
			method: "POST", target: crmCustomers, body: `[1]`, status: 400,
			claims: []string{"Message=The request is invalid."},
		},
		{name: "create from null", method: "POST", target: crmCustomers, body: `null`, status: 400},
		{
			name:   "create below no company",
			method: "POST", target: "/crm/v1/Companies(x)/Customers", body: `{"PrimaryName":"X"}`, status: 404,
		},
		{name: "method that it does not have", method: "PATCH", target: crmFirst, status: 405},
		{name: "path that it does not have", target: "/crm/v2/Companies(14146)/Customers", status: 404},
	})
}

func TestCustomersHAL(t *testing.T) {
	runCases(t, []retailCase{
		{name: "list without Accept", target: crmCustomers + "?$top=2&$skip=2", status: 200, claims: []string{
			"_embedded.self.#=2", "_embedded.self.0.UniqueIdentifier=CUST-10003",
			"_links.self.href=Companies(14146)/Customers?$skip=2&$top=2", "_links.self.templated=false",
			"_links.next.href=Companies(14146)/Customers?$skip=4&$top=2", "_links.prev.href=Companies(14146)/Customers?$skip=0&$top=2",
		}},
		{
			name:   "the last page has no next",
			target: crmCustomers + "?$skip=230", accept: typeHAL, status: 200,
			claims: []string{"_embedded.self.#=10", "_links.next=<none>"},
		},
		{
			name:   "one",
			target: crmFirst, accept: "*/*", status: 200,
			claims: []string{"_links.self.href=Companies(14146)/Customers(" + seedCustomerID + ")", "PrimaryName=Jasmine"},
		},
		{
			name:   "the first that fits wins",
			target: crmFirst, accept: "application/json, application/hal+json", status: 200,
			claims: []string{"_links=<none>"},
		},
	})
}

func TestWantsHAL(t *testing.T) {
	for accept, want := range map[string]bool{
		"": true, "*/*": true, "application/hal+json": true, "application/json": false, "APPLICATION/JSON; charset=utf-8": false,
		"text/html, application/json;q=0.9": false, "application/hal+json, application/json": true,
	} {
		if got := wantsHAL(accept); got != want {
			t.Errorf("wantsHAL(%q) = %v, want %v", accept, got, want)
		}
	}
}

func TestCustomerTypes(t *testing.T) {
	s := startRetail(t)
	for accept, want := range map[string]string{"application/json": typeJSON, "application/hal+json": typeHAL} {
		if got := s.send(http.MethodGet, crmFirst, "", "Accept", accept).header.Get("Content-Type"); got != want {
			t.Errorf("Accept %s: Content-Type = %q, want %q", accept, got, want)
		}
	}
}

// What is written can be read, and every write makes a new Version.
func TestCustomerWrites(t *testing.T) {
	s := startRetail(t)
	created := s.json(http.MethodPost, crmCustomers, `{"PrimaryName":"Ada","FamilyName":"L","CreditLimit":24.90,"Version":7,"Id":"mine"}`)
	created.want(201, "PrimaryName=Ada", "Version=1", "CreditLimit=24.90", "DoNotContact=true", "Disabled=false")
	one := crmCustomers + "(" + created.value("Id") + ")"
	s.json(http.MethodGet, one, "").want(200, "FamilyName=L")
	s.json(http.MethodGet, crmCustomers+"?$filter=PrimaryName%20eq%20'Ada'", "").want(200, "#=1")

	s.json(http.MethodPut, one, `{"PrimaryName":"Ada","FamilyName":"Lovelace"}`).want(200, "Version=2", "Id="+created.value("Id"))
	s.json(http.MethodPut, one, `{"PrimaryName":"Ada","FamilyName":"King","Version":1}`).
		want(409, "Message=Entity resource already modified by an earlier request")
	s.json(http.MethodPut, one, `{"PrimaryName":"Ada","FamilyName":"King","Version":2}`).want(200, "Version=3")
	s.json(http.MethodPut, one, `{"PrimaryName"`).want(400)
	s.json(http.MethodPut, crmCustomers+"(none)", `{"PrimaryName":"Ada"}`).want(404)
	s.json(http.MethodDelete, one, "").want(200, "Disabled=true", "Version=4", "FamilyName=King")
	s.json(http.MethodGet, one, "").want(200, "Disabled=true", "LastModifiedDateUtc=2026-03-02T09:30:00.0000000Z")
	s.json(http.MethodDelete, crmCustomers+"(none)", "").want(404)
}

func TestCustomerParts(t *testing.T) {
	s := startRetail(t)
	for _, kind := range customerPartKinds() {
		t.Run(kind, func(t *testing.T) {
			s := retailServer{s.Server, t}
			before := s.json(http.MethodGet, crmFirst, "").value("Version")
			created := s.json(http.MethodPost, crmFirst+"/"+kind, `{"Notes":"new"}`)
			created.want(201, "CustomerId="+seedCustomerID, "Version=1", "Default=false")
			one := crmFirst + "/" + kind + "(" + created.value("Id") + ")"
			s.json(http.MethodGet, one, "").want(200, "Notes=new")
			s.json(http.MethodPut, one, `{"Notes":"changed"}`).want(200, "Version=2", "Notes=changed", "CustomerId="+seedCustomerID)
			s.json(http.MethodPut, one, `{"Notes":"late","Version":1}`).want(409)
			s.json(http.MethodDelete, one, "").want(200, "Notes=changed")
			s.json(http.MethodGet, one, "").want(404)
			s.json(http.MethodDelete, one, "").want(404)
			s.json(http.MethodPut, one, `{}`).want(404)
			s.json(http.MethodPost, crmFirst+"/"+kind, `x`).want(400)
			s.json(http.MethodPost, crmCustomers+"(none)/"+kind, `{}`).want(404)
			s.json(http.MethodGet, crmCustomers+"(none)/"+kind, "").want(404)
			if after := s.json(http.MethodGet, crmFirst, "").value("Version"); after == before {
				t.Errorf("Version of the customer is still %s after three writes below it", before)
			}
		})
	}
	s.json(http.MethodGet, crmFirst+"/Addresses", "").want(200, "#=1", "0.Id="+seedAddressID)
	s.json(http.MethodGet, crmFirst+"/ContactMethods", "").want(200, "#=2", "0.ContactMethodCategory=Email")
	s.send(http.MethodGet, crmFirst+"/Addresses", "").want(200, "_embedded.self.0.CountryCode=CA")
}

func TestCustomerFull(t *testing.T) {
	s := startRetail(t)
	full := s.json(http.MethodGet, crmFull+"("+seedCustomerID+")", "")
	full.want(200, "Addresses.#=1", "ContactMethods.#=2", "CustomerExtensions.#=0", "MemberOf.#=0")
	if tag := full.header.Get("ETag"); tag != `"1"` {
		t.Errorf("ETag = %s, want the Version", tag)
	}
	s.json(http.MethodPost, crmFirst+"/CustomerExtensions", `{"ExtensionTypeId":2,"Value":"66432"}`).want(201)
	full = s.json(http.MethodGet, crmFull+"("+seedCustomerID+")", "").want(200, "CustomerExtensions.0.Value=66432")
	if tag := full.header.Get("ETag"); tag != `"2"` {
		t.Errorf("ETag = %s after a write below the customer, want \"2\"", tag)
	}
	s.json(http.MethodGet, crmFull+"(none)", "").want(404)

	created := s.json(http.MethodPost, crmFull, `{"PrimaryName":"Grace","Addresses":[{"Locality":"Regina"}],"ContactMethods":[{"Value":"g@example.com"},{"Value":"555"}]}`)
	created.want(201, "Addresses.0.Locality=Regina", "ContactMethods.#=2", "Version=1")
	s.json(http.MethodGet, crmCustomers+"("+created.value("Id")+")/ContactMethods", "").want(200, "#=2")
	s.json(http.MethodGet, crmCustomers+"("+created.value("Id")+")", "").want(200, "Addresses=<none>")
	s.json(http.MethodPost, crmFull, `{}`).want(400)
	s.json(http.MethodPost, crmFull, ``).want(400)
}

func TestCustomerFullList(t *testing.T) {
	s := startRetail(t)
	s.json(http.MethodGet, crmFull+"?$filter=LastModifiedDateUtc%20ge%20datetime'2018-01-02T00:00:00'&$skip=10&$top=5", "").
		want(200, "#=5", "0.UniqueIdentifier=CUST-10014", "0.Addresses.#=1")
	s.send(http.MethodGet, crmFull+"?$skip=238&$top=5", "").
		want(200, "_embedded.self.#=2", "_embedded.self.1.ContactMethods.#=2", "_links.prev.href=Companies(14146)/CustomerFull?$skip=233&$top=5")
	s.json(http.MethodGet, crmFull+"?$skip=1000", "").want(200, "#=0")
	s.json(http.MethodGet, crmFull+"?$filter=(", "").want(400)
	s.json(http.MethodGet, crmFull+"?$top=x", "").want(400)
}

func TestCustomerSearch(t *testing.T) {
	const search = "/crm/v1/Companies(14146)/CustomerSearch?$filter="
	runCases(t, []retailCase{
		{
			name:   "by name in any case",
			target: search + "Criteria%20eq%20'bOB%20gaR'&$top=100", accept: typeJSON, status: 200,
			claims: []string{"0.PrimaryName=Bob", "0.FamilyName=Garcia", "0.Criteria=bob gar"},
		},
		{
			name:   "by e-mail",
			target: search + "Criteria%20eq%20'jasmine.0@EXAMPLE.com'", accept: typeJSON, status: 200,
			claims: []string{"#=1", "0.Id=" + seedCustomerID, "0.ContactMethods.#=2"},
		},
		{name: "without a hit", target: search + "Criteria%20eq%20'zzz'", accept: typeJSON, status: 200, claims: []string{"#=0"}},
		{
			name:   "HAL as a real client reads it",
			target: search + "Criteria%20eq%20'CUST-10001'", status: 200,
			claims: []string{"_embedded.self.0.Id=" + seedCustomerID},
		},
		{name: "another field", target: search + "PrimaryName%20eq%20'x'", accept: typeJSON, status: 400},
		{name: "no criteria", target: search, accept: typeJSON, status: 400},
		{name: "quote not closed", target: search + "Criteria%20eq%20'x", accept: typeJSON, status: 400},
	})
}

// Writers that name no Version are all executed, one after the other; of those
// that name one, exactly one is.
func TestCustomerConcurrency(t *testing.T) {
	s := startRetail(t)
	const writers = 20
	var wg sync.WaitGroup
	for n := range writers {
		wg.Go(func() { s.json(http.MethodPut, crmFirst, fmt.Sprintf(`{"PrimaryName":"W%d"}`, n)) })
		wg.Go(func() { s.json(http.MethodGet, crmFull+"?$top=5", "") })
		wg.Go(func() { s.json(http.MethodPost, crmCustomers, `{"PrimaryName":"New"}`) })
	}
	wg.Wait()
	s.json(http.MethodGet, crmFirst, "").want(200, fmt.Sprintf("Version=%d", 1+writers))
	s.json(http.MethodGet, crmCustomers+"?$filter=PrimaryName%20eq%20'New'&$top=100", "").want(200, fmt.Sprintf("#=%d", writers))

	statuses := make(chan int, writers)
	for range writers {
		wg.Go(func() {
			statuses <- s.json(http.MethodPut, crmFirst, fmt.Sprintf(`{"PrimaryName":"X","Version":%d}`, 1+writers)).status
		})
	}
	wg.Wait()
	close(statuses)
	count := map[int]int{}
	for status := range statuses {
		count[status]++
	}
	if count[http.StatusOK] != 1 || count[http.StatusConflict] != writers-1 {
		t.Errorf("statuses = %v, want one 200 and %d 409", count, writers-1)
	}
}

func BenchmarkCustomers(b *testing.B) {
	services := retailServices(worldOptions{Environment: "bench", Now: retailTime})
	for name, target := range map[string]string{"one": crmFirst, "page": crmCustomers, "filter": crmCustomers + "?$filter=UniqueIdentifier%20eq%20'CUST-10012'"} {
		b.Run(name, func(b *testing.B) {
			req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, strings.TrimPrefix(target, "/crm"), nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				services["crm"].ServeHTTP(discardWriter{http.Header{}}, req)
			}
		})
	}
}

// discardWriter is a ResponseWriter that costs nothing.
type discardWriter struct{ header http.Header }

func (w discardWriter) Header() http.Header         { return w.header }
func (w discardWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w discardWriter) WriteHeader(int)             {}
