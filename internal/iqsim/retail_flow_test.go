package iqsim

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// The product poll of the real client: search, then for each product the item
// by its vendor SKU, the details of all in one POST, the products by slug.
func TestProductPoll(t *testing.T) {
	s := startRetail(t)
	found := s.json(http.MethodGet, shopCatalog+"/GroupedSearch?VendorIds=14107&CreatedFromUtc=2018-01-01&CreatedToUtc=2019-01-01&Page=1&PageSize=25&OrderBy=dateAdded", "")
	var ids, slugs []string
	for n := range atoi(found.want(200).value("Items.#")) {
		at := "Items." + strconv.Itoa(n)
		sku := found.value(at + ".Identifiers.0.Value")
		item := s.json(http.MethodGet, shopCatalog+"/Items/ByVendorSku?vendorId=14107&vendorSku="+sku, "")
		item.want(200, "Items.#=1", "Items.0.CatalogItemId="+found.value(at+".CatalogItemId"))
		ids = append(ids, strconv.Quote(item.value("Items.0.CatalogItemId")))
		slugs = append(slugs, item.value("Items.0.Slug"))
	}
	s.json(http.MethodPost, shopCatalog+"/Items/ProductDetails/Bulk", `{"CatalogItemIds":[`+strings.Join(ids, ",")+`]}`).
		want(200, fmt.Sprintf("CatalogItems.#=%d", len(models())))
	s.json(http.MethodGet, "/productlibrary/v1/Products/GetBulk?Slugs="+strings.Join(slugs, ","), "").
		want(200, fmt.Sprintf("Products.#=%d", len(models())))
}

// Prices are asked for one by one: every item of the list has one.
func TestPricePoll(t *testing.T) {
	s := startRetail(t)
	items := s.json(http.MethodGet, shopCatalog+"/Items(SourceId="+seedListID+")", "").want(200)
	for n := range atoi(items.value("Items.#")) {
		id := items.value("Items." + strconv.Itoa(n) + ".CatalogItemId")
		location := locationIDs()[n%len(locationIDs())]
		s.json(http.MethodGet, "/pricing/v1/Companies(14146)/Entities("+location+")/CatalogItems("+id+")/Pricing", "").
			want(200, "#=1", "0.CatalogItemId="+id, "0.EntityId="+location)
	}
}

// The order flow: the SKUs in parallel, then three writes in order.
func TestPlaceOrder(t *testing.T) {
	s := startRetail(t)
	skus := []string{"B00LAOKN4S", "B00LA40001", "B00LA40007"}
	items := make([]string, len(skus))
	var wg sync.WaitGroup
	for n, sku := range skus {
		wg.Go(func() {
			g := s.json(http.MethodGet, shopCatalog+"/Items/ByVendorSku?vendorsku="+sku+"&vendorid=14107", "")
			items[n] = fmt.Sprintf(`{"ItemTypeId":"1","SKU":%q,"ProductId":%q,"Quantity":1}`, sku, g.value("Items.0.CatalogItemId"))
		})
	}
	wg.Wait()
	body := `{"EntityId":14202,"OrderTypeId":1,"Items":[` + strings.Join(items, ",") + `]}`
	order := s.json(http.MethodPost, orderCompany+"/OrderFull", body).want(201, "Items.#=3", "Items.0.ProductId="+seedItemID)
	id := order.value("Id")
	s.json(http.MethodPost, orderCompany+"/Orders("+id+")/Process", `{"OrderId":"`+id+`"}`).want(201)
	sale := s.json(http.MethodPost, "/salesorder/v1/Companies(14146)/SaleInvoice", `{"OrderId":"`+id+`"}`).want(202)
	s.json(http.MethodGet, "/salesorder/v1/Companies(14146)/PrintableId("+sale.value("PrintableId")+")", "").want(200, "OrderId="+id)
}

// The second known client sends no Accept and reads _embedded.self; it takes a
// 404 of the stock for a quantity of 0.
func TestClientWithoutAccept(t *testing.T) {
	s := startRetail(t)
	found := s.send(http.MethodGet, "/crm/v1/Companies(14146)/CustomerSearch?$filter=Criteria%20eq%20'CUST-10005'", "")
	id := found.want(200, "_embedded.self.#=1").value("_embedded.self.0.Id")
	s.send(http.MethodGet, crmFull+"("+id+")", "").want(200, "UniqueIdentifier=CUST-10005")
	s.send(http.MethodGet, "/availability/v1/Companies(14146)/Entities(14202)/CatalogItems(none)", "").want(404)
	s.send(http.MethodGet, shopCatalog+"/Search?SearchTerms=cable", "").want(200, "MetaData.TotalResults=2")
}

// Whoever follows the next links sees every customer once, in order.
func TestPagesAreComplete(t *testing.T) {
	for _, size := range []int{1 + seedCustomerCount/3, 50, 100} {
		s := startRetail(t)
		href := fmt.Sprintf("Companies(14146)/Customers?$skip=0&$top=%d", size)
		var seen []string
		for href != "<none>" {
			page := s.send(http.MethodGet, "/crm/v1/"+href, "").want(200)
			for n := range atoi(page.value("_embedded.self.#")) {
				seen = append(seen, page.value(fmt.Sprintf("_embedded.self.%d.UniqueIdentifier", n)))
			}
			href = page.value("_links.next.href")
		}
		if len(seen) != seedCustomerCount {
			t.Fatalf("pages of %d: %d customers, want %d", size, len(seen), seedCustomerCount)
		}
		for n, id := range seen {
			if want := fmt.Sprintf("CUST-%05d", 10001+n); id != want {
				t.Fatalf("pages of %d: customer %d is %s, want %s", size, n, id, want)
			}
		}
	}
}

func TestSearchPagesAreComplete(t *testing.T) {
	s := startRetail(t)
	seen := map[string]bool{}
	for page := 1; ; page++ {
		g := s.json(http.MethodGet, shopCatalog+"/Search?PageSize=8&Page="+strconv.Itoa(page), "").want(200, "MetaData.TotalResults=37")
		count := atoi(g.value("Items.#"))
		for n := range count {
			seen[g.value(fmt.Sprintf("Items.%d.CatalogItemId", n))] = true
		}
		if count < 8 {
			break
		}
	}
	if len(seen) != 37 {
		t.Errorf("the pages show %d different items, want 37", len(seen))
	}
}

// HEAD says what GET would, without a body.
func TestHead(t *testing.T) {
	s := startRetail(t)
	for _, target := range []string{crmFirst, shopCatalog + "/Items", "/reference/v1/Countries", "/cost/v1/x"} {
		get, head := s.json(http.MethodGet, target, ""), s.json(http.MethodHead, target, "")
		if head.status != get.status || head.body != "" || head.header.Get("Content-Type") != get.header.Get("Content-Type") {
			t.Errorf("HEAD %s = %d, %d bytes, %v", target, head.status, len(head.body), head.header)
		}
	}
}

// Hostile text comes back as data and breaks no document.
func TestTextIsData(t *testing.T) {
	s := startRetail(t)
	for _, text := range []string{`"}{`, `<script>&amp;`, "\u2028", `O'Connor`, "naïve 日本"} {
		body := fmt.Sprintf(`{"PrimaryName":%q}`, text)
		created := s.send(http.MethodPost, crmCustomers, body).want(201, "PrimaryName="+text)
		s.send(http.MethodGet, crmCustomers+"("+created.value("Id")+")", "").want(200, "PrimaryName="+text)
		filter := url.QueryEscape("PrimaryName eq '" + strings.ReplaceAll(text, "'", "''") + "'")
		s.json(http.MethodGet, crmCustomers+"?$filter="+filter, "").want(200, "#=1")
		s.send(http.MethodGet, "/cost/v1/Things("+url.PathEscape(text)+")", "").want(200, "Things="+text)
	}
}

// Every service at once, reading and writing, in one environment.
func TestServicesConcurrently(t *testing.T) {
	s := startRetail(t)
	requests := []struct{ method, target, body string }{
		{http.MethodPost, orderCompany + "/OrderFull", newOrder},
		{http.MethodGet, orderCompany + "/OrderFull?$filter=State%20eq%20'Created'", ""},
		{http.MethodGet, "/ordermanagementreporting/v1/Reports/OrderList/report?filter=companyId%20eq%2014146", ""},
		{http.MethodPost, "/salesorder/v1/Companies(14146)/SaleOrder", "{}"},
		{http.MethodPost, crmFirst + "/Addresses", `{"Locality":"X"}`},
		{http.MethodGet, crmFull + "(" + seedCustomerID + ")", ""},
		{http.MethodPut, "/usermanager/v1/Users(22000)", `{"JobTitle":"X"}`},
		{http.MethodPost, "/pricing/v1/Companies(14146)/Entities(14202)/CatalogItems(" + seedItemID + ")/Pricing", `{"CatalogItemId":"x","RegularPrice":1,"PricingTermId":5}`},
		{http.MethodGet, "/pricing/v1/Companies(14146)/Entities(14202)/CatalogItems", ""},
		{http.MethodPost, "/api/rqpurchaseorders/PurchaseOrders", `{}`},
		{http.MethodPut, "/cost/v1/Companies(1)/ProductCosts(2)", `{"Cost":1}`},
		{http.MethodGet, "/cost/v1/Companies(1)/ProductCosts(2)", ""},
		{http.MethodPost, "/entitymanager/v1/Companies(14146)/Locations", `{"Name":"Same"}`},
		{http.MethodGet, "/entitymanager/v1/Companies(14146)/Tree", ""},
	}
	const rounds = 5
	var wg sync.WaitGroup
	for range rounds {
		for _, r := range requests {
			wg.Go(func() {
				if g := s.json(r.method, r.target, r.body); g.status >= 500 {
					t.Errorf("%s %s: %d %s", r.method, r.target, g.status, g.body)
				}
			})
		}
	}
	wg.Wait()
	s.json(http.MethodGet, orderCompany+"/Orders", "").want(200, fmt.Sprintf("#=%d", rounds))
	s.json(http.MethodGet, crmFirst, "").want(200, fmt.Sprintf("Version=%d", 1+rounds))
	s.json(http.MethodGet, "/usermanager/v1/Users(22000)", "").want(200, fmt.Sprintf("Version=%d", 1+rounds))
	s.json(http.MethodGet, "/api/rqpurchaseorders/PurchaseOrders", "").want(200, fmt.Sprintf("#=%d", rounds))
}
