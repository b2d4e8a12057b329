package iqsim

import (
	"fmt"
	"strconv"
)

// model is one product of the simulated shop and its colours.
type model struct {
	name, maker string
	makerID     int
	class       string
	classID     int
	price       string
	colours     []string
}

// models is the assortment: what a phone shop sells.
func models() []model {
	black, pair := []string{"Black"}, []string{"Black", "White"}
	return []model{
		{"Galaxy S6 edge+ 32GB", "Samsung", 13150, "Smartphones", 4, "799.99", []string{"Black Sapphire", "White Pearl", "Gold Platinum"}},
		{"iPhone 6 64GB", "Apple", 13151, "Smartphones", 4, "749.00", []string{"Space Grey", "Silver", "Gold"}},
		{"Xperia Play", "Sony", 13152, "Smartphones", 4, "399.50", pair},
		{"Moto G", "Motorola", 13153, "Smartphones", 4, "249.90", pair},
		{"Nexus 5X", "LG", 13154, "Smartphones", 4, "429.00", []string{"Carbon", "Ice", "Quartz"}},
		{"Pulse Speaker", "JBL", 13155, "Speakers", 21, "199.99", pair},
		{"Flip 3 Speaker", "JBL", 13155, "Speakers", 21, "99.99", []string{"Blue", "Red"}},
		{"Defender Case", "OtterBox", 13149, "Cases", 12, "59.95", []string{"Black", "Pink", "Teal"}},
		{"Flexshield Case", "Agent18", 13156, "Cases", 12, "28.99", pair},
		{"SlimShield Case", "Agent18", 13156, "Cases", 12, "34.99", pair},
		{"Screen Protector 2 Pack", "ZAGG", 13157, "Screen Protection", 13, "19.99", []string{"Clear"}},
		{"Tempered Glass", "ZAGG", 13157, "Screen Protection", 13, "39.99", []string{"Clear"}},
		{"Galaxy S4 Standard Battery", "Samsung", 13150, "Batteries", 16, "24.99", black},
		{"Power Bank 10000 mAh", "Mophie", 13158, "Batteries", 16, "79.95", pair},
		{"Wall Charger 2.4 A", "Belkin", 13159, "Chargers", 17, "24.95", pair},
		{"Car Charger Dual", "Belkin", 13159, "Chargers", 17, "29.95", black},
		{"Lightning Cable 1 m", "Belkin", 13159, "Cables", 18, "19.95", pair},
		{"Earbuds E10", "SoundMAGIC", 13160, "Headphones", 20, "44.99", []string{"Black", "Red"}},
		{"SIM Card Kit", "Helios", 9, "SIM Cards", 30, "9.99", []string{"Nano"}},
	}
}

// seedCatalog fills catalog, product library, stock and prices from the
// models: one catalog item for each colour, and the models again while the
// catalog is to be larger.
func (s *retail) seedCatalog() {
	n := 0
	for series := 0; series == 0 || n < s.o.CatalogItems; series++ {
		for m, model := range models() {
			if series > 0 {
				model.name += fmt.Sprintf(" mk%d", series+1)
			}
			master := 1248 + series*len(models()) + m
			for variation, colour := range model.colours {
				s.seedItem(n, listOf(series, n), fmt.Sprintf("M%d-V%d", master, variation+1), model, colour)
				n++
			}
		}
	}
}

// listSize is how many items the lists of a large catalog have.
const listSize = 250

// listOf is the subscription list that the n-th item came with: the first
// series of models is the documented list.
func listOf(series, n int) string {
	if series == 0 {
		return seedListID
	}
	return seedID("subscription list", n/listSize)
}

func (s *retail) seedItem(n int, list, slug string, m model, colour string) {
	id := seedID("catalog item", n)
	vendorSku := fmt.Sprintf("B00LA%05d", 40000+n)
	if n == 0 {
		id, vendorSku = seedItemID, "B00LAOKN4S"
	}
	name := m.name + " - " + colour
	s.items.seed(seedCompanyID, id, document{
		"CatalogItemId": id, "CatalogSku": fmt.Sprintf("21Z8F4A%02d", n), "RmsId": strconv.Itoa(n + 1), "Slug": slug,
		"DateAddedUtc": stamp(seedTime(n)), "DateUpdatedUtc": stamp(seedTime(n + 40)), "IsArchived": false,
		"ExtendedAttributes": []document{{"Name": "Country of Manufacture", "Value": "China"}},
		"SourceIds":          []string{list},
		"Name":               name, "VendorSku": vendorSku, // beside the documented fields: the sim looks items up by them
	})
	s.products.seed("", slug, s.seedProduct(n, slug, name, vendorSku, m, colour))
	s.seedStock(n, id, vendorSku)
	for at, location := range locationIDs() {
		s.prices.seed(scopeOf(seedCompanyID, location, id), strconv.Itoa(16446+n*10+at), document{
			"Id": 16446 + n*10 + at, "CatalogItemId": id, "CompanyId": 14146, "EntityId": atoi(location),
			"RegularPrice": price(m.price), "OverridePrice": nil, "FloorPrice": nil,
			"IsDiscountable": m.classID != 30, "PricingTermId": nil,
		})
	}
}

// seedProduct is the product library's view of an item, which ProductDetails
// of the catalog shows as well.
func (s *retail) seedProduct(n int, slug, name, vendorSku string, m model, colour string) document {
	return document{
		"Slug": slug, "Name": name, "MasterProductId": 1248 + n, "VariationId": 1, "Version": 1,
		"Manufacturer":            document{"Id": m.makerID, "Name": m.maker},
		"CanonicalClassification": document{"TreeId": 1, "Id": m.classID, "Name": m.class, "ParentCategories": []document{{"Id": 2, "Name": "Devices & Accessories"}}},
		"ShortDescription":        name, "LongDescription": name + " by " + m.maker + ", sold by the simulated shop.",
		"MSRP":             document{"Amount": price(m.price), "CurrencyCode": "CAD"},
		"ManufacturerSkus": []document{{"Value": fmt.Sprintf("%s-%04d", m.maker, n), "Entity": document{"Id": m.makerID, "Name": m.maker}}},
		"UpcCodes":         []document{{"Value": fmt.Sprintf("7237550%05d", 4300+n), "Entity": nil}},
		"VendorSkus":       []document{{"Description": name, "Value": vendorSku, "Entity": document{"Id": seedSupplierID, "Name": seedVendorName}}},
		"Specifications": []document{{"Name": "Physical", "Fields": []document{
			{"Id": 84, "StringId": "Color", "DisplayName": "Colour", "Type": "TextSingleLine", "Value": colour},
		}}},
		"Region": nil, "Entity": nil, "ReleaseDate": nil, "DateUpdatedUtc": stamp(seedTime(n + 40)),
	}
}
