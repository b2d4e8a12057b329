package iqsim

import (
	"bufio"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"testing"
)

// Every endpoint answers in every format that has no mail.
func TestDCEveryRouteInEveryFormat(t *testing.T) {
	b := startDC(t, DataConnectOptions{})
	params := "StoreID=1&TrafficCount=1&StartDate=2019-10-01&StopDate=2019-10-02" +
		"&Table=iQplanner_HR_RequestedTimeOff&RowDateTime=2019-01-01"
	routes := 0
	for path := range b.routes.exact {
		routes++
		for _, format := range []string{"Json", "JsonDataTable", "Xml", "XmlDataTable", "Csv", "Excel"} {
			a := b.get(t, path+"?"+params+"&Response="+format)
			if a.status != http.StatusOK {
				t.Fatalf("%s as %s: %d %s", path, format, a.status, a.body)
			}
			if format == "Excel" {
				if len(sheetCells(t, a.body)) < 1 {
					t.Errorf("%s: an empty workbook", path)
				}
				continue
			}
			if err := wellFormed(format, a.body); err != nil {
				t.Errorf("%s as %s: %v", path, format, err)
			}
		}
	}
	if routes < 20 {
		t.Errorf("only %d routes", routes)
	}
}

// Every row has a cell for every column.
func TestDCRowsFitTheirColumns(t *testing.T) {
	d := newDC(DataConnectOptions{})
	params := parseDCQuery("StoreID=1&TrafficCount=1&StartDate=2019-10-01&StopDate=2019-10-02" +
		"&Table=CarrierIntegrationCustomerHandsets&RowDateTime=2019-01-01&Rows=600")
	sources := map[string]dcSource{"a report": salesReport}
	maps.Copy(sources, d.routes.exact)
	for path, source := range sources {
		table, err := source(dcRequest{path: path, params: params, now: dcNow(), options: d.options()})
		if err != nil {
			t.Fatal(path, err)
		}
		n := int64(0)
		for row := range table.rows {
			n++
			if len(row) != len(table.columns) {
				t.Fatalf("%s: row %d has %d cells for %d columns", path, n, len(row), len(table.columns))
			}
		}
		if n != table.estimate && path != "/version" && path != "/session" {
			t.Errorf("%s: %d rows, %d estimated", path, n, table.estimate)
		}
	}
}

func TestDCRoutes(t *testing.T) {
	d := newDC(DataConnectOptions{})
	for path, found := range map[string]bool{
		"/reports/Anything":            true,
		"/Reports/a/b":                 true,
		"/customizedreports/x":         true,
		"/partner/phobio/TradeIn":      true,
		"/PARTNER/RELATIONSHIPS/":      true,
		"/lists/stores/":               true,
		"/lists/stores/1":              false,
		"/reports":                     false,
		"/reports/":                    false,
		"/":                            false,
		"":                             false,
		"/bridge/current":              false,
		"/xreports/a":                  false,
		"/private/billing":             false,
		"/import/trafficcount/history": false,
	} {
		source, err := d.routes.find(path)
		if (err == nil) != found || (source != nil) != found {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// A raw ";" in the request line is data, up to the format.
func TestDCRawSemicolonOnTheWire(t *testing.T) {
	b := startDC(t, DataConnectOptions{})
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const target = "/lists/languages?CSV.Delimiter=;&Response=Csv&Filename=l;x"
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-ann\r\nConnection: close\r\n\r\n", target); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var first string
	if _, err := fmt.Fscanln(res.Body, &first); err != nil || first != "ID;Name" {
		t.Errorf("%q, %v", first, err)
	}
	if got := res.Header.Get("Content-Disposition"); got != "attachment;filename=l_x.csv" {
		t.Errorf("%q", got)
	}
}
