package iqsim

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// dcBodyLimit bounds a request body with parameters, in bytes.
const dcBodyLimit = 1 << 20

// dcParams are the parameters of one request by lower-case name.
type dcParams map[string]string

// get returns the parameter of that name, in any case, or "".
func (p dcParams) get(name string) string { return p[strings.ToLower(name)] }

// flag returns the boolean parameter of that name, or missing when it is not
// there or not understood.
func (p dcParams) flag(name string, missing bool) bool {
	switch strings.ToLower(p.get(name)) {
	case "true", "1", "yes":
		return true
	case "false", "0", "no":
		return false
	default:
		return missing
	}
}

// number returns the integer parameter of that name and whether it is there.
func (p dcParams) number(name string) (n int64, ok bool, err error) {
	text := p.get(name)
	if text == "" {
		return 0, false, nil
	}
	n, err = strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, true, refusef(http.StatusBadRequest, "%s must be a whole number, not %q.", name, text)
	}
	return n, true, nil
}

// require returns the parameter of that name, which has to be there.
func (p dcParams) require(name string) (string, error) {
	if v := p.get(name); v != "" {
		return v, nil
	}
	return "", refusef(http.StatusBadRequest, "%s is required.", name)
}

// parseDCQuery reads a raw query as DataConnect does: only "&" separates, so
// that the ";" of CSV.Delimiter=; is data; names have no case; what is not a
// valid escape stands for itself; repeated names are joined by commas.
func parseDCQuery(raw string) dcParams {
	p := dcParams{}
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name == "" {
			continue
		}
		name, value = strings.ToLower(dcUnescape(name)), dcUnescape(value)
		if earlier, ok := p[name]; ok {
			value = earlier + "," + value
		}
		p[name] = value
	}
	return p
}

// dcUnescape decodes "+" and %XX and keeps what is neither.
func dcUnescape(s string) string {
	if !strings.ContainsAny(s, "+%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b.WriteByte(' ')
		case s[i] == '%' && i+2 < len(s) && dcIsHex(s[i+1]) && dcIsHex(s[i+2]):
			n, _ := strconv.ParseUint(s[i+1:i+3], 16, 8) // two hex digits
			b.WriteByte(byte(n))
			i += 2
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func dcIsHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// readDCParams returns the parameters of r from its URL and, for a POST, its
// body. GET and POST mean the same; a name that is in both keeps the URL's
// value.
func readDCParams(r *http.Request) (dcParams, error) {
	p := parseDCQuery(r.URL.RawQuery)
	if r.Method != http.MethodPost || r.Body == nil {
		return p, nil
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(io.LimitReader(r.Body, dcBodyLimit+1)); err != nil {
		return nil, refusef(http.StatusBadRequest, "The request body could not be read.")
	}
	if body.Len() > dcBodyLimit {
		return nil, refusef(http.StatusRequestEntityTooLarge, "The request body exceeds %d bytes.", dcBodyLimit)
	}
	fromBody, err := parseDCBody(r.Header.Get("Content-Type"), body.Bytes())
	if err != nil {
		return nil, err
	}
	for name, value := range fromBody {
		if _, ok := p[name]; !ok {
			p[name] = value
		}
	}
	return p, nil
}

// parseDCBody reads a form or a flat JSON object; a body of another type holds
// no parameters.
func parseDCBody(contentType string, body []byte) (dcParams, error) {
	mediaType, _, _ := mime.ParseMediaType(contentType) // "" holds no parameters
	switch mediaType {
	case "application/x-www-form-urlencoded":
		return parseDCQuery(string(body)), nil
	case "application/json":
		return parseDCObject(body)
	default:
		return dcParams{}, nil
	}
}

func parseDCObject(body []byte) (dcParams, error) {
	var fields map[string]any
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err := dec.Decode(&fields); err != nil {
		return nil, refusef(http.StatusBadRequest, "The request body is not a JSON object.")
	}
	p := dcParams{}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		switch v := fields[name].(type) {
		case string:
			p[strings.ToLower(name)] = v
		case json.Number:
			p[strings.ToLower(name)] = v.String()
		case bool:
			p[strings.ToLower(name)] = strconv.FormatBool(v)
		case nil:
		default:
			return nil, refusef(http.StatusBadRequest, "%s must be a string, a number or a boolean.", name)
		}
	}
	return p, nil
}
