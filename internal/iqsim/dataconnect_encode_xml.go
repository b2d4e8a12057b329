package iqsim

import (
	"bytes"
	"encoding/xml"
	"strconv"
)

// xmlEncoder writes Xml and, with schema, XmlDataTable:
// <Table><Record>…</Record><Schema>…</Schema></Table>.
type xmlEncoder struct{ schema bool }

func (xmlEncoder) begin(dst []byte, _ dcTable) []byte {
	return append(dst, `<?xml version="1.0" encoding="utf-8"?><Table>`...)
}

func (xmlEncoder) row(dst []byte, t dcTable, cells []dcCell, _ bool) []byte {
	dst = append(dst, "<Record>"...)
	for i, c := range cells {
		dst = append(append(append(dst, '<'), t.columns[i].name...), '>')
		if c.kind == dcText {
			dst = appendXMLText(dst, c.text)
		} else {
			dst = c.appendPlain(dst)
		}
		dst = append(append(append(dst, "</"...), t.columns[i].name...), '>')
	}
	return append(dst, "</Record>"...)
}

func (e xmlEncoder) end(dst []byte, t dcTable) []byte {
	if e.schema {
		for _, c := range t.columns {
			dst = append(append(dst, "<Schema><Column_Name>"...), c.name...)
			dst = append(append(dst, "</Column_Name><Type>"...), c.kind...)
			dst = append(append(dst, "</Type><SafeType>"...), c.safeType()...)
			dst = strconv.AppendInt(append(dst, "</SafeType><Length>"...), int64(c.length), 10)
			dst = append(dst, "</Length></Schema>"...)
		}
	}
	return append(dst, "</Table>"...)
}

// appendXMLText escapes s; what XML cannot hold becomes U+FFFD.
func appendXMLText(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '<' || c == '>' || c == '&' || c == '"' || c == '\'' {
			var b bytes.Buffer
			_ = xml.EscapeText(&b, []byte(s)) // a bytes.Buffer takes everything
			return append(dst, b.Bytes()...)
		}
	}
	return append(dst, s...)
}
