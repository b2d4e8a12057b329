package iqsim

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// exportFirstID is the InvoiceID of an export's first row. All ids have ten
	// digits, so that all rows have one width.
	exportFirstID = 1_000_000_000
	// exportMaxRows is how many ids there are.
	exportMaxRows = 9_000_000_000
	// exportCycle is after how many rows everything but the InvoiceID repeats.
	exportCycle = 256
)

// dcExport is a report of any size with content that is known beforehand: all
// rows have the same number of bytes in any text format, and only the last
// one's Comments differ in length.
type dcExport struct {
	rows int64 // at least 1
	pad  int   // bytes of Comments in the last row
}

// WriteExport writes to w exactly what DataConnect answers to
// /reports/export?Size={size}&Response={response}, for a client that compares.
// The size counts bytes; the response is Json, Csv or another text format.
func WriteExport(w io.Writer, response string, size int64) error {
	format, err := parseDCFormat(dcParams{"response": response})
	if err != nil {
		return err
	}
	x, err := sizedExport(format.encoder, size)
	if err != nil {
		return err
	}
	return format.write(w, x.table())
}

// exportSource answers /reports/export: Size bytes or Rows rows.
func exportSource(q dcRequest) (dcTable, error) {
	size, sized, err := q.params.number("Size")
	if err != nil {
		return dcTable{}, err
	}
	if sized {
		x, err := sizedExport(q.format.encoder, size)
		return x.table(), err
	}
	rows, given, err := q.params.number("Rows")
	if err != nil {
		return dcTable{}, err
	}
	if !given {
		rows = 1000
	}
	if rows < 1 || rows > exportMaxRows {
		return dcTable{}, refusef(http.StatusBadRequest, "Rows must be between 1 and %d, not %d.", int64(exportMaxRows), rows)
	}
	t := dcExport{rows: rows}.table()
	t.estimate = rows
	return t, nil
}

// sizedExport returns the export that enc encodes to size bytes.
func sizedExport(enc dcEncoder, size int64) (dcExport, error) {
	if enc == nil {
		return dcExport{}, refusef(http.StatusBadRequest, "Size is not possible with a workbook; use Rows, or Json, Csv or Xml.")
	}
	t := dcExport{rows: 1}.table()
	block := newExportBlock(enc, t)
	base := int64(len(enc.end(enc.begin(nil, t), t)) - block.separator)
	rows := (size - base) / int64(block.width)
	if size < base || rows < 1 || rows > exportMaxRows {
		return dcExport{}, refusef(http.StatusBadRequest, "Size must be between %d and %d bytes, not %d.",
			base+int64(block.width), base+exportMaxRows*int64(block.width), size)
	}
	return dcExport{rows: rows, pad: int(size - base - rows*int64(block.width))}, nil
}

// table returns the export as a table.
func (x dcExport) table() dcTable {
	return dcTable{name: "export", export: &x, rows: x.all(), columns: []dcColumn{
		{"InvoiceID", "int", 0},
		{"InvoiceIDByStore", "varchar", 14},
		{"SoldOn", "datetime", 0},
		{"StoreName", "varchar", 50},
		{"EmployeeName", "varchar", 51},
		{"ProductIdentifier", "varchar", 50},
		{"ProductName", "nvarchar", 100},
		{"Quantity", "int", 0},
		{"UnitPrice", "money", 0},
		{"Comments", "nvarchar", 1000},
	}}
}

// all yields every row, one by one.
func (x dcExport) all() iter.Seq[[]dcCell] {
	return func(yield func([]dcCell) bool) {
		cycle := make([][]dcCell, min(exportCycle, x.rows-1))
		for k := range cycle {
			cycle[k] = x.row(int64(k))
		}
		for i := range x.rows - 1 {
			row := cycle[i%exportCycle]
			row[0] = cellInt(exportFirstID + int(i))
			if !yield(row) {
				return
			}
		}
		yield(x.row(x.rows - 1))
	}
}

// row returns row i.
func (x dcExport) row(i int64) []dcCell {
	k := int(i % exportCycle)
	comments := ""
	if i == x.rows-1 {
		comments = strings.Repeat("x", x.pad)
	}
	return []dcCell{
		cellInt(exportFirstID + int(i)),
		cellText(fmt.Sprintf("84WEAIN%05d", 15624+k)),
		cellTime(time.Date(2019, 10, 1, 18, 0, k, 0, time.UTC)),
		cellText(fmt.Sprintf("Kentel %03d", 1+k%40)),
		cellText(fmt.Sprintf("Employee %03d", 101+k%90)),
		cellText(fmt.Sprintf("ACCEPR%06d", 2000+k)),
		cellText(fmt.Sprintf("Galaxy Case %03d", k)),
		cellInt(1 + k%3),
		cellCents(10_00 + k*7),
		cellText(comments),
	}
}

// write encodes the export in blocks of exportCycle rows: the text of a block
// is made once, then only its ids are written over.
func (x dcExport) write(w io.Writer, enc dcEncoder, t dcTable) error {
	block := newExportBlock(enc, t)
	begin := enc.begin(nil, t)
	for i := int64(0); i < x.rows-1; i += exportCycle {
		chunk := block.from(i, min(exportCycle, x.rows-1-i))
		if i == 0 {
			chunk = append(begin, chunk[block.separator:]...)
		}
		if _, err := w.Write(chunk); err != nil {
			return err
		}
		begin = nil
	}
	last := enc.row(begin, t, x.row(x.rows-1), x.rows == 1)
	_, err := w.Write(enc.end(last, t))
	return err
}

// exportBlock is the text of exportCycle rows.
type exportBlock struct {
	text      []byte
	width     int // of a row, in bytes
	id        int // where in a row its InvoiceID begins
	separator int // bytes at the start of a row that the first row lacks
}

func newExportBlock(enc dcEncoder, t dcTable) *exportBlock {
	x := dcExport{rows: exportMaxRows}
	first := enc.row(nil, t, x.row(0), true)
	b := &exportBlock{}
	for i := range int64(exportCycle) {
		b.text = enc.row(b.text, t, x.row(i), false)
		if i == 0 {
			b.width = len(b.text)
			b.separator = b.width - len(first)
			b.id = bytes.Index(b.text, strconv.AppendInt(nil, exportFirstID, 10))
		}
	}
	return b
}

// from returns the text of n rows that begin with row i, a multiple of
// exportCycle. It is valid until the next call.
func (b *exportBlock) from(i, n int64) []byte {
	for k := range n {
		at := int(k)*b.width + b.id
		strconv.AppendInt(b.text[at:at], exportFirstID+i+k, 10)
	}
	return b.text[:int(n)*b.width]
}
