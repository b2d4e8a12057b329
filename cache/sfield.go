package cache

import "strings"

// sfKind is the type of a Structured Field value, as far as directives need to
// tell types apart.
type sfKind int8

// The kinds.
const (
	sfOther sfKind = iota // decimal, token, byte sequence, inner list
	sfFalse
	sfTrue
	sfInteger
	sfString
)

// sfValue is the value of a dictionary's member, without parameters.
type sfValue struct {
	kind   sfKind
	number int64  // of sfInteger: at most 15 digits
	text   string // of sfString
}

// sfReader reads a Structured Field by the algorithms of RFC 8941, section 4.2.
// Each method takes what it understood off rest; after a failure rest means
// nothing.
type sfReader struct{ rest string }

// member reads a dictionary's member (section 4.2.2). Without a value it is true.
func (r *sfReader) member() (name string, v sfValue, ok bool) {
	if name, ok = r.key(); !ok {
		return "", sfValue{}, false
	}
	v = sfValue{kind: sfTrue}
	if r.take('=') {
		if v, ok = r.itemOrList(); !ok {
			return "", sfValue{}, false
		}
	}
	return name, v, r.parameters()
}

// comma reads what stands between two members.
func (r *sfReader) comma() bool {
	r.rest = strings.TrimLeft(r.rest, " \t")
	ok := r.take(',')
	r.rest = strings.TrimLeft(r.rest, " \t")
	return ok
}

// itemOrList reads a bare item (section 4.2.3.1) or an inner list.
func (r *sfReader) itemOrList() (sfValue, bool) {
	if r.take('(') {
		return sfValue{}, r.innerList()
	}
	return r.bareItem()
}

// innerList reads the rest of an inner list (section 4.2.1.2).
func (r *sfReader) innerList() bool {
	for r.rest != "" {
		r.spaces()
		if r.take(')') {
			return true
		}
		if _, ok := r.bareItem(); !ok || !r.parameters() {
			return false
		}
		if r.rest != "" && r.rest[0] != ' ' && r.rest[0] != ')' {
			return false
		}
	}
	return false
}

// parameters reads what directives ignore (section 4.2.3.2).
func (r *sfReader) parameters() bool {
	for r.take(';') {
		r.spaces()
		if _, ok := r.key(); !ok {
			return false
		}
		if r.take('=') {
			if _, ok := r.bareItem(); !ok {
				return false
			}
		}
	}
	return true
}

func (r *sfReader) spaces() { r.rest = strings.TrimLeft(r.rest, " ") }

// take takes one byte off if it is the next one.
func (r *sfReader) take(c byte) bool {
	if r.rest == "" || r.rest[0] != c {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

// key reads a key (section 4.2.3.3).
func (r *sfReader) key() (string, bool) {
	if r.rest == "" || !isLower(r.rest[0]) && r.rest[0] != '*' {
		return "", false
	}
	return r.span(func(c byte) bool {
		return isLower(c) || isDigit(c) || strings.IndexByte("_-.*", c) >= 0
	}), true
}

// span takes the longest run of bytes off that are in.
func (r *sfReader) span(in func(byte) bool) string {
	n := 0
	for n < len(r.rest) && in(r.rest[n]) {
		n++
	}
	run := r.rest[:n]
	r.rest = r.rest[n:]
	return run
}

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
