package iqsim

import (
	"encoding/json"
	"strconv"
)

// dcEncoder writes a table as text, piece by piece. It holds no state, so that
// rows may be encoded out of order and in blocks.
type dcEncoder interface {
	// begin appends what precedes the first row.
	begin(dst []byte, t dcTable) []byte
	// row appends one row. Rows that are not the first may start with a
	// separator and are otherwise encoded alike.
	row(dst []byte, t dcTable, cells []dcCell, first bool) []byte
	// end appends what follows the last row.
	end(dst []byte, t dcTable) []byte
}

// jsonEncoder writes Json and, with schema, JsonDataTable.
type jsonEncoder struct{ schema bool }

func (e jsonEncoder) begin(dst []byte, t dcTable) []byte {
	switch {
	case e.schema:
		return append(dst, `{"Records":[`...)
	case t.object:
		return dst
	default:
		return append(dst, '[')
	}
}

func (jsonEncoder) row(dst []byte, t dcTable, cells []dcCell, first bool) []byte {
	if !first {
		dst = append(dst, ',')
	}
	dst = append(dst, '{')
	for i, c := range cells {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendJSONString(dst, t.columns[i].name)
		dst = append(dst, ':')
		if c.kind == dcText {
			dst = appendJSONString(dst, c.text)
		} else {
			dst = c.appendPlain(dst)
		}
	}
	return append(dst, '}')
}

func (e jsonEncoder) end(dst []byte, t dcTable) []byte {
	switch {
	case e.schema:
		dst = append(dst, `],"Schema":[`...)
		return append(appendJSONSchema(dst, t.columns), "]}"...)
	case t.object:
		return dst
	default:
		return append(dst, ']')
	}
}

func appendJSONSchema(dst []byte, columns []dcColumn) []byte {
	for i, c := range columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendJSONString(append(dst, `{"Column_Name":`...), c.name)
		dst = appendJSONString(append(dst, `,"Type":`...), c.kind)
		dst = appendJSONString(append(dst, `,"SafeType":`...), c.safeType())
		dst = strconv.AppendInt(append(dst, `,"Length":`...), int64(c.length), 10)
		dst = append(dst, '}')
	}
	return dst
}

// appendJSONString quotes s. Text that needs no escape, nearly all of it,
// takes the way without an allocation.
func appendJSONString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, _ := json.Marshal(s) // a string always marshals
			return append(dst, quoted...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
