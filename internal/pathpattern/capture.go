package pathpattern

import "strings"

// Capture returns what each {name} stands for in a raw path, as it stands
// there, and whether p matches at all. A name that p has twice, for different
// texts, is left out. Where two texts are possible ("/{a}-{b}"), the first
// parameter gets the shorter one.
func (p Pattern) Capture(path string) (map[string]string, bool) {
	return capture(p.tokens, path)
}

// CaptureFolded is Capture for a path that [Fold] returned, without regard to
// case. The texts are escaped again, so that [Pattern.Fill] can use them.
func (p Pattern) CaptureFolded(folded string) (map[string]string, bool) {
	values, ok := capture(p.folded, folded)
	for name, value := range values {
		values[name] = escape(value, "%{}*?#")
	}
	return values, ok
}

func capture(tokens []token, path string) (map[string]string, bool) {
	values, differ := map[string]string{}, map[string]bool{}
	ok := match(tokens, path, func(name, value string) {
		if before, known := values[name]; known && before != value {
			differ[name] = true
		}
		values[name] = value
	})
	if !ok {
		return nil, false
	}
	for name := range differ {
		delete(values, name)
	}
	return values, true
}

// Fill returns p with texts in place of the parameters that values names. A
// parameter without a value stays, and so does one whose value it could not
// have matched: the result then matches more.
//
// It is meant for [Pattern.MatchFolded]: bytes of a value that mean something
// in a pattern are escaped, and the result's text parses to the result.
func (p Pattern) Fill(values map[string]string) Pattern {
	var text strings.Builder
	for _, t := range p.tokens {
		switch t.kind {
		case literal:
			text.WriteString(t.text)
		case rest:
			text.WriteString("**")
		case param:
			if value, ok := values[t.name]; ok && fillable(value) {
				text.WriteString(escape(value, "{}*?#"))
			} else {
				text.WriteString("{" + t.name + "}")
			}
		}
	}
	filled, err := Parse(text.String())
	if err != nil { // of the zero Pattern
		return p
	}
	return filled
}

// fillable reports whether a parameter could stand for value.
func fillable(value string) bool {
	_, err := decode(value)
	return err == nil && fitsParam(value)
}

// escape percent-encodes the bytes of s that are in set.
func escape(s, set string) string {
	if !strings.ContainsAny(s, set) {
		return s
	}
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; strings.IndexByte(set, c) >= 0 {
			b.WriteString(string([]byte{'%', digits[c>>4], digits[c&0xf]}))
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
