package iqsim

import (
	"testing"
)

// The schema names every column of the data, in its order.
func TestDCBridgeSchemaFitsData(t *testing.T) {
	b := startDC(t, DataConnectOptions{})
	columns := map[string][]string{}
	for _, row := range b.get(t, "/bridge/current/schema").rows(t) {
		table, column := row["TableName"].(string), row["Column_Name"].(string)
		columns[table] = append(columns[table], column)
		if row["ORDINAL_POSITION"] != float64(len(columns[table])) || row["Type"] == "" {
			t.Errorf("%v", row)
		}
	}
	if len(columns) != 2 {
		t.Fatalf("tables %v", columns)
	}
	for table, names := range columns {
		rows := b.get(t, "/BRIDGE/current/data?Table="+table).rows(t)
		if len(rows) == 0 || len(rows[0]) != len(names) {
			t.Fatalf("%s: %d rows of %d columns, schema has %d", table, len(rows), len(rows[0]), len(names))
		}
		for _, name := range names {
			if _, ok := rows[0][name]; !ok {
				t.Errorf("%s has no %s", table, name)
			}
		}
	}
}

func TestDCBridgeDelta(t *testing.T) {
	b := startDC(t, DataConnectOptions{})
	tests := []struct {
		since          string
		count, seconds float64
	}{
		{"2000-01-01T00:00:00.000Z", 40, 623332800},
		{"2019-10-01T00:00:00.000Z", 4, 129600},
		{"2019-10-02T00:00:00.000Z", 0, 43200},
	}
	for _, tt := range tests {
		rows := b.get(t, "/bridge/current/delta?Table=iqplanner_hr_requestedtimeoff&RowDateTime="+tt.since).rows(t)
		if len(rows) != 1 || rows[0]["DeltaCount"] != tt.count || rows[0]["DeltaTimeSec"] != tt.seconds {
			t.Errorf("since %s: %v", tt.since, rows)
		}
		if rows[0]["Table"] != "iQplanner_HR_RequestedTimeOff" {
			t.Errorf("%v", rows)
		}
	}
	b.get(t, "/bridge/current/delta?Table=iQplanner_HR_RequestedTimeOff&RowDateTime=x").wantError(t, 400, "RowDateTime must be")
}

// What the delta counts is what the data shows as changed.
func TestDCBridgeDeltaCountsData(t *testing.T) {
	b := startDC(t, DataConnectOptions{})
	const since = "2019-09-25T00:00:00.000"
	changed := 0
	for _, row := range b.get(t, "/bridge/current/data?Table=CarrierIntegrationCustomerHandsets").rows(t) {
		at := row["RowUpdated"]
		if at == nil {
			at = row["RowInserted"]
		}
		if at.(string) >= since {
			changed++
		}
	}
	rows := b.get(t, "/bridge/current/delta?Table=CarrierIntegrationCustomerHandsets&RowDateTime="+since).rows(t)
	if changed == 0 || rows[0]["DeltaCount"] != float64(changed) {
		t.Errorf("delta %v, data %d", rows, changed)
	}
}
