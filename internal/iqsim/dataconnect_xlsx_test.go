package iqsim

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sheetCells reads the only sheet of a workbook, and checks that every other
// part is well-formed.
func sheetCells(t *testing.T, file string) [][]string {
	t.Helper()
	archive, err := zip.NewReader(strings.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	var sheet struct {
		Rows []struct {
			Cells []struct {
				Type  string `xml:"t,attr"`
				Value string `xml:"v"`
				Text  string `xml:"is>t"`
			} `xml:"c"`
		} `xml:"sheetData>row"`
	}
	names := map[string]bool{}
	for _, f := range archive.File {
		names[f.Name] = true
		part, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(part) // verifies the checksum too
		if err != nil {
			t.Fatal(err)
		}
		var target any = new(struct{})
		if f.Name == "xl/worksheets/sheet1.xml" {
			target = &sheet
		}
		if err := xml.Unmarshal(body, target); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	for _, name := range []string{"[Content_Types].xml", "_rels/.rels", "xl/workbook.xml", "xl/_rels/workbook.xml.rels"} {
		if !names[name] {
			t.Errorf("no part %s", name)
		}
	}
	var rows [][]string
	for _, r := range sheet.Rows {
		var cells []string
		for _, c := range r.Cells {
			cells = append(cells, c.Type+":"+c.Value+c.Text)
		}
		rows = append(rows, cells)
	}
	return rows
}

func TestDCWorkbook(t *testing.T) {
	want := [][]string{
		{"inlineStr:ID", "inlineStr:Name", "inlineStr:Price", "inlineStr:On"},
		{":1", "inlineStr:a,b;\"c\"\r\n<é&>", ":-299.99", "b:1"},
		{":-2", ":", ":0.05", "b:0"},
	}
	if diff := cmp.Diff(want, sheetCells(t, encode(t, "Response=Excel", sample()))); diff != "" {
		t.Error(diff)
	}
}

func TestDCWorkbookOverHTTP(t *testing.T) {
	b := startDC(t, DataConnectOptions{})
	rows := sheetCells(t, b.get(t, "/reports/export?Rows=600&Response=Excel").body)
	if len(rows) != 601 {
		t.Fatalf("%d rows, want 600 below the names", len(rows))
	}
	if rows[0][0] != "inlineStr:InvoiceID" || rows[600][0] != ":1000000599" {
		t.Errorf("first %v, last %v", rows[0], rows[600])
	}
}

func TestDCWorkbookHoldsAnyText(t *testing.T) {
	table := smallTable("x", []dcColumn{{"A", "nvarchar", 9}}, []dcCell{cellText("a\x00\x1b\xffb")})
	if got := sheetCells(t, encode(t, "Response=Excel", table))[1][0]; got != "inlineStr:a\ufffd\ufffd\ufffdb" {
		t.Errorf("%q", got)
	}
}

func TestDCWorkbookReportsWriteErrors(t *testing.T) {
	var whole bytes.Buffer
	if err := writeXLSX(&whole, sample()); err != nil {
		t.Fatal(err)
	}
	for _, room := range []int{0, 1, whole.Len() / 2, whole.Len() - 1} {
		if err := (dcFormat{}).write(&shortWriter{room: room}, sample()); !errors.Is(err, errFull) {
			t.Errorf("after %d bytes: error %v", room, err)
		}
	}
}

var errFull = errors.New("full")

// shortWriter fails after room bytes.
type shortWriter struct{ room int }

func (w *shortWriter) Write(p []byte) (int, error) {
	if len(p) > w.room {
		n := w.room
		w.room = 0
		return n, errFull
	}
	w.room -= len(p)
	return len(p), nil
}
