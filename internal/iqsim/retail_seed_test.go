package iqsim

import (
	"regexp"
	"testing"
)

func TestSeedIDs(t *testing.T) {
	guid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	for _, kind := range []string{"customer", "address", "created in sandbox"} {
		for n := range 1000 {
			id := seedID(kind, n)
			if !guid.MatchString(id) {
				t.Fatalf("seedID(%q, %d) = %q is no GUID of version 4", kind, n, id)
			}
			if seen[id] {
				t.Fatalf("seedID(%q, %d) = %q came before", kind, n, id)
			}
			seen[id] = true
		}
	}
}

// What the seed's documents say of each other is true.
func TestSeedHoldsTogether(t *testing.T) {
	s := newRetail(worldOptions{Environment: "sandbox", Now: retailTime})
	customers := s.customers.list(seedCompanyID)
	if len(customers) != seedCustomerCount {
		t.Errorf("%d customers, want %d", len(customers), seedCustomerCount)
	}
	for _, customer := range customers {
		for _, kind := range []string{"Addresses", "ContactMethods"} {
			parts := s.customerParts.list(scopeOf(seedCompanyID, customer.id, kind))
			if len(parts) == 0 || parts[0].fields.text("CustomerId") != customer.id {
				t.Errorf("customer %s has no %s of its own", customer.id, kind)
			}
		}
	}
	skus := map[string]bool{}
	for _, item := range s.items.list(seedCompanyID) {
		product, ok := s.products.get("", item.fields.text("Slug"))
		if !ok {
			t.Errorf("item %s: no product %s", item.id, item.fields.text("Slug"))
			continue
		}
		if product.fields["Name"] != item.fields["Name"] {
			t.Errorf("item %s: product is called %v, the item %v", item.id, product.fields["Name"], item.fields["Name"])
		}
		sku := item.fields.text("VendorSku")
		if _, ok := s.stock.get(supplierScope("14107", seedCompanyID), sku); !ok || skus[sku] {
			t.Errorf("item %s: vendor SKU %s unknown to the supplier, or not its own", item.id, sku)
		}
		skus[sku] = true
	}
	list, _ := s.lists.get(listScope, seedListID)
	for _, product := range list.fields["Products"].([]document) {
		if !skus[product.text("VendorSku")] {
			t.Errorf("the subscribable list has %s, the catalog does not", product.text("VendorSku"))
		}
	}
}

// The ids of the provider's own examples are there.
func TestDocumentedExamples(t *testing.T) {
	runCases(t, []retailCase{
		{name: "customer", target: "/crm/v1/Companies(14146)/Customers(659c2a38-d083-4421-9330-46d779702f85)", status: 200},
		{
			name:   "address",
			target: "/crm/v1/Companies(14146)/Customers(659c2a38-d083-4421-9330-46d779702f85)/Addresses(a08b0640-606a-41f0-901a-facaf50e75dd)", status: 200,
		},
		{name: "catalog item", target: "/catalogs/v1/Companies(14146)/Catalog/Items(a183f1a9-c58f-426a-930a-9a6357db52ed)/ProductDetails", status: 200},
		{name: "stock", target: "/availability/v1/Companies(14146)/Entities(14202)/CatalogItems(a183f1a9-c58f-426a-930a-9a6357db52ed)", status: 200},
		{name: "list", target: "/productsubscriptions/v1/subscribablelists(43d92a51-650e-4b85-b5d0-8d51bf4c59f4)", status: 200},
		{name: "tree", target: "/productlibrary/v1/ClassificationTrees(1)", status: 200},
	})
}

func TestDocument(t *testing.T) {
	d := document{"S": "x", "N": 7, "Digits": "12", "Null": nil, "Empty": "", "List": []any{}, "Full": []any{map[string]any{"A": 1}, "no object"}}
	for field, want := range map[string]string{"S": "x", "N": "7", "Null": "", "List": "", "None": ""} {
		if got := d.text(field); got != want {
			t.Errorf("text(%s) = %q, want %q", field, got, want)
		}
	}
	for field, want := range map[string]int{"N": 7, "Digits": 12} {
		if got, ok := d.whole(field); got != want || !ok {
			t.Errorf("whole(%s) = %d, %v", field, got, ok)
		}
	}
	for _, field := range []string{"S", "Null", "List", "None"} {
		if _, ok := d.whole(field); ok {
			t.Errorf("whole(%s) found a number", field)
		}
	}
	for field, want := range map[string]bool{"S": false, "N": false, "Null": true, "Empty": true, "List": true, "Full": false, "None": true} {
		if got := d.empty(field); got != want {
			t.Errorf("empty(%s) = %v, want %v", field, got, want)
		}
	}
	if got := d.objects("Full"); len(got) != 1 || got[0]["A"] != 1 {
		t.Errorf("objects = %v", got)
	}
	changed := d.with(document{"S": "y"}, document{"S": "z", "New": true})
	if changed["S"] != "z" || changed["New"] != true || d["S"] != "x" {
		t.Errorf("with = %v, of %v", changed, d)
	}
	if got := document(nil).with(document{"A": 1}); got["A"] != 1 {
		t.Errorf("with on nil = %v", got)
	}
}
