package iqsim

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"
)

func TestPlainServices(t *testing.T) {
	const adjustment = "/inventoryadjustment/v1/Companies(14146)/SubmitQuantityAdjustment"
	s := startRetail(t)
	s.json(http.MethodGet, "/cost/v1/Companies(14146)/ProductCosts(7)", "").
		want(200, "Companies=14146", "ProductCosts=7", "Id=7", "Service=cost", "Environment=sandbox")
	created := s.json(http.MethodPost, adjustment, `{"QuantityAdjustmentGuid":"g"}`).want(201, "Version=1")
	s.json(http.MethodGet, adjustment+"("+created.value("Id")+")", "").want(200, "QuantityAdjustmentGuid=g")
	s.json(http.MethodPost, adjustment, "").want(201)

	rate := "/iqtaxprovider/v1/Companies(1)/TaxRates(3)"
	s.json(http.MethodPut, rate, `{"Rate":0.05}`).want(200, "Rate=0.05", "Version=6")
	s.json(http.MethodPut, rate, `{"Rate":0.06}`).want(200, "Version=7")
	s.send(http.MethodGet, rate, "").want(200, "Rate=0.06", "_links.self.href=v1/Companies(1)/TaxRates(3)")
	s.json(http.MethodDelete, rate, "").want(204)
	s.json(http.MethodGet, rate, "").want(200, "Rate=<none>")
	s.json(http.MethodPut, rate, `-`).want(400)
	s.json(http.MethodPatch, rate, `{}`).want(405)

	s.json(http.MethodPost, "/shippingaggregator/Companies(1)/ShippingInformation", `{}`).want(202)
	account := s.send(http.MethodGet, "/generalledger/v1/Companies(1)/Accounts(9)", "").want(200, "Version=5")
	if tag := account.header.Get("ETag"); tag != `"5"` || account.header.Get("Content-Type") != typeHAL {
		t.Errorf("account: ETag %s, Content-Type %s", tag, account.header.Get("Content-Type"))
	}
}

func TestPlainResources(t *testing.T) {
	const codes = "/reasoncode/Companies(14146)/ReasonCodes"
	s := startRetail(t)
	s.json(http.MethodGet, codes, "").want(200, "#=12", "0.Id=1", "0.Name=Stolen", "11.Id=12")
	s.json(http.MethodGet, codes+"(12)", "").want(200, "Id=12", "Name=Damaged")
	s.json(http.MethodGet, codes+"(-7)", "").want(200, "Id=-7", "Name=Damaged")
	s.json(http.MethodGet, codes+"(99999999999999999999)", "").want(200)

	id := s.json(http.MethodPost, codes, `{"Name":"Expired"}`).want(201).value("Id")
	s.json(http.MethodPut, codes+"(2)", `{"Name":"Lost"}`).want(200)
	s.json(http.MethodGet, codes, "").want(200, "#=13", "1.Name=Lost", "12.Name=Expired", "12.Id="+id)
	s.json(http.MethodGet, "/reasoncode/Companies(1)/ReasonCodes", "").want(200, "#=12", "1.Name=Found")

	s.send(http.MethodGet, "/iqtaxprovider/v1/Companies(1)/TaxRates", "").
		want(200, "_embedded.self.#=12", "_embedded.self.4._links.self.href=v1/Companies(1)/TaxRates(5)")
	s.json(http.MethodGet, "/pointofsale/Companies(1)/Sales(b3bde561-72db-4c95-bfde-c4dad7edb5b6)", "").
		want(200, "Sales=b3bde561-72db-4c95-bfde-c4dad7edb5b6", "Products.#=3")
}

func TestPlainServiceIsBounded(t *testing.T) {
	world := newRetail(worldOptions{Now: retailTime})
	written := &records{}
	for n := range maxPlain {
		written.seed(plainScope, seedID("path", n), document{})
	}
	rt := &router{}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/Things", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	rt.handleAny(http.MethodPost, func(r *http.Request) answer { return world.plainPost(r, plainService{}, written) })
	if a := rt.answer(req); a.status != http.StatusInsufficientStorage {
		t.Errorf("status = %d, want 507", a.status)
	}
}

// Every service answers a read with JSON: no proxied API leads nowhere.
func TestEveryServiceAnswers(t *testing.T) {
	s := startRetail(t)
	for stem := range retailServices(worldOptions{Now: retailTime}) {
		if g := s.json(http.MethodGet, "/"+stem+"/v1/nothing/here", ""); g.status != 200 && g.status != 404 {
			t.Errorf("%s: status %d", stem, g.status)
		} else if !json.Valid([]byte(g.body)) {
			t.Errorf("%s: no JSON: %s", stem, g.body)
		}
	}
}

// Two environments share no state and give other ids to what is created.
func TestEnvironmentsApart(t *testing.T) {
	sandbox, production := startRetail(t), startRetail(t, func(o *worldOptions) { o.Environment = "production" })
	first := sandbox.json(http.MethodPost, crmCustomers, `{"PrimaryName":"Ada"}`).want(201).value("Id")
	second := production.json(http.MethodPost, crmCustomers, `{"PrimaryName":"Ada"}`).want(201).value("Id")
	if first == second {
		t.Errorf("both environments created %s", first)
	}
	production.json(http.MethodGet, crmCustomers+"("+first+")", "").want(404)
	production.json(http.MethodGet, crmFirst, "").want(200, "Notes=Simulated customer of production")
}

// The same requests give the same answers in every run.
func TestSeedIsDeterministic(t *testing.T) {
	one, two := startRetail(t), startRetail(t)
	for _, target := range []string{crmFull + "?$top=100", shopCatalog + "/Items", "/entitymanager/v1/Companies(14146)/Tree"} {
		if a, b := one.json(http.MethodGet, target, ""), two.json(http.MethodGet, target, ""); a.body != b.body {
			t.Errorf("%s differs between two runs", target)
		}
	}
	if a, b := one.json(http.MethodPost, crmCustomers, `{"PrimaryName":"A"}`), two.json(http.MethodPost, crmCustomers, `{"PrimaryName":"A"}`); a.body != b.body {
		t.Error("the first customer that is created differs between two runs")
	}
}

func TestNoClockGiven(t *testing.T) {
	if s := newRetail(worldOptions{}); s.o.Now().Before(time.Now().Add(-time.Hour)) {
		t.Error("without a clock the services do not use the real one")
	}
}
