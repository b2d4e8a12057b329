package iqsim

import (
	"maps"
	"net/http"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const importPath = "/Import/TrafficCount?StoreID=1&StartDate=2016-11-09T18:00:00.000Z&StopDate=2016-11-09T19:00:00.000Z"

// A GET writes as well: what the provider's "GET and POST alike" amounts to.
func TestDCImportHasAnEffect(t *testing.T) {
	b := startDC(t, DataConnectOptions{})
	want := map[string]any{
		"TrafficCountID": 1.0, "StartDate": "2016-11-09T18:00:00.000", "EndDate": "2016-11-09T19:00:00.000",
		"TrafficCount": 20.0, "StoreID": 1.0, "GLCode": "84WEA01",
	}
	if diff := cmp.Diff([]map[string]any{want}, b.get(t, importPath+"&TrafficCount=20").rows(t)); diff != "" {
		t.Error(diff)
	}
	b.do(t, b.request(t, http.MethodPost, importPath+"&TrafficCount=30", "")).rows(t)
	b.get(t, importPath+"&TrafficCount=25&TrafficCountID=1").rows(t)
	want["TrafficCount"] = 25.0
	second := maps.Clone(want)
	second["TrafficCountID"], second["TrafficCount"] = 2.0, 30.0
	if diff := cmp.Diff([]map[string]any{want, second}, b.get(t, "/reports/TrafficCountReport").rows(t)); diff != "" {
		t.Error(diff)
	}
	if n := len(b.get(t, "/reports/TrafficCountReport?StartDate=2017-01-01").rows(t)); n != 0 {
		t.Errorf("%d rows in another period", n)
	}
	if n := b.stats().Imports; n != 3 {
		t.Errorf("%d imports", n)
	}
}

func TestDCImportRefuses(t *testing.T) {
	b := startDC(t, DataConnectOptions{})
	for path, want := range map[string]string{
		"/import/trafficcount":                                  "StoreID is required.",
		importPath:                                              "TrafficCount is required.",
		importPath + "&TrafficCount=many":                       "TrafficCount must be a whole number",
		importPath + "&TrafficCount=1&TrafficCountID=7":         "TrafficCountID 7 does not exist.",
		importPath + "&TrafficCount=1&TrafficCountID=-1":        "TrafficCountID -1 does not exist.",
		"/import/trafficcount?StoreID=99&TrafficCount=1":        "StoreID 99 does not exist.",
		"/import/trafficcount?StoreID=1&TrafficCount=1":         "StartDate is required.",
		importPath + "&TrafficCount=1&StoreID=2":                "StoreID must be a whole number",
		importPath + "&TrafficCount=99999999999999999999999999": "must be a whole number",
	} {
		b.get(t, path).wantError(t, http.StatusBadRequest, want)
	}
	if n := b.stats().Imports; n != 0 || len(b.traffic.rows) != 0 {
		t.Errorf("%d imports, rows %v", n, b.traffic.rows)
	}
}

func TestDCImportTogether(t *testing.T) {
	b := startDC(t, DataConnectOptions{ActiveLimit: -1})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { b.get(t, importPath+"&TrafficCount=1") })
	}
	wg.Wait()
	seen := map[any]bool{}
	for _, row := range b.get(t, "/reports/trafficcountreport").rows(t) {
		seen[row["TrafficCountID"]] = true
	}
	if len(seen) != 20 || b.stats().Imports != 20 {
		t.Errorf("%d different ids, %d imports", len(seen), b.stats().Imports)
	}
}

func TestDCImportIsBounded(t *testing.T) {
	var counts trafficCounts
	for range maxTrafficCounts {
		if _, err := counts.put(trafficCount{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := counts.put(trafficCount{}); err == nil {
		t.Error("no limit")
	}
	if _, err := counts.put(trafficCount{id: maxTrafficCounts}); err != nil {
		t.Errorf("an update of a full table: %v", err)
	}
}
