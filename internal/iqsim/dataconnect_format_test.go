package iqsim

import (
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sample is a table with everything that needs care.
func sample() dcTable {
	return smallTable("sample",
		[]dcColumn{{"ID", "int", 0}, {"Name", "nvarchar", 50}, {"Price", "money", 0}, {"On", "bit", 0}},
		[]dcCell{cellInt(1), cellText("a,b;\"c\"\r\n<é&>"), cellCents(-29999), cellBool(true)},
		[]dcCell{cellInt(-2), cellNull(), cellCents(5), cellBool(false)},
	)
}

func encode(t *testing.T, query string, table dcTable) string {
	t.Helper()
	f, err := parseDCFormat(parseDCQuery(query))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := f.write(&b, table); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestDCJSON(t *testing.T) {
	const records = `[{"ID":1,"Name":"a,b;\"c\"\r\n\u003cé\u0026\u003e","Price":-299.99,"On":true},` +
		`{"ID":-2,"Name":null,"Price":0.05,"On":false}]`
	if got := encode(t, "", sample()); got != records {
		t.Errorf("Json:\n%s\nwant\n%s", got, records)
	}
	const schema = `[{"Column_Name":"ID","Type":"int","SafeType":"System.Int32","Length":0},` +
		`{"Column_Name":"Name","Type":"nvarchar","SafeType":"System.String","Length":50},` +
		`{"Column_Name":"Price","Type":"money","SafeType":"System.Decimal","Length":0},` +
		`{"Column_Name":"On","Type":"bit","SafeType":"System.Boolean","Length":0}]`
	if got := encode(t, "Response=JSONDATATABLE", sample()); got != `{"Records":`+records+`,"Schema":`+schema+`}` {
		t.Errorf("JsonDataTable:\n%s", got)
	}
	if got := encode(t, "Response=json", smallTable("empty", sample().columns)); got != "[]" {
		t.Errorf("an empty table is %s", got)
	}
	if !json.Valid([]byte(encode(t, "Response=JsonDataTable", smallTable("empty", nil)))) {
		t.Error("an empty DataTable is not JSON")
	}
}

func TestDCXML(t *testing.T) {
	type record struct {
		ID, Name, Price, On string
	}
	type column struct {
		Name string `xml:"Column_Name"`
		Type string
	}
	type table struct {
		XMLName xml.Name `xml:"Table"`
		Record  []record
		Schema  []column
	}
	for _, format := range []string{"Xml", "XmlDataTable"} {
		var got table
		if err := xml.Unmarshal([]byte(encode(t, "Response="+format, sample())), &got); err != nil {
			t.Fatal(err)
		}
		want := []record{{"1", "a,b;\"c\"\r\n<é&>", "-299.99", "true"}, {"-2", "null", "0.05", "false"}}
		if diff := cmp.Diff(want, got.Record); diff != "" {
			t.Error(format, diff)
		}
		if columns := len(got.Schema); (format == "XmlDataTable") != (columns == 4) {
			t.Errorf("%s has %d schema entries", format, columns)
		}
	}
}

func TestDCCSV(t *testing.T) {
	tests := []struct {
		query string
		comma rune
		head  []string
	}{
		{"Response=Csv", ',', []string{"ID", "Name", "Price", "On"}},
		{"Response=CSV&CSV.Delimiter=;", ';', []string{"ID", "Name", "Price", "On"}},
		{"Response=Csv&CSV.Delimiter=%09&CSV.Headers=true", '\t', []string{"ID", "Name", "Price", "On"}},
		{"Response=Csv&CSV.Delimiter=.", '.', []string{"ID", "Name", "Price", "On"}},
		{"Response=Csv&CSV.Delimiter=-", '-', []string{"ID", "Name", "Price", "On"}},
		{"Response=Csv&CSV.Delimiter=%E2%80%A2&CSV.Headers=False", '•', nil},
	}
	for _, tt := range tests {
		t.Run(tt.query, func(t *testing.T) {
			r := csv.NewReader(strings.NewReader(encode(t, tt.query, sample())))
			r.Comma = tt.comma
			got, err := r.ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			want := [][]string{{"1", "a,b;\"c\"\n<é&>", "-299.99", "true"}, {"-2", "null", "0.05", "false"}}
			if tt.head != nil {
				want = append([][]string{tt.head}, want...)
			}
			if diff := cmp.Diff(want, got); diff != "" { // the reader turns CRLF within quotes into LF
				t.Error(diff)
			}
		})
	}
}

func TestDCCSVLineEnds(t *testing.T) {
	got := encode(t, "Response=Csv", smallTable("x", []dcColumn{{"A", "int", 0}}, []dcCell{cellInt(1)}))
	if got != "A\r\n1\r\n" {
		t.Errorf("%q", got)
	}
}

func TestDCFormatRefused(t *testing.T) {
	for query, want := range map[string]string{
		"Response=Pdf":                       "Response=Pdf is not supported. Use Json",
		"Response=Json.Email":                "is not supported",
		"Response=JsonDataTable.Email":       "is not supported",
		"Response=.Email":                    "is not supported",
		"Response=Csv&CSV.Delimiter=ab":      "must be one character",
		"Response=Csv&CSV.Delimiter=\"":      "must be one character",
		"Response=Csv&CSV.Delimiter=%0A":     "must be one character",
		"Response=Csv&CSV.Delimiter=7":       "must be one character",
		"Response=Csv&CSV.Delimiter=%ff":     "must be one character",
		"Response=Csv.Email&CSV.Delimiter=x": "must be one character",
	} {
		if _, err := parseDCFormat(parseDCQuery(query)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", query, err, want)
		}
	}
}

func TestDCHeadersOfFormats(t *testing.T) {
	b := startDC(t, DataConnectOptions{})
	tests := []struct{ query, mediaType, disposition string }{
		{"", "application/json", ""},
		{"Response=JsonDataTable", "application/json", ""},
		{"Response=Xml", "text/xml", ""},
		{"Response=XmlDataTable", "text/xml", ""},
		{"Response=Csv", "text/csv", ""},
		{"Response=Csv&Filename=my%20stores", "text/csv", "attachment;filename=my_stores.csv"},
		{"Response=Csv&Filename=a.csv", "text/csv", "attachment;filename=a.csv"},
		{"Response=Csv&CSV.FileExtension=.txt", "text/csv", "attachment;filename=stores-2019-10-02.txt"},
		{"Response=Xml&Filename=a", "text/xml", "attachment;filename=a.xml"},
		{"Response=Csv&Filename=a%0D%0ASet-Cookie:x", "text/csv", "attachment;filename=a__Set-Cookie_x.csv"},
		{
			"Response=Excel", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
			"attachment;filename=stores-2019-10-02.xlsx",
		},
	}
	for _, tt := range tests {
		t.Run(tt.query, func(t *testing.T) {
			r := b.request(t, http.MethodGet, "/lists/stores?"+tt.query, "")
			r.Header.Set("Accept", "application/pdf") // the format is not negotiated
			a := b.do(t, r)
			if a.status != http.StatusOK || a.header.Get("Content-Type") != tt.mediaType ||
				a.header.Get("Content-Disposition") != tt.disposition {
				t.Errorf("%d %q %q", a.status, a.header.Get("Content-Type"), a.header.Get("Content-Disposition"))
			}
		})
	}
}
