package iqsim

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

// maxTrafficCounts bounds the imported rows.
const maxTrafficCounts = 10_000

// trafficCount is how many people entered a store in a period.
type trafficCount struct {
	id          int
	from, to    time.Time
	count       int
	store       int
	generalCode string
}

// trafficCounts is the table that /Import/TrafficCount writes.
type trafficCounts struct {
	mu   sync.Mutex
	rows []trafficCount
}

// put adds row, or replaces the row of its id when that is not 0, and returns
// it as stored.
func (t *trafficCounts) put(row trafficCount) (trafficCount, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if row.id == 0 {
		if len(t.rows) == maxTrafficCounts {
			return row, refusef(http.StatusInternalServerError, "The simulated table is full at %d rows.", maxTrafficCounts)
		}
		row.id = len(t.rows) + 1
		t.rows = append(t.rows, row)
		return row, nil
	}
	if row.id < 0 || row.id > len(t.rows) {
		return row, refusef(http.StatusBadRequest, "TrafficCountID %d does not exist.", row.id)
	}
	t.rows[row.id-1] = row
	return row, nil
}

// between returns the rows that begin within the window.
func (t *trafficCounts) between(win dcWindow) []trafficCount {
	t.mu.Lock()
	defer t.mu.Unlock()
	var rows []trafficCount
	for _, row := range t.rows {
		if !row.from.Before(win.from) && row.from.Before(win.to) {
			rows = append(rows, row)
		}
	}
	return rows
}

// importTraffic answers /Import/TrafficCount: a write, although it is one as a
// GET as well.
func (d *dataConnect) importTraffic(q dcRequest) (dcTable, error) {
	row, err := parseTrafficCount(q)
	if err != nil {
		return dcTable{}, err
	}
	if row, err = d.traffic.put(row); err != nil {
		return dcTable{}, err
	}
	d.counters.imports.Add(1)
	return trafficTable([]trafficCount{row}), nil
}

func parseTrafficCount(q dcRequest) (trafficCount, error) {
	var row trafficCount
	for _, field := range []struct {
		name     string
		required bool
		to       *int
	}{
		{"StoreID", true, &row.store},
		{"TrafficCount", true, &row.count},
		{"TrafficCountID", false, &row.id},
	} {
		n, given, err := q.params.number(field.name)
		if err != nil {
			return row, err
		}
		if field.required && !given {
			return row, refusef(http.StatusBadRequest, "%s is required.", field.name)
		}
		*field.to = int(n)
	}
	if row.store < 1 || row.store > len(dcStores()) {
		return row, refusef(http.StatusBadRequest, "StoreID %d does not exist.", row.store)
	}
	win, err := q.window(true)
	row.from, row.to, row.generalCode = win.from, win.to, fmt.Sprintf("84WEA%02d", row.store)
	return row, err
}

// trafficReport answers what was imported.
func (d *dataConnect) trafficReport(q dcRequest) (dcTable, error) {
	win, err := q.window(false)
	if err != nil {
		return dcTable{}, err
	}
	return trafficTable(d.traffic.between(win)), nil
}

func trafficTable(counts []trafficCount) dcTable {
	var rows [][]dcCell
	for _, c := range counts {
		rows = append(rows, []dcCell{
			cellInt(c.id), cellTime(c.from), cellTime(c.to), cellInt(c.count), cellInt(c.store), cellText(c.generalCode),
		})
	}
	return smallTable("trafficcount", []dcColumn{
		{"TrafficCountID", "int", 0},
		{"StartDate", "datetime", 0},
		{"EndDate", "datetime", 0},
		{"TrafficCount", "int", 0},
		{"StoreID", "int", 0},
		{"GLCode", "varchar", 100},
	}, rows...)
}
