package iqsim

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDCLists(t *testing.T) {
	b := startDC(t, DataConnectOptions{})
	tests := []struct {
		path string
		rows int
		has  string // a column of the first row
	}{
		{"/lists/stores", 12, "LocationEntityID"},
		{"/lists/stores?LocationType=District&LocationTypeIDs=2", 3, "StoreName"},
		{"/lists/stores?LocationType=store&LocationTypeIDs=1,%205", 2, "StoreName"},
		{"/lists/stores?LocationType=Region&LocationTypeIDs=2", 6, "StoreName"},
		{"/lists/stores?LocationType=Channel&LocationTypeIDs=1", 12, "StoreName"},
		{"/lists/stores?LocationType=Store&LocationTypeIDs=-1", 12, "StoreName"},
		{"/lists/stores?LocationType=Company&LocationTypeIDs=7", 12, "StoreName"},
		{"/lists/stores?LocationType=Store&LocationTypeIDs=99", 0, ""},
		{"/lists/employees", 36, "EmployeeName"},
		{"/lists/employees?LocationType=Store&LocationTypeIDs=3", 3, "RoleName"},
		{"/lists/languages", 4, "Name"},
		{"/lists/productidentifier", 28, "GlobalProductID"},
		{"/lists/productidentifier?IncludeDisabled=true", 30, "ProductEnabled"},
		{"/lists/productidentifier?SearchTerm=headSET&CategoryNumbers=", 5, "Description"},
		{"/lists/productidentifier?CategoryNumbers=1001,1002", 10, "CategoryNumber"},
		{"/lists/reasoncode", 4, "ReasonCodeID"},
		{"/lists/LocationType", 5, "Name"},
		{"/lists/LocationIDs", 12, "Name"},
		{"/lists/LocationIDs?LocationType=Region", 2, "ID"},
		{"/lists/LocationIDs?LocationType=Company", 1, "ID"},
		{"/lists/VendorID", 3, "VendorName"},
		{"/lists/ProductType", 4, "Description"},
		{"/reports/InventoryListingReport?LocationType=Store&LocationTypeIDs=1", 30, "Quantity"},
		{"/reports/EmployeeMasterListReport", 36, "Username"},
		{"/reports/LocationMasterListReport", 12, "StoreID"},
		{"/reports/CustomerListReport", 300, "CustomerID"},
		{"/Supplier/Availability", 30, "QuantityAvailable"},
		{"/supplier/availability?SupplierSKU=ACCEPR002003", 1, "SupplierSKU"},
		{"/supplier/availability?SupplierSKU=none", 0, ""},
		{"/partner/relationships", 2, "DoingBusinessAs"},
		{"/master/relationships", 2, "CompanyName"},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			rows := b.get(t, tt.path).rows(t)
			if len(rows) != tt.rows {
				t.Fatalf("%d rows, want %d", len(rows), tt.rows)
			}
			if len(rows) > 0 {
				if _, ok := rows[0][tt.has]; !ok {
					t.Errorf("no %s in %v", tt.has, rows[0])
				}
			}
		})
	}
}

func TestDCSalesReports(t *testing.T) {
	b := startDC(t, DataConnectOptions{})
	const window = "?StartDate=2019-10-01T18:00:00.000&StopDate=2019-10-01T19:00:00.000"
	want := b.get(t, "/reports/ProductDetailReport"+window).rows(t)
	if len(want) != 20 || want[0]["SoldOn"] != "2019-10-01T18:00:00.000" {
		t.Fatalf("%d rows, first %v", len(want), want[0])
	}
	for _, path := range []string{"/reports/TradeInActivityReport", "/customizedreports/mine", "/partner/phobio/sales"} {
		if diff := cmp.Diff(want, b.get(t, path+window).rows(t)); diff != "" {
			t.Error(path, diff)
		}
	}
	one := b.get(t, "/reports/x"+window+"&LocationType=Store&LocationTypeIDs=4").rows(t)
	for _, row := range one {
		if row["StoreID"] != float64(4) {
			t.Errorf("another store's sale: %v", row)
		}
	}
	if n := len(b.get(t, "/reports/x"+window+"&LocationType=Store&LocationTypeIDs=99").rows(t)); len(one) == 0 || n != 0 {
		t.Errorf("%d sales of one store, %d of none", len(one), n)
	}
}

func TestDCReportFileName(t *testing.T) {
	b := startDC(t, DataConnectOptions{})
	a := b.get(t, "/reports/TradeInActivityReport?StartDate=2019-10-02&Response=Excel")
	if got := a.header.Get("Content-Disposition"); got != "attachment;filename=tradeinactivityreport-2019-10-02.xlsx" {
		t.Errorf("%q", got)
	}
	if rows := sheetCells(t, a.body); len(rows) != 241 {
		t.Errorf("%d rows", len(rows))
	}
}

func TestDCCustomerDeltas(t *testing.T) {
	b := startDC(t, DataConnectOptions{})
	const window = "/deltas/customers?StartDate=2019-10-01T18:00:00.000&StopDate=2019-10-01T18:15:00.000"
	rows := b.get(t, window).rows(t)
	if len(rows) != 3 {
		t.Fatalf("%d rows", len(rows))
	}
	seen := map[any]bool{}
	for _, row := range rows {
		seen[row["RowThumbprint"]] = true
		inserted := row["Operation"] == "Inserted"
		if thumb, _ := row["RowThumbprint"].(string); len(thumb) != 36 || (row["RowUpdated"] == nil) != inserted || row["RowInserted"] == nil {
			t.Errorf("%v", row)
		}
	}
	if len(seen) != 3 {
		t.Errorf("thumbprints %v", seen)
	}
	again := newDC(DataConnectOptions{})
	if got := serve(t, asCaller(again), window, nil).Body.String(); got != b.get(t, window).body {
		t.Error("a closed window changes")
	}
	b.get(t, "/deltas/customers?StartDate=2019-10-01").wantError(t, http.StatusBadRequest, "StopDate is required.")
	b.get(t, "/deltas/customers?StopDate=2019-10-01").wantError(t, http.StatusBadRequest, "StartDate is required.")
}

func TestDCDeltaOperations(t *testing.T) {
	b := startDC(t, DataConnectOptions{})
	csv := b.get(t, "/deltas/customers?StartDate=2019-10-01&StopDate=2019-10-02&Response=Csv").body
	for _, operation := range []string{"Inserted", "Updated", "Deleted"} {
		if !strings.Contains(csv, ","+operation+"\r\n") {
			t.Errorf("nothing is %s", operation)
		}
	}
}

func TestDCGUID(t *testing.T) {
	a, b := dcGUID("customer", 1), dcGUID("customer", 2)
	if a == b || a != dcGUID("customer", 1) || a == dcGUID("handset", 1) {
		t.Errorf("%s %s", a, b)
	}
	if len(a) != 36 || a[14] != '4' || a[19] != 'a' || strings.Count(a, "-") != 4 {
		t.Errorf("%s is no version 4 GUID", a)
	}
}
