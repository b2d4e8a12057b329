package iqsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// maxBody bounds what the retail services read of one request.
const maxBody = 8 << 20

// wireTime is how the services write instants: .NET's round-trip form in UTC.
const wireTime = "2006-01-02T15:04:05.0000000Z"

var errNotObject = errors.New("the body is not one JSON object")

// document is one JSON object of a service. A document that is in a records
// store is never modified, only replaced, so that readers need no lock for
// what they were given.
type document map[string]any

// text returns the field as a string; numbers come as they were written.
func (d document) text(field string) string {
	switch v := d[field].(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case int:
		return strconv.Itoa(v)
	default:
		return ""
	}
}

// whole returns the field as an integer; ok is false if it is none.
func (d document) whole(field string) (n int, ok bool) {
	switch v := d[field].(type) {
	case int:
		return v, true
	case json.Number:
		i, err := strconv.Atoi(v.String())
		return i, err == nil
	case string:
		i, err := strconv.Atoi(v)
		return i, err == nil
	default:
		return 0, false
	}
}

// empty reports whether the field is missing, null, "" or an empty list.
func (d document) empty(field string) bool {
	switch v := d[field].(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	default:
		return false
	}
}

// with returns a copy of d overlaid with the fields of each change in turn.
func (d document) with(changes ...document) document {
	merged := maps.Clone(d)
	if merged == nil {
		merged = document{}
	}
	for _, change := range changes {
		maps.Copy(merged, change)
	}
	return merged
}

// objects returns the field's JSON objects; other elements are left out.
func (d document) objects(field string) []document {
	list, _ := d[field].([]any)
	found := make([]document, 0, len(list))
	for _, element := range list {
		if object, ok := element.(map[string]any); ok {
			found = append(found, object)
		}
	}
	return found
}

// readDocument decodes the body of r, which must be one JSON object. Numbers
// keep their text, so that 24.90 is not written back as 24.9.
func readDocument(r *http.Request) (document, error) {
	if r.Body == nil {
		return nil, errNotObject
	}
	dec := json.NewDecoder(io.LimitReader(r.Body, maxBody))
	dec.UseNumber()
	var d document
	if err := dec.Decode(&d); err != nil {
		return nil, errors.Join(errNotObject, err)
	}
	if d == nil {
		return nil, errNotObject
	}
	return d, nil
}

// encodeJSON writes v as JSON, with "&" as it is: the services do not escape for
// HTML.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// stamp writes t as the services do.
func stamp(t time.Time) string { return t.UTC().Format(wireTime) }
