package iqsim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func storeList(q dcRequest) (dcTable, error) {
	places, err := q.places()
	if err != nil {
		return dcTable{}, err
	}
	var rows [][]dcCell
	for _, s := range places {
		rows = append(rows, []dcCell{
			cellInt(s.id), cellText(s.name), cellText(s.abbreviation), cellInt(s.entity),
			cellInt(s.district), cellInt(s.region), cellInt(s.channel), cellBool(true),
		})
	}
	return smallTable("stores", []dcColumn{
		{"StoreID", "int", 0},
		{"StoreName", "varchar", 50},
		{"Abbreviation", "varchar", 5},
		{"LocationEntityID", "int", 0},
		{"DistrictID", "int", 0},
		{"RegionID", "int", 0},
		{"ChannelID", "int", 0},
		{"Enabled", "bit", 0},
	}, rows...), nil
}

func employeeList(q dcRequest) (dcTable, error) {
	places, err := q.places()
	if err != nil {
		return dcTable{}, err
	}
	var rows [][]dcCell
	for _, s := range places {
		for n := range 3 {
			id := s.id*10 + n
			rows = append(rows, []dcCell{
				cellInt(id), cellText(personName(id)), cellText(fmt.Sprintf("employee%d@kentel.example", id)),
				cellText([]string{"Store Manager", "Sales Representative", "Sales Representative"}[n]),
				cellInt(s.id), cellText(s.name), cellBool(true),
			})
		}
	}
	return smallTable("employees", []dcColumn{
		{"EmployeeID", "int", 0},
		{"EmployeeName", "varchar", 51},
		{"Username", "varchar", 100},
		{"RoleName", "varchar", 50},
		{"StoreID", "int", 0},
		{"StoreName", "varchar", 50},
		{"Enabled", "bit", 0},
	}, rows...), nil
}

// personName returns the name of person n, always the same.
func personName(n int) string {
	given := []string{"Carrie", "John", "Zoë", "André", "Priya", "Tom", "Mei", "Luis"}
	family := []string{"Madison", "Bates", "O'Neil", "Lefèvre", "Singh", "Ng", "Kowalski"}
	return given[n%len(given)] + " " + family[n/3%len(family)]
}

// namedList returns the table of a list that only has numbers and names.
func namedList(list, id, name string, names ...string) dcTable {
	var rows [][]dcCell
	for i, n := range names {
		rows = append(rows, []dcCell{cellInt(i + 1), cellText(n)})
	}
	return smallTable(list, []dcColumn{{id, "int", 0}, {name, "varchar", 100}}, rows...)
}

func languageList(dcRequest) (dcTable, error) {
	return namedList("languages", "ID", "Name", "English (en-US)", "English (en-CA)", "Français (fr-CA)", "Español (es-MX)"), nil
}

func reasonList(dcRequest) (dcTable, error) {
	return namedList("reasoncode", "ReasonCodeID", "Reason", "Damaged", "Lost", "Returned to vendor", "Count correction"), nil
}

func locationTypeList(dcRequest) (dcTable, error) {
	return namedList("LocationType", "ID", "Name", "Company", "Channel", "Region", "District", "Store"), nil
}

func vendorList(dcRequest) (dcTable, error) {
	return namedList("VendorID", "VendorID", "VendorName", "Accessory World", "Mobile Supply & Co", "Handset \"Direct\""), nil
}

func productTypeList(dcRequest) (dcTable, error) {
	return namedList("ProductType", "ID", "Description", "Inventory", "Non-stock", "Service", "Activation"), nil
}

// locationList answers /lists/LocationIDs: the ids of one level.
func locationList(q dcRequest) (dcTable, error) {
	locationType := q.params.get("LocationType")
	if locationType == "" {
		locationType = "Store"
	}
	var rows [][]dcCell
	seen := map[int]bool{}
	for _, s := range dcStores() {
		id, ok := s.level(locationType)
		if !ok {
			id, locationType = dcCompanyID, "Company"
		}
		if seen[id] {
			continue
		}
		seen[id] = true
		name := s.name
		if !strings.EqualFold(locationType, "Store") {
			name = locationType + " " + strconv.Itoa(id)
		}
		rows = append(rows, []dcCell{cellInt(id), cellText(name)})
	}
	return smallTable("LocationIDs", []dcColumn{{"ID", "int", 0}, {"Name", "varchar", 50}}, rows...), nil
}

// dcProduct is an article of the simulated company.
type dcProduct struct {
	number   int
	name     string
	category string
	price    int // cents
	enabled  bool
}

func (p dcProduct) sku() string { return fmt.Sprintf("ACCEPR%06d", 2000+p.number) }

// dcProducts returns the company's articles.
func dcProducts() []dcProduct {
	models := []string{"Galaxy Case", "iPhone Case", "Car Charger", "USB-C Cable, 2 m", "Screen Protector", "Headset"}
	colours := []string{"Black", "White", "Blue", "Red", "Clear"}
	var products []dcProduct
	for m, model := range models {
		for c, colour := range colours {
			n := m*len(colours) + c
			products = append(products, dcProduct{
				number: n, name: model + " - " + colour,
				category: fmt.Sprintf("10%02d", m+1), price: 999 + 250*m + 10*c, enabled: n%11 != 10,
			})
		}
	}
	return products
}

// productList answers /lists/productidentifier.
func productList(q dcRequest) (dcTable, error) {
	disabled := q.params.flag("IncludeDisabled", false)
	search := strings.ToLower(q.params.get("SearchTerm"))
	var categories []string
	if c := q.params.get("CategoryNumbers"); c != "" {
		categories = strings.Split(c, ",")
	}
	var rows [][]dcCell
	for _, p := range dcProducts() {
		if !p.enabled && !disabled || !strings.Contains(strings.ToLower(p.name), search) ||
			categories != nil && !slices.Contains(categories, p.category) {
			continue
		}
		rows = append(rows, []dcCell{
			cellText(p.sku()), cellText(p.name), cellText(p.category),
			cellBool(p.enabled), cellInt(0), cellInt(50_000 + p.number),
		})
	}
	return smallTable("productidentifier", []dcColumn{
		{"ID", "varchar", 50},
		{"Description", "nvarchar", 100},
		{"CategoryNumber", "varchar", 50},
		{"ProductEnabled", "bit", 0},
		{"SpecialProductID", "int", 0},
		{"GlobalProductID", "int", 0},
	}, rows...), nil
}
