package iqsim

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// bridgeTable is a database table that the bridge replicates.
type bridgeTable struct {
	name    string
	columns []dcColumn // without those of changeColumns
	rows    int64
	row     func(n int64) []dcCell
}

// bridgeTables returns the tables of the simulated database.
func bridgeTables() []bridgeTable {
	return []bridgeTable{
		{
			"CarrierIntegrationCustomerHandsets",
			[]dcColumn{
				{"CarrierCustomerHandsetID", "uniqueidentifier", 0},
				{"SaleInvoiceID", "int", 0},
				{"StoreID", "int", 0},
				{"PhoneModel", "varchar", 100},
				{"IMEI", "varchar", 20},
				{"DepositAmount", "money", 0},
			},
			1000,
			func(n int64) []dcCell {
				return []dcCell{
					cellText(dcGUID("handset", n)), cellInt(int(700_000 + n)), cellInt(int(n%12) + 1),
					cellText("Unknown Device"), cellText(fmt.Sprintf("35449304%07d", n)), cellCents(int(n%5) * 1000),
				}
			},
		},
		{
			"iQplanner_HR_RequestedTimeOff",
			[]dcColumn{
				{"RequestID", "int", 0},
				{"EmployeeID", "int", 0},
				{"Notes", "nvarchar", 500},
				{"Paid", "bit", 0},
			},
			40,
			func(n int64) []dcCell {
				return []dcCell{cellInt(int(n) + 1), cellInt(int(n%36) + 10), cellText("Dentist"), cellBool(n%2 == 0)}
			},
		},
	}
}

// bridgeTableOf returns the table that the Table parameter names.
func bridgeTableOf(q dcRequest) (bridgeTable, error) {
	name, err := q.params.require("Table")
	if err != nil {
		return bridgeTable{}, err
	}
	for _, t := range bridgeTables() {
		if strings.EqualFold(t.name, name) {
			return t, nil
		}
	}
	return bridgeTable{}, refusef(http.StatusNotFound, "Table %q is not part of the schema.", name)
}

// changed returns when row n changed last: one row every six hours, up to the
// day before now.
func (t bridgeTable) changed(n int64, now time.Time) time.Time {
	return now.Truncate(24 * time.Hour).Add(-time.Duration(t.rows-n) * 6 * time.Hour)
}

// bridgeSchema answers every column of every table.
func bridgeSchema(dcRequest) (dcTable, error) {
	var rows [][]dcCell
	for _, t := range bridgeTables() {
		for i, c := range append(t.columns, changeColumns()...) {
			length := cellInt(c.length)
			if c.length == 0 {
				length = cellNull()
			}
			rows = append(rows, []dcCell{cellText(t.name), cellText(c.name), length, cellInt(i + 1), cellText(c.kind)})
		}
	}
	return smallTable("schema", []dcColumn{
		{"TableName", "varchar", 128},
		{"Column_Name", "varchar", 128},
		{"Length", "int", 0},
		{"ORDINAL_POSITION", "int", 0},
		{"Type", "varchar", 20},
	}, rows...), nil
}

// bridgeData answers a whole table.
func bridgeData(q dcRequest) (dcTable, error) {
	t, err := bridgeTableOf(q)
	if err != nil {
		return dcTable{}, err
	}
	return dcTable{
		name: t.name, estimate: t.rows,
		columns: append(t.columns, changeColumns()...),
		rows: func(yield func([]dcCell) bool) {
			for n := range t.rows {
				if !yield(append(t.row(n), changeCells(t.name, n, t.changed(n, q.now))...)) {
					return
				}
			}
		},
	}, nil
}

// bridgeDelta answers how many rows of a table changed since RowDateTime.
func bridgeDelta(q dcRequest) (dcTable, error) {
	t, err := bridgeTableOf(q)
	if err != nil {
		return dcTable{}, err
	}
	if _, err := q.params.require("RowDateTime"); err != nil {
		return dcTable{}, err
	}
	since, _, err := q.params.date("RowDateTime")
	if err != nil {
		return dcTable{}, err
	}
	count := 0
	for n := range t.rows {
		if !t.changed(n, q.now).Before(since) {
			count++
		}
	}
	return smallTable("delta",
		[]dcColumn{{"DeltaCount", "int", 0}, {"DeltaTimeSec", "int", 0}, {"Table", "varchar", 128}},
		[]dcCell{cellInt(count), cellInt(int(q.now.Sub(since) / time.Second)), cellText(t.name)}), nil
}
