package iqsim

import (
	"fmt"
	"strings"
	"time"
)

// changeEvery is how often a customer record changes: three rows in the
// 15 minutes that the provider's example asks for.
const changeEvery = 5 * time.Minute

// customerCount is how many customers the company has.
const customerCount = 300

// customerCells are the columns that the list and the deltas share.
func customerCells(n int) (columns []dcColumn, cells []dcCell) {
	given, family, _ := strings.Cut(personName(n), " ")
	columns = []dcColumn{
		{"CustomerID", "uniqueidentifier", 0},
		{"LegacyCustomerID", "int", 0},
		{"FirstName", "nvarchar", 50},
		{"LastName", "nvarchar", 50},
		{"Address", "nvarchar", 50},
		{"Address2", "nvarchar", 50},
		{"City", "nvarchar", 50},
		{"Region", "varchar", 50},
		{"ZipPostal", "varchar", 15},
		{"Country", "varchar", 50},
		{"Email", "varchar", 255},
		{"VIP_customer", "bit", 0},
	}
	return columns, []dcCell{
		cellText(dcGUID("customer", int64(n))), cellInt(2_100_000 + n),
		cellText(given), cellText(family),
		cellText(fmt.Sprintf("%d Hello St.", 10+n)), cellNull(), cellText("Fargo"), cellText("ND"),
		cellText(fmt.Sprintf("58%03d", n)), cellText("United States"),
		cellText(fmt.Sprintf("customer%d@example.com", n)), cellBool(n%20 == 0),
	}
}

// customerReport answers the list of all customers.
func customerReport(dcRequest) (dcTable, error) {
	columns, _ := customerCells(0)
	var rows [][]dcCell
	for n := range customerCount {
		_, cells := customerCells(n)
		rows = append(rows, cells)
	}
	return smallTable("customerlistreport", columns, rows...), nil
}

// customerDeltas answers what changed between StartDate and StopDate, both of
// which are required.
func customerDeltas(q dcRequest) (dcTable, error) {
	win, err := q.window(true)
	if err != nil {
		return dcTable{}, err
	}
	first, end := win.slots(changeEvery, q.now)
	columns, _ := customerCells(0)
	return dcTable{
		name: "customers", estimate: end - first,
		columns: append(columns, changeColumns()...),
		rows: func(yield func([]dcCell) bool) {
			for slot := first; slot < end; slot++ {
				_, cells := customerCells(int(slot * 13 % customerCount))
				at := time.Unix(slot*int64(changeEvery/time.Second), 0)
				if !yield(append(cells, changeCells("customer", slot, at)...)) {
					return
				}
			}
		},
	}, nil
}

// changeColumns are the last columns of every row that tells of a change.
func changeColumns() []dcColumn {
	return []dcColumn{
		{"RowThumbprint", "uniqueidentifier", 0},
		{"RowInserted", "datetime", 0},
		{"RowUpdated", "datetime", 0},
		{"Operation", "varchar", 10},
	}
}

// changeCells are the values of changeColumns for change n of a kind.
func changeCells(kind string, n int64, at time.Time) []dcCell {
	operation := []string{"Inserted", "Updated", "Updated", "Deleted"}[n%4]
	inserted, updated := at, cellNull()
	if operation != "Inserted" {
		inserted, updated = at.AddDate(-1, 0, 0), cellTime(at)
	}
	return []dcCell{cellText(dcGUID("row:"+kind, n)), cellTime(inserted), updated, cellText(operation)}
}
