package iqsim

import (
	"iter"
	"strconv"
	"time"
)

// dcKind is what a cell holds.
type dcKind int8

const (
	dcNull  dcKind = iota
	dcText         // text
	dcInt          // number
	dcCents        // number, in hundredths
	dcBool         // number, 0 or 1
)

// dcCell is one value of a row: no interface, so that a row of a long export
// costs no allocation.
type dcCell struct {
	kind   dcKind
	text   string
	number int64
}

func cellText(s string) dcCell    { return dcCell{kind: dcText, text: s} }
func cellInt(n int) dcCell        { return dcCell{kind: dcInt, number: int64(n)} }
func cellCents(n int) dcCell      { return dcCell{kind: dcCents, number: int64(n)} }
func cellNull() dcCell            { return dcCell{} }
func cellTime(t time.Time) dcCell { return cellText(t.UTC().Format("2006-01-02T15:04:05.000")) }

func cellBool(b bool) dcCell {
	if b {
		return dcCell{kind: dcBool, number: 1}
	}
	return dcCell{kind: dcBool}
}

// appendPlain appends the cell as it stands in a CSV field or an XML element,
// before any escaping. The provider's examples spell a missing value "null".
func (c dcCell) appendPlain(dst []byte) []byte {
	switch c.kind {
	case dcText:
		return append(dst, c.text...)
	case dcInt:
		return strconv.AppendInt(dst, c.number, 10)
	case dcCents:
		return appendCents(dst, c.number)
	case dcBool:
		return strconv.AppendBool(dst, c.number != 0)
	default:
		return append(dst, "null"...)
	}
}

func appendCents(dst []byte, n int64) []byte {
	if n < 0 {
		dst, n = append(dst, '-'), -n
	}
	dst = strconv.AppendInt(dst, n/100, 10)
	return append(dst, '.', byte('0'+n/10%10), byte('0'+n%10))
}

// dcColumn describes one column as the DataTable formats show it.
type dcColumn struct {
	name   string
	kind   string // SQL type
	length int    // longest value, 0 where that means nothing
}

// safeType returns the .NET type of the column.
func (c dcColumn) safeType() string {
	switch c.kind {
	case "int":
		return "System.Int32"
	case "money":
		return "System.Decimal"
	case "bit":
		return "System.Boolean"
	case "datetime":
		return "System.DateTime"
	case "uniqueidentifier":
		return "System.Guid"
	default:
		return "System.String"
	}
}

// dcTable is one answer before it has a format.
type dcTable struct {
	name     string // of the report, for file names
	columns  []dcColumn
	rows     iter.Seq[[]dcCell] // the slice is only valid until the next row
	estimate int64              // rows expected, for the row guard
	object   bool               // exactly one row, which JSON shows without an array
	export   *dcExport          // set when the rows are an export's
}

// dcRows returns the rows of a small table.
func dcRows(rows ...[]dcCell) iter.Seq[[]dcCell] {
	return func(yield func([]dcCell) bool) {
		for _, row := range rows {
			if !yield(row) {
				return
			}
		}
	}
}

// smallTable returns a table whose rows are all there.
func smallTable(name string, columns []dcColumn, rows ...[]dcCell) dcTable {
	return dcTable{name: name, columns: columns, rows: dcRows(rows...), estimate: int64(len(rows))}
}
