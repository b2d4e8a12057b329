package cache

import "strings"

// directive is one member of Cache-Control.
type directive struct {
	name  string // as written
	value string // unquoted
	form  form
}

// form is how a directive was written.
type form int8

// The forms.
const (
	formBare   form = iota // name
	formToken              // name=value
	formQuoted             // name="value"
	formBroken             // not by the grammar; the value means nothing
)

// nextDirective cuts the first member off a list (RFC 9110, section 5.6.1: empty
// members are nothing; RFC 9111, section 5.2: token [ "=" ( token / quoted-string
// ) ]). The name is "" when there is none left.
func nextDirective(list string) (d directive, rest string) {
	list = strings.TrimLeft(list, ", \t")
	end := strings.IndexAny(list, ",=")
	if end < 0 || list[end] == ',' {
		name, rest := cutMember(list, 0)
		return directive{name: name}, rest
	}
	d = directive{name: list[:end], form: formToken}
	if strings.HasPrefix(list[end+1:], `"`) {
		if value, after, ok := cutQuoted(list[end+2:]); ok {
			junk, rest := cutMember(after, 0)
			d.value, d.form = value, formQuoted
			return d.checked(junk == ""), rest
		}
	}
	value, rest := cutMember(list, end+1)
	d.value = value
	return d.checked(value != "" && !strings.ContainsAny(value, "\" \t")), rest
}

// checked marks a directive as broken unless its value is well formed and its
// name ends where the "=" begins.
func (d directive) checked(ok bool) directive {
	if name := strings.TrimRight(d.name, " \t"); !ok || name != d.name {
		d.name, d.form = name, formBroken
	}
	return d
}

// cutMember cuts a list after its next comma and gives the text from start to
// there. Space is kept before it, where the grammar knows none.
func cutMember(list string, start int) (member, rest string) {
	member, rest, _ = strings.Cut(list[start:], ",")
	return strings.TrimRight(member, " \t"), rest
}

// cutQuoted reads a quoted-string whose first quote is gone. It fails where the
// second one is missing.
func cutQuoted(s string) (value, rest string, ok bool) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return unescaped(s[:i]), s[i+1:], true
		case '\\':
			i++
		}
	}
	return "", "", false
}

// unescaped resolves quoted-pairs (RFC 9110, section 5.6.4).
func unescaped(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// lowered returns an ASCII name in lower case, without allocating where it is so
// already.
func lowered(name string) string {
	for i := range len(name) {
		if c := name[i]; c >= 'A' && c <= 'Z' || c >= 0x80 {
			return loweredASCII(name)
		}
	}
	return name
}

// loweredASCII folds A to Z only: "no-ſtore" is not no-store.
func loweredASCII(name string) string {
	b := []byte(name)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
