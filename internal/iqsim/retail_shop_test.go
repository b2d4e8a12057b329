package iqsim

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const shopCatalog = "/catalogs/v1/Companies(14146)/Catalog"

func TestCatalogs(t *testing.T) {
	runCases(t, []retailCase{
		{
			name:   "all items, unpaged",
			target: shopCatalog + "/Items", status: 200,
			claims: []string{"Items.#=37", "Items.0.CatalogItemId=" + seedItemID, "Items.0.Slug=M1248-V1"},
		},
		{
			name:   "items of a list",
			target: shopCatalog + "/Items(SourceId=" + seedListID + ")", status: 200,
			claims: []string{"Items.#=37"},
		},
		{
			name:   "items of a list, quoted",
			target: shopCatalog + "/Items(SourceId=%22" + strings.ToUpper(seedListID) + "%22)", status: 200,
			claims: []string{"Items.#=37"},
		},
		{name: "items of an unknown list", target: shopCatalog + "/Items(SourceId=x)", status: 200, claims: []string{"Items.#=0"}},
		{
			name:   "one item",
			target: shopCatalog + "/Items(" + seedItemID + ")", status: 200,
			claims: []string{"RmsId=1", "IsArchived=false"},
		},
		{name: "unknown item", target: shopCatalog + "/Items(x)", status: 404, claims: []string{"Message=CatalogItem not found"}},
		{
			name:   "details",
			target: shopCatalog + "/Items(" + seedItemID + ")/ProductDetails", status: 200,
			claims: []string{"Name=Galaxy S6 edge+ 32GB - Black Sapphire", "VendorSkus.0.Value=B00LAOKN4S", "VendorSkus.0.Entity.Id=14107", "Manufacturer.Name=Samsung", "MSRP.Amount=799.99"},
		},
		{name: "details of an unknown item", target: shopCatalog + "/Items(x)/ProductDetails", status: 404},
		{
			name:   "structure",
			target: shopCatalog + "/Items(" + seedItemID + ")/structure", status: 200,
			claims: []string{"Slug=M1248", "Variations.#=3", "Variations.2.Slug=M1248-V3"},
		},
		{name: "structure of an unknown item", target: shopCatalog + "/Items(x)/Structure", status: 404},
		{
			name:   "by vendor SKU",
			target: shopCatalog + "/Items/ByVendorSku?vendorId=14107&vendorSku=B00LAOKN4S", status: 200,
			claims: []string{"Items.#=1", "Items.0.CatalogItemId=" + seedItemID, "Sku=B00LAOKN4S", "VendorId=14107"},
		},
		{
			name:   "by vendor SKU, in the order flow's case",
			target: shopCatalog + "/Items/ByVendorSku?vendorsku=b00laokn4s&vendorid=14107", status: 200,
			claims: []string{"Items.#=1"},
		},
		{
			name:   "by vendor SKU without vendor",
			target: shopCatalog + "/Items/ByVendorSku?VENDORSKU=B00LAOKN4S", status: 200,
			claims: []string{"Items.#=1", "VendorId=<nil>"},
		},
		{
			name:   "by vendor SKU of another vendor",
			target: shopCatalog + "/Items/ByVendorSku?vendorsku=B00LAOKN4S&vendorid=1", status: 200,
			claims: []string{"Items.#=0"},
		},
		{name: "by no vendor SKU", target: shopCatalog + "/Items/ByVendorSku?vendorid=1", status: 400},
	})
}

func TestCatalogSearch(t *testing.T) {
	runCases(t, []retailCase{
		{
			name:   "search",
			target: shopCatalog + "/search?searchTerms=xPERIA", status: 200,
			claims: []string{"Items.#=2", "Items.0.CanonicalClassification.Name=Smartphones", "MetaData.TotalResults=2", "MetaData.Page=1", "MetaData.PageSize=20"},
		},
		{
			name:   "search, a later page",
			target: shopCatalog + "/Search?Page=4&PageSize=10", status: 200,
			claims: []string{"Items.#=7", "MetaData.TotalResults=37"},
		},
		{name: "search, beyond the last page", target: shopCatalog + "/Search?Page=40", status: 200, claims: []string{"Items.#=0"}},
		{
			name:   "search, page size is limited",
			target: shopCatalog + "/Search?PageSize=9999", status: 200,
			claims: []string{"MetaData.PageSize=200"},
		},
		{name: "search, page is no number", target: shopCatalog + "/Search?Page=x", status: 400},
		{name: "search, page size is no number", target: shopCatalog + "/GroupedSearch?PageSize=x", status: 400},
		{
			name:   "grouped search",
			target: shopCatalog + "/GroupedSearch?VendorIds=14107,5&PageSize=25", status: 200,
			claims: []string{"Items.#=19", "Items.0.ChildProducts.#=2", "MetaData.TotalResults=19"},
		},
		{
			name:   "grouped search, only with children",
			target: shopCatalog + "/GroupedSearch?HasChildProducts=true", status: 200,
			claims: []string{"Items.#=14"},
		},
		{
			name:   "grouped search of another vendor",
			target: shopCatalog + "/GroupedSearch?VendorIds=1", status: 200,
			claims: []string{"Items.#=0"},
		},
		{
			name:   "grouped search by date",
			target: shopCatalog + "/GroupedSearch?CreatedFromUtc=2018-01-01T12:00:00Z&CreatedToUtc=2018-01-02T00:00:00Z", status: 200,
			claims: []string{"MetaData.TotalResults=1"},
		},
		{
			name:   "classification tree",
			target: shopCatalog + "/ClassificationTree(21)", status: 200,
			claims: []string{"Version=878", "Categories.0.Classifications.0.Name=Smartphones"},
		},
	})
}

func TestBulkDetails(t *testing.T) {
	const bulk = shopCatalog + "/Items/ProductDetails/Bulk"
	ids := func(n int) string {
		return `{"CatalogItemIds":["` + seedItemID + `"` + strings.Repeat(`,"unknown"`, n-1) + `]}`
	}
	runCases(t, []retailCase{
		{
			name:   "unknown ids are left out",
			method: "POST", target: bulk, body: ids(3), status: 200,
			claims: []string{"CatalogItems.#=1", "CatalogItems." + seedItemID + ".Slug=M1248-V1"},
		},
		{name: "500", method: "POST", target: bulk, body: ids(500), status: 200, claims: []string{"CatalogItems.#=1"}},
		{name: "501", method: "POST", target: bulk, body: ids(501), status: 400},
		{name: "none", method: "POST", target: bulk, body: `{"CatalogItemIds":[]}`, status: 400},
		{
			name:   "other types",
			method: "POST", target: bulk, body: `{"CatalogItemIds":[1,null]}`, status: 200,
			claims: []string{"CatalogItems.#=0"},
		},
		{name: "no JSON", method: "POST", target: bulk, body: `<x/>`, status: 400},
	})
}

func TestProductLibrary(t *testing.T) {
	const lib = "/productlibrary/v1"
	runCases(t, []retailCase{
		{
			name:   "product",
			target: lib + "/Products/M1248-V1", status: 200,
			claims: []string{"Name=Galaxy S6 edge+ 32GB - Black Sapphire"},
		},
		{name: "unknown product", target: lib + "/Products/M1", status: 404},
		{
			name:   "bulk",
			target: lib + "/Products/GetBulk?Slugs=M1248-V1,M1249-V2,M1", status: 200,
			claims: []string{"Products.#=2", "Products.M1249-V2.Manufacturer.Name=Apple"},
		},
		{name: "bulk of 101", target: lib + "/Products/GetBulk?Slugs=" + strings.Repeat("M1,", 100) + "M1", status: 400},
		{name: "bulk of none", target: lib + "/Products/GetBulk", status: 400},
		{name: "tree", target: lib + "/ClassificationTrees(1)", status: 200, claims: []string{"Name=Cellular & Accessories"}},
		{name: "unknown tree", target: lib + "/ClassificationTrees(2)", status: 404},
		{name: "fields", target: lib + "/FieldDefinitions", status: 200, claims: []string{"#=4"}},
		{name: "field", target: lib + "/FieldDefinitions(84)", status: 200, claims: []string{"StringId=Color"}},
		{name: "unknown field", target: lib + "/FieldDefinitions(1000)", status: 404},
	})
}

func TestProductLibraryLocale(t *testing.T) {
	s := startRetail(t, func(o *worldOptions) { o.LocaleRequired = true })
	for language, status := range map[string]int{
		"": 406, "xx-XX": 406, "en-US": 200, "en-us": 200, "de, en-CA;q=0.5": 200,
	} {
		g := s.send(http.MethodGet, "/productlibrary/v1/Products/M1248-V1", "", "Accept-Language", language)
		if g.want(status); status == 406 && g.value("Message") != "Locale not available" {
			t.Errorf("Accept-Language %q: message = %s", language, g.body)
		}
	}
}

func TestEntityManager(t *testing.T) {
	const company = "/entitymanager/v1/Companies(14146)"
	runCases(t, []retailCase{
		{name: "company", target: company, status: 200, claims: []string{"Name=Kentel Corp", "Version=7"}},
		{name: "unknown company", target: "/entitymanager/v1/Companies(1)", status: 404},
		{
			name:   "tree",
			target: company + "/Tree", status: 200,
			claims: []string{"Id=14146", "Nodes.#=6", "Nodes.0.Id=14202", "Nodes.0.Version=1"},
		},
		{name: "tree of an unknown company", target: "/entitymanager/v1/Companies(1)/Tree", status: 404},
		{name: "locations", target: company + "/Locations", status: 200, claims: []string{"#=6", "0.Address.CountryCode=CA"}},
		{name: "location", target: company + "/Locations(14202)", status: 200, claims: []string{"Name=Cornwall Centre"}},
		{
			name:   "update with the Version that was read",
			method: "PUT", target: company + "/Locations(14202)",
			body:   `{"Id":14202,"Name":"Renamed","Version":1}`,
			status: 200,
			claims: []string{"Version=2", "Id=14202", "Role=Location"},
		},
		{
			name:   "update with a stale Version",
			method: "PUT", target: company + "/Locations(14202)", body: `{"Name":"Lost","Version":1}`, status: 409,
			claims: []string{"Message=Entity resource already modified by an earlier request"},
		},
		{name: "update without a Version", method: "PUT", target: company + "/Locations(14202)", body: `{"Name":"Lost"}`, status: 409},
		{
			name:   "the update shows in the tree",
			target: company + "/Tree", status: 200,
			claims: []string{"Nodes.0.Name=Renamed", "Nodes.0.Version=2"},
		},
		{name: "update an unknown location", method: "PUT", target: company + "/Locations(1)", body: `{"Version":1}`, status: 404},
		{name: "update with no JSON", method: "PUT", target: company + "/Locations(14202)", body: `{`, status: 400},
		{
			name:   "create",
			method: "POST", target: company + "/Locations", body: `{"Name":"New Shop"}`, status: 201,
			claims: []string{"Version=1", "Role=Location"},
		},
		{
			name:   "create the same again",
			method: "POST", target: company + "/Locations", body: `{"Name":"New Shop"}`, status: 409,
			claims: []string{"Message=Entity name already exists"},
		},
		{name: "create without a name", method: "POST", target: company + "/Locations", body: `{}`, status: 400},
		{
			name:   "create below an unknown company",
			method: "POST", target: "/entitymanager/v1/Companies(1)/Locations", body: `{"Name":"X"}`, status: 404,
		},
		{name: "the new one is listed", target: company + "/Locations", status: 200, claims: []string{"#=7", "6.Name=New Shop"}},
		{name: "manufacturers", target: "/entitymanager/v1/Manufacturers", status: 200, claims: []string{"#=12"}},
		{name: "manufacturer", target: "/entitymanager/v1/Manufacturers(13149)", status: 200, claims: []string{"Name=OtterBox"}},
		{name: "carrier", target: "/entitymanager/v1/Carriers(9)", status: 200, claims: []string{"Name=Helios"}},
		{name: "supplier", target: "/entitymanager/v1/Suppliers(14107)", status: 200, claims: []string{"Name=Nozama"}},
		{name: "unknown supplier", target: "/entitymanager/v1/Suppliers(1)", status: 404},
	})
}

func TestAvailability(t *testing.T) {
	const (
		company  = "/availability/v1/Companies(14146)"
		supplier = "/availability/v1/Suppliers(14107)/Companies(14146)"
	)
	second := seedID("catalog item", 6) // no stock at the first location
	runCases(t, []retailCase{
		{
			name:   "stock",
			target: company + "/Entities(14202)/CatalogItems(" + seedItemID + ")", status: 200,
			claims: []string{"Quantity=15", "EntityId=14202", "Id=" + seedItemID},
		},
		{name: "stock of a location", target: company + "/Entities(14202)/CatalogItems", status: 200, claims: []string{"#=32"}},
		{
			name:   "no stock is a 404",
			target: company + "/Entities(14202)/CatalogItems(" + second + ")", status: 404,
			claims: []string{"Message=InventoryAvailability resource with EntityId 14202 and ProductId " + second + " cannot be found, nor is there availability in the tree branch."},
		},
		{
			name:   "stock everywhere",
			target: company + "/CatalogItems(" + second + ")/Availability", status: 200,
			claims: []string{"#=5"},
		},
		{
			name:   "an unknown entity is a 500",
			target: company + "/Entities(1)/CatalogItems(" + seedItemID + ")", status: 500,
			claims: []string{"Message=Entity is not related to company"},
		},
		{name: "lots of an unknown item", target: company + "/CatalogItems(x)/Lots", status: 200, claims: []string{"#=0"}},
		{
			name:   "lots of an item everywhere",
			target: company + "/CatalogItems(" + seedItemID + ")/Lots", status: 200,
			claims: []string{"#=18", "0.EntityId=14202", "17.EntityId=14207"},
		},
		{
			name:   "lots add up to the stock",
			target: company + "/Entities(14202)/CatalogItems(" + seedItemID + ")/Lots", status: 200,
			claims: []string{"#=3", "0.Quantity=5", "1.Quantity=5", "2.Quantity=5", "0.LotNumber=LOT-14202-1"},
		},
		{
			name:   "serial numbers",
			target: company + "/Entities(14202)/CatalogItems(x)/SerialNumbers", status: 200,
			claims: []string{"#=0"},
		},
		{
			name:   "supplier SKUs",
			target: supplier + "/SupplierSkus", status: 200,
			claims: []string{"#=37", "0.SupplierSku=B00LAOKN4S", "0.Quantity=100"},
		},
		{
			name:   "supplier SKUs as the client polls them",
			target: supplier + "/SupplierSkus?$filter=LastModifiedDateUtc%20ge%20datetime'2018-01-13T00:00:00'%20and%20LastModifiedDateUtc%20le%20datetime'2018-01-13T12:00:00'", status: 200,
			claims: []string{"#=2"},
		},
		{name: "supplier SKUs, filter that cannot be read", target: supplier + "/SupplierSkus?$filter=a%20eq", status: 400},
		{
			name:   "supplier without SKUs",
			target: "/availability/v1/Suppliers(1)/Companies(14146)/SupplierSkus", status: 200,
			claims: []string{"#=0"},
		},
		{
			name:   "bulk",
			method: "POST", target: supplier + "/BulkSupplierAvailability",
			body:   `{"SupplierAvailabilities":[{"SupplierSku":"B00LAOKN4S"},{"SupplierSku":"none"},7]}`,
			status: 200,
			claims: []string{"SupplierAvailabilities.#=1", "SupplierAvailabilities.0.Quantity=100"},
		},
		{name: "bulk without a list", method: "POST", target: supplier + "/BulkSupplierAvailability", body: `{}`, status: 400},
		{name: "bulk with no JSON", method: "POST", target: supplier + "/BulkSupplierAvailability", body: `-`, status: 400},
	})
}

func TestPricing(t *testing.T) {
	const entity = "/pricing/v1/Companies(14146)/Entities(14202)"
	const item = entity + "/CatalogItems(" + seedItemID + ")/Pricing"
	term := fmt.Sprintf(`{"CatalogItemId":%q,"EntityId":14202,"RegularPrice":10.50,"PricingTermId":78}`, seedItemID)
	runCases(t, []retailCase{
		{name: "array", target: item, accept: typeJSON, status: 200, claims: []string{"#=1", "0.Id=16446", "0.RegularPrice=799.99"}},
		{name: "HAL", target: item, status: 200, claims: []string{"_embedded.self.0.EntityId=14202"}},
		{
			name:   "unknown item",
			target: entity + "/CatalogItems(x)/Pricing", status: 404,
			claims: []string{"Message=Cannot find matching records"},
		},
		{
			name:   "unknown entity",
			target: "/pricing/v1/Companies(14146)/Entities(1)/CatalogItems(x)/Pricing", status: 400,
			claims: []string{"Message=Entity is not related to company"},
		},
		{name: "a whole location", target: entity + "/CatalogItems", accept: typeJSON, status: 200, claims: []string{"#=37"}},
		{
			name:   "set a price for a term",
			method: "POST", target: item, body: term, accept: typeJSON, status: 201,
			claims: []string{"RegularPrice=10.50", "PricingTermId=78", "IsDiscountable=false"},
		},
		{
			name:   "set it again: replaced",
			method: "POST", target: item, body: strings.Replace(term, "10.50", "9.50", 1), accept: typeJSON, status: 201,
			claims: []string{"RegularPrice=9.50"},
		},
		{name: "both are there", target: item, accept: typeJSON, status: 200, claims: []string{"#=2", "1.RegularPrice=9.50"}},
		{name: "by term", target: item + "?$filter=PricingTermId%20eq%2078", accept: typeJSON, status: 200, claims: []string{"#=1"}},
		{name: "filter that cannot be read", target: item + "?$filter=(", accept: typeJSON, status: 400},
		{
			name:   "a bad body is a 500",
			method: "POST", target: item, body: `{"CatalogItemId":"x"}`, status: 500,
			claims: []string{"Message=An error occurred while updating the entries"},
		},
		{
			name:   "a long name is a 500",
			method: "POST", target: item,
			body:   `{"CatalogItemId":"x","RegularPrice":1,"Name":"` + strings.Repeat("n", 256) + `"}`,
			status: 500,
		},
		{name: "no JSON is a 500", method: "POST", target: item, body: `{`, status: 500},
		{name: "a price for an unknown item", method: "POST", target: entity + "/CatalogItems(x)/Pricing", body: term, status: 404},
		{name: "delete", method: "DELETE", target: item + "(16446)", accept: typeJSON, status: 200, claims: []string{"Id=16446"}},
		{name: "delete again", method: "DELETE", target: item + "(16446)", status: 404},
		{
			name:   "tiers",
			target: "/pricing/v1/Companies(14146)/PricingTiers", accept: typeJSON, status: 200,
			claims: []string{"#=1", "0.Name=Staff"},
		},
		{
			name:   "term",
			target: "/pricing/v1/Companies(14146)/PricingTerms(78)", accept: typeJSON, status: 200,
			claims: []string{"Id=78"},
		},
		{
			name:   "unknown term",
			target: "/pricing/v1/Companies(14146)/PricingTerms(1)", accept: typeJSON, status: 404,
			claims: []string{"Message=That term does not exist"},
		},
	})
}
