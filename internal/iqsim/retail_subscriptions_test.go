package iqsim

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
)

const (
	seededList         = "/productsubscriptions/v1/subscribablelists(" + seedListID + ")"
	seededSubscription = "/productsubscriptions/v1/subscription(" + seedListID + ")"
	callersList        = "/productsubscriptions/v1/subscribablelists(0d1e2f30-0000-4000-8000-000000000001)"
)

func TestProductSubscriptions(t *testing.T) {
	const one = `{"EntityId":14107,"Name":"N","Dropshippable":true,"Products":[{"ProductName":"P","VendorSku":"S1","Price":24.90,"Version":9,"ProductSlugs":["mine"]}]}`
	runCases(t, []retailCase{
		{
			name:   "GET subscription",
			target: seededSubscription, status: 200,
			claims: []string{"#=1", "0.ListId=" + seedListID, "0.Companies.0.Id=14146", "0.Companies.0.Name=Kentel Corp"},
		},
		{
			name:   "GET unknown subscription",
			target: "/productsubscriptions/v1/subscription(x)", status: 404,
			claims: []string{"Message=Document not found"},
		},
		{
			name:   "GET list",
			target: seededList, status: 200,
			claims: []string{"EntityId=14107", "CountOfProducts=12", "Products.0.VendorSku=B00LAOKN4S", "Products.0.ProductSlugs.0=M1248-V1", "Version=2", "companies=<none>"},
		},
		{name: "GET unknown list", target: callersList, status: 404, claims: []string{"Message=Document not found"}},
		{
			name:   "PUT creates with the caller's GUID",
			method: "PUT", target: callersList, body: `{"EntityId":14107,"Name":"N"}`, status: 200,
			claims: []string{"Version=1", "CountOfProducts=0", "Dropshippable=false", "Id=0d1e2f30-0000-4000-8000-000000000001"},
		},
		{
			name:   "PUT products without a name",
			method: "PUT", target: callersList,
			body:   `{"EntityId":14107,"Name":"N","Products":[{"VendorSku":"S0"}]}`,
			status: 200,
			claims: []string{"Version=2", "Products.0.VendorSku=S0", "Products.0.ProductName=<none>"},
		},
		{
			name:   "PUT products",
			method: "PUT", target: callersList, body: one, status: 200,
			claims: []string{"Version=3", "CountOfProducts=1", "Products.0.Version=1", "Products.0.ProductSlugs.#=0", "Products.0.Price=24.90"},
		},
		{
			name:   "PUT replaces the whole list",
			method: "PUT", target: callersList,
			body:   `{"EntityId":14107,"Name":"M","Products":[{"ProductName":"Q","VendorSku":"S2"}]}`,
			status: 200,
			claims: []string{"CountOfProducts=1", "Products.0.VendorSku=S2"},
		},
		{
			name:   "the replaced products are gone",
			target: callersList, status: 200,
			claims: []string{"Name=M", "Products.#=1", "Version=4"},
		},
		{
			name:   "PUT of no products empties the list",
			method: "PUT", target: callersList, body: `{"EntityId":14107,"Name":"M","Products":[]}`, status: 200,
			claims: []string{"CountOfProducts=0", "Version=5"},
		},
		{
			name:   "slugs and versions are carried over by SKU",
			method: "PUT", target: seededList,
			body:   `{"EntityId":14107,"Name":"L","Products":[{"ProductName":"P","VendorSku":"b00laokn4s","ProductSlugs":["mine"],"Version":5}]}`,
			status: 200,
			claims: []string{"Products.0.ProductSlugs.0=M1248-V1", "Products.0.Version=1"},
		},
		{name: "the companies stay", target: seededSubscription, status: 200, claims: []string{"0.Companies.#=1"}},
		{
			name:   "POST creates from the body's Id",
			method: "POST", target: "/productsubscriptions/v1/subscribablelists",
			body:   `{"Id":"b","EntityId":"14107","Name":"B"}`,
			status: 201,
			claims: []string{"Id=b", "Version=1"},
		},
		{
			name:   "POST without Id",
			method: "POST", target: "/productsubscriptions/v1/subscribablelists", body: one, status: 400,
			claims: []string{"Message=Id should not be empty"},
		},
		{name: "POST of no JSON", method: "POST", target: "/productsubscriptions/v1/subscribablelists", body: `x`, status: 400},
	})
}

// The page's three errors, to the letter.
func TestProductSubscriptionErrors(t *testing.T) {
	runCases(t, []retailCase{
		{
			name:   "error 1: foreign entity",
			method: "PUT", target: callersList, body: `{"EntityId":41407,"Name":"N"}`, status: 400,
			claims: []string{"Message=Validation failed. EntityId does not belong to vendor"},
		},
		{
			name:   "error 2: a field is missing",
			method: "PUT", target: callersList, body: `{"EntityId":14107}`, status: 400,
			claims: []string{"Message=Name should not be empty"},
		},
		{
			name:   "error 2: no entity",
			method: "PUT", target: callersList, body: `{"Name":"N"}`, status: 400,
			claims: []string{"Message=EntityId should not be empty"},
		},
		{
			name:   "error 2: in a product",
			method: "PUT", target: callersList,
			body:   `{"EntityId":14107,"Name":"N","Products":[{"ProductName":"P"}]}`,
			status: 400,
			claims: []string{"Message=VendorSku should not be empty"},
		},
		{
			name:   "error 2: products are missing",
			method: "PUT", target: seededList, body: `{"EntityId":14107,"Name":"N"}`, status: 400,
			claims: []string{"Message=Products should not be empty"},
		},
		{
			name:   "error 2: products are null",
			method: "PUT", target: seededList, body: `{"EntityId":14107,"Name":"N","Products":null}`, status: 400,
			claims: []string{"Message=Products should not be empty"},
		},
		{
			name:   "products are no list",
			method: "PUT", target: seededList, body: `{"EntityId":14107,"Name":"N","Products":{}}`, status: 400,
			claims: []string{"Message=The request is invalid."},
		},
		{
			name:   "a product is no object",
			method: "PUT", target: seededList, body: `{"EntityId":14107,"Name":"N","Products":["S1"]}`, status: 400,
		},
		{
			name:   "what was refused changed nothing",
			target: seededList, status: 200,
			claims: []string{"CountOfProducts=12", "Version=2", "Name=Nozama's Product List"},
		},
		{name: "PUT of no JSON", method: "PUT", target: callersList, body: `x`, status: 400},
	})
}

func TestSubscriptionCompanies(t *testing.T) {
	runCases(t, []retailCase{
		{name: "PUT company", method: "PUT", target: seededSubscription + "/company(60454)", status: 204},
		{name: "PUT company again", method: "PUT", target: seededSubscription + "/company(60454)", status: 204},
		{
			name:   "it is in once",
			target: seededSubscription, status: 200,
			claims: []string{"0.Companies.#=2", "0.Companies.1.Id=60454", "0.Companies.1.DateSubscribedUtc=2026-03-02T09:30:00.0000000Z"},
		},
		{name: "DELETE company", method: "DELETE", target: seededSubscription + "/company(60454)", status: 204},
		{name: "DELETE company again", method: "DELETE", target: seededSubscription + "/company(60454)", status: 204},
		{name: "it is out", target: seededSubscription, status: 200, claims: []string{"0.Companies.#=1"}},
		{
			name:   "error 3: PUT company to an unknown list",
			method: "PUT", target: "/productsubscriptions/v1/subscription(x)/company(1)", status: 404,
			claims: []string{"Message=Document not found"},
		},
		{
			name:   "error 3: DELETE of no company",
			method: "DELETE", target: seededSubscription + "/company(x)", status: 404,
			claims: []string{"Message=Document not found"},
		},
	})
}

// Lists that are read while companies come and go are whole.
func TestSubscriptionConcurrency(t *testing.T) {
	s := startRetail(t)
	var wg sync.WaitGroup
	for n := range 16 {
		company := fmt.Sprintf("%s/company(%d)", seededSubscription, 100+n)
		wg.Go(func() { s.json(http.MethodPut, company, "") })
		wg.Go(func() { s.json(http.MethodGet, seededSubscription, "") })
		wg.Go(func() { s.json(http.MethodPut, seededList, `{"EntityId":14107,"Name":"N","Products":[]}`) })
	}
	wg.Wait()
	s.json(http.MethodGet, seededSubscription, "").want(200, "0.Companies.#=17")
	s.json(http.MethodGet, seededList, "").want(200, "Version=18", "CountOfProducts=0")
}
