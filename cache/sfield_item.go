package cache

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// bareItem reads an item without its parameters (RFC 8941, section 4.2.3.1).
// The types that RFC 9651 added are none: RFC 9213 is written for RFC 8941.
func (r *sfReader) bareItem() (sfValue, bool) {
	if r.rest == "" {
		return sfValue{}, false
	}
	switch c := r.rest[0]; {
	case c == '-' || isDigit(c):
		return r.numeral()
	case c == '"':
		return r.stringItem()
	case c == ':':
		return sfValue{}, r.byteSequence()
	case c == '?':
		return r.boolean()
	case isLower(c) || isUpper(c) || c == '*':
		r.span(isTokenByte)
		return sfValue{}, true
	}
	return sfValue{}, false
}

// numeral reads an integer or a decimal (section 4.2.4).
func (r *sfReader) numeral() (sfValue, bool) {
	negative := r.take('-')
	whole := r.span(isDigit)
	if r.take('.') {
		fraction := r.span(isDigit)
		ok := len(whole) >= 1 && len(whole) <= 12 && len(fraction) >= 1 && len(fraction) <= 3
		return sfValue{}, ok
	}
	if len(whole) > 15 {
		return sfValue{}, false
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return sfValue{}, false
	}
	if negative {
		n = -n
	}
	return sfValue{kind: sfInteger, number: n}, true
}

// stringItem reads a string (section 4.2.5): printable ASCII, in which only "
// and \ are escaped.
func (r *sfReader) stringItem() (sfValue, bool) {
	for i := 1; i < len(r.rest); i++ {
		switch c := r.rest[i]; {
		case c == '"':
			v := sfValue{kind: sfString, text: unescaped(r.rest[1:i])}
			r.rest = r.rest[i+1:]
			return v, true
		case c < 0x20 || c >= 0x7f:
			return sfValue{}, false
		case c == '\\':
			i++
			if i == len(r.rest) || r.rest[i] != '"' && r.rest[i] != '\\' {
				return sfValue{}, false
			}
		}
	}
	return sfValue{}, false
}

// byteSequence reads base64 between colons (section 4.2.7), with or without
// padding.
func (r *sfReader) byteSequence() bool {
	text, rest, ok := strings.Cut(r.rest[1:], ":")
	if !ok || strings.ContainsAny(text, "\r\n") {
		return false
	}
	r.rest = rest
	_, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	return err == nil
}

// boolean reads ?0 or ?1 (section 4.2.8).
func (r *sfReader) boolean() (sfValue, bool) {
	if len(r.rest) < 2 || r.rest[1] != '0' && r.rest[1] != '1' {
		return sfValue{}, false
	}
	v := sfValue{kind: sfFalse}
	if r.rest[1] == '1' {
		v.kind = sfTrue
	}
	r.rest = r.rest[2:]
	return v, true
}

// isTokenByte reports what a token may go on with (section 3.3.4).
func isTokenByte(c byte) bool {
	return isLower(c) || isUpper(c) || isDigit(c) || strings.IndexByte("!#$%&'*+-.^_`|~:/", c) >= 0
}
