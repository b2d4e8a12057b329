package iqsim

import (
	"bytes"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

// csvEncoder writes Csv (RFC 4180, with a free choice of the delimiter).
type csvEncoder struct {
	delimiter string
	headers   bool
}

// newCSVEncoder reads CSV.Delimiter (one character, a comma by default) and
// CSV.Headers (on by default).
func newCSVEncoder(p dcParams) (csvEncoder, error) {
	e := csvEncoder{delimiter: ",", headers: p.flag("CSV.Headers", true)}
	if d := p.get("CSV.Delimiter"); d != "" {
		if !isDelimiter(d) {
			return e, refusef(http.StatusBadRequest,
				"CSV.Delimiter must be one character that is no letter, digit, quote or line end, not %q.", d)
		}
		e.delimiter = d
	}
	return e, nil
}

func isDelimiter(s string) bool {
	r, size := utf8.DecodeRuneInString(s)
	return size == len(s) && r != utf8.RuneError && !strings.ContainsRune("\"\r\n", r) &&
		!unicode.IsLetter(r) && !unicode.IsDigit(r)
}

func (e csvEncoder) begin(dst []byte, t dcTable) []byte {
	if !e.headers {
		return dst
	}
	for i, c := range t.columns {
		if i > 0 {
			dst = append(dst, e.delimiter...)
		}
		dst = e.field(dst, c.name)
	}
	return append(dst, "\r\n"...)
}

func (e csvEncoder) row(dst []byte, _ dcTable, cells []dcCell, _ bool) []byte {
	for i, c := range cells {
		if i > 0 {
			dst = append(dst, e.delimiter...)
		}
		if c.kind == dcText {
			dst = e.field(dst, c.text)
			continue
		}
		start := len(dst)
		if dst = c.appendPlain(dst); bytes.Contains(dst[start:], []byte(e.delimiter)) {
			dst = e.field(dst[:start], string(dst[start:])) // "." or "-" may be the delimiter
		}
	}
	return append(dst, "\r\n"...)
}

func (csvEncoder) end(dst []byte, _ dcTable) []byte { return dst }

func (e csvEncoder) field(dst []byte, s string) []byte {
	if !strings.ContainsAny(s, "\"\r\n") && !strings.Contains(s, e.delimiter) {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	dst = append(dst, strings.ReplaceAll(s, `"`, `""`)...)
	return append(dst, '"')
}
