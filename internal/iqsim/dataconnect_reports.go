package iqsim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"time"
)

// saleEvery is how often the simulated company sells something: from 2010 to
// now that is more than the row guard lets through.
const saleEvery = 3 * time.Minute

// salesReport answers product detail, and every report without data of its own,
// with the sales of a period.
func salesReport(q dcRequest) (dcTable, error) {
	win, err := q.window(false)
	if err != nil {
		return dcTable{}, err
	}
	places, err := q.places()
	if err != nil {
		return dcTable{}, err
	}
	first, end := win.slots(saleEvery, q.now)
	if len(places) == 0 {
		end = first
	}
	products := dcProducts()
	return dcTable{
		name: path.Base(q.path), estimate: end - first,
		columns: []dcColumn{
			{"InvoiceID", "int", 0},
			{"InvoiceIDByStore", "varchar", 14},
			{"SoldOn", "datetime", 0},
			{"StoreID", "int", 0},
			{"StoreName", "varchar", 50},
			{"EmployeeName", "varchar", 51},
			{"ProductIdentifier", "varchar", 50},
			{"ProductName", "nvarchar", 100},
			{"Quantity", "int", 0},
			{"UnitPrice", "money", 0},
			{"Refunded", "bit", 0},
			{"Comments", "nvarchar", 1000},
		},
		rows: func(yield func([]dcCell) bool) {
			for slot := first; slot < end; slot++ {
				if !yield(saleRow(int(slot), places, products)) {
					return
				}
			}
		},
	}, nil
}

func saleRow(slot int, places []dcStore, products []dcProduct) []dcCell {
	store, product := places[slot%len(places)], products[slot*7%len(products)]
	comments := cellNull()
	if slot%5 == 0 {
		comments = cellText(`customer said "thanks", twice`)
	}
	return []dcCell{
		cellInt(slot), cellText(fmt.Sprintf("%sIN%07d", store.abbreviation, slot%10_000_000)),
		cellTime(time.Unix(int64(slot)*int64(saleEvery/time.Second), 0)),
		cellInt(store.id), cellText(store.name), cellText(personName(store.id*10 + slot%3)),
		cellText(product.sku()), cellText(product.name),
		cellInt(1 + slot%3), cellCents(product.price), cellBool(slot%17 == 0), comments,
	}
}

// inventoryReport answers the stock of each store.
func inventoryReport(q dcRequest) (dcTable, error) {
	places, err := q.places()
	if err != nil {
		return dcTable{}, err
	}
	var rows [][]dcCell
	for _, s := range places {
		for _, p := range dcProducts() {
			rows = append(rows, []dcCell{
				cellInt(s.id), cellText(s.name), cellText(p.sku()), cellText(p.name), cellInt(stock(s.id, p.number)), cellCents(p.price),
			})
		}
	}
	return smallTable("inventorylistingreport", []dcColumn{
		{"StoreID", "int", 0},
		{"StoreName", "varchar", 50},
		{"ProductIdentifier", "varchar", 50},
		{"ProductName", "nvarchar", 100},
		{"Quantity", "int", 0},
		{"UnitPrice", "money", 0},
	}, rows...), nil
}

func stock(store, product int) int { return (store*31 + product*17) % 23 }

// availabilitySource answers /Supplier/Availability: what the company's
// suppliers have of each product.
func availabilitySource(q dcRequest) (dcTable, error) {
	var rows [][]dcCell
	for _, p := range dcProducts() {
		if sku := q.params.get("SupplierSKU"); sku != "" && sku != p.sku() {
			continue
		}
		rows = append(rows, []dcCell{
			cellInt(60455), cellText("Accessory World"), cellText(p.sku()), cellText(p.name),
			cellInt(stock(99, p.number) * 10), cellCents(p.price * 6 / 10), cellTime(q.now.Truncate(5 * time.Minute)),
		})
	}
	return smallTable("availability", []dcColumn{
		{"SupplierID", "int", 0},
		{"SupplierName", "varchar", 50},
		{"SupplierSKU", "varchar", 50},
		{"ProductName", "nvarchar", 100},
		{"QuantityAvailable", "int", 0},
		{"Cost", "money", 0},
		{"LastModifiedDate", "datetime", 0},
	}, rows...), nil
}

// relationships answers the companies that share data with this one.
func relationships(dcRequest) (dcTable, error) {
	return smallTable("relationships", []dcColumn{
		{"CompanyID", "int", 0},
		{"CompanyName", "varchar", 50},
		{"DoingBusinessAs", "varchar", 50},
	}, []dcCell{cellInt(dcCompanyID), cellText("KENTEL"), cellText("Kentel Corp")},
		[]dcCell{cellInt(21090), cellText("KENTEL SOUTH"), cellNull()}), nil
}

// dcGUID returns the GUID of the nth thing of a kind, always the same.
func dcGUID(kind string, n int64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s:%d", kind, n))
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}
