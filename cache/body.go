package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxBodyDepth bounds how deep arrays and objects of a canonical body nest.
const maxBodyDepth = 64

// errNotCanonical is what has no canonical form; the request bypasses the cache.
var errNotCanonical = errors.New("not JSON with one meaning")

// canonicalBody returns a digest of a reading POST's body that is equal for
// bodies which mean the same: JSON without regard to white space, escapes and
// the order of an object's names. Numbers count as they are written, as 1 and
// 1.0 are not the same to every reader. The media type is part of the digest,
// since it goes upstream with the body.
//
// ok is false for what is not certain: another type, repeated names (readers
// disagree on which counts), text that is not Unicode. An empty body has a
// digest whatever its type.
func canonicalBody(contentType string, body []byte) (digest string, ok bool) {
	mediaType, ok := jsonType(contentType)
	if len(body) == 0 {
		mediaType, ok = contentType, true
	}
	if !ok {
		return "", false
	}
	canonical := appendString(make([]byte, 0, len(mediaType)+len(body)+8), mediaType)
	if len(body) > 0 {
		var err error
		if canonical, err = appendCanonicalJSON(canonical, body); err != nil {
			return "", false
		}
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), true
}

// jsonType normalises a media type and reports whether it is JSON in UTF-8.
func jsonType(contentType string) (string, bool) {
	name, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		return "", false
	}
	if charset, ok := parameters["charset"]; ok {
		if !strings.EqualFold(charset, "utf-8") {
			return "", false
		}
		parameters["charset"] = "utf-8"
	}
	isJSON := name == "application/json" || name == "text/json" ||
		strings.HasPrefix(name, "application/") && strings.HasSuffix(name, "+json")
	return mime.FormatMediaType(name, parameters), isJSON
}

// appendCanonicalJSON appends the canonical form of exactly one JSON value.
func appendCanonicalJSON(dst, body []byte) ([]byte, error) {
	if !json.Valid(body) { // Decoder.Token alone lets some mistakes pass
		return nil, errNotCanonical
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	dst, err := appendJSONValue(dst, decoder, 0)
	if err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errNotCanonical
	}
	return dst, nil
}

func appendJSONValue(dst []byte, d *json.Decoder, depth int) ([]byte, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case json.Delim:
		switch {
		case depth >= maxBodyDepth:
			return nil, errNotCanonical
		case v == '[':
			return appendJSONArray(dst, d, depth+1)
		default:
			return appendJSONObject(dst, d, depth+1)
		}
	case string:
		return appendJSONString(dst, v)
	case json.Number:
		return append(dst, v...), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	default:
		return append(dst, "null"...), nil
	}
}

func appendJSONArray(dst []byte, d *json.Decoder, depth int) ([]byte, error) {
	dst = append(dst, '[')
	for d.More() {
		var err error
		if dst, err = appendJSONValue(dst, d, depth); err != nil {
			return nil, err
		}
		dst = append(dst, ',')
	}
	_, err := d.Token()
	return append(dst, ']'), err
}

func appendJSONObject(dst []byte, d *json.Decoder, depth int) ([]byte, error) {
	var members []jsonMember
	for d.More() {
		m, err := readJSONMember(d, depth)
		if err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	slices.SortFunc(members, func(a, b jsonMember) int { return bytes.Compare(a.name, b.name) })
	dst = append(dst, '{')
	for i, m := range members {
		if i > 0 && bytes.Equal(m.name, members[i-1].name) {
			return nil, errNotCanonical
		}
		dst = append(append(append(append(dst, m.name...), ':'), m.value...), ',')
	}
	_, err := d.Token()
	return append(dst, '}'), err
}

// jsonMember is one member of an object, both in canonical form.
type jsonMember struct{ name, value []byte }

func readJSONMember(d *json.Decoder, depth int) (m jsonMember, err error) {
	name, err := d.Token()
	if err != nil {
		return m, err
	}
	text, ok := name.(string)
	if !ok {
		return m, errNotCanonical
	}
	if m.name, err = appendJSONString(nil, text); err != nil {
		return m, err
	}
	m.value, err = appendJSONValue(nil, d, depth)
	return m, err
}

// appendJSONString refuses U+FFFD: the decoder puts it in place of bytes and
// escapes that are no Unicode, so that different texts would become one.
func appendJSONString(dst []byte, s string) ([]byte, error) {
	if strings.ContainsRune(s, utf8.RuneError) {
		return nil, errNotCanonical
	}
	return appendString(dst, s), nil
}

// appendString appends s with its length before it.
func appendString(dst []byte, s string) []byte {
	dst = strconv.AppendInt(dst, int64(len(s)), 10)
	return append(append(dst, '"'), s...)
}
