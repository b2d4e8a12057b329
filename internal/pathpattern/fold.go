package pathpattern

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrUnreadable is returned by [Fold] for text with a broken escape.
var ErrUnreadable = errors.New("a % does not begin a valid escape")

// Fold returns what the upstream may take a raw path for: percent-decoded
// once, case folded, repeated slashes as one, trailing slashes cut. It serves
// to recognise restricted paths, never as what is sent.
//
// Letters beyond ASCII that fold to an ASCII letter (U+017F, U+212A) become
// that letter: a server that folds by Unicode would read them so.
func Fold(raw string) (string, error) {
	folded, err := foldText(raw)
	if err != nil {
		return "", err
	}
	return trimSlash(folded, true), nil
}

// trimSlash cuts trailing slashes; a root stays "/".
func trimSlash(s string, mayBeRoot bool) string {
	trimmed := strings.TrimRight(s, "/")
	if trimmed == "" && s != "" && mayBeRoot {
		return "/"
	}
	return trimmed
}

func foldText(raw string) (string, error) {
	if isFolded(raw) {
		return raw, nil
	}
	var buffer [128]byte
	if folded, ok := appendASCII(buffer[:0], raw); ok {
		return string(folded), nil
	}
	decoded, err := decode(raw)
	if err != nil {
		return "", err
	}
	out := make([]byte, 0, len(decoded))
	for i := 0; i < len(decoded); {
		r, size := utf8.DecodeRune(decoded[i:])
		switch {
		case r == utf8.RuneError && size <= 1:
			out = append(out, decoded[i])
		case r == '/' && len(out) > 0 && out[len(out)-1] == '/':
		default:
			out = utf8.AppendRune(out, foldRune(r))
		}
		i += size
	}
	return string(out), nil
}

// appendASCII folds text that decodes to ASCII alone, as nearly all does; false
// = this one does not.
func appendASCII(out []byte, raw string) (_ []byte, ok bool) {
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c == '%' {
			if i+2 >= len(raw) {
				return nil, false
			}
			hi, lo := unhex(raw[i+1]), unhex(raw[i+2])
			if hi < 0 || lo < 0 {
				return nil, false
			}
			c = byte(hi<<4 | lo)
			i += 2
		}
		switch {
		case c >= utf8.RuneSelf:
			return nil, false
		case c == '/' && len(out) > 0 && out[len(out)-1] == '/':
		case 'A' <= c && c <= 'Z':
			out = append(out, c|('a'-'A'))
		default:
			out = append(out, c)
		}
	}
	return out, true
}

func isFolded(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c == '%' || 'A' <= c && c <= 'Z' || c >= utf8.RuneSelf || c == '/' && i > 0 && s[i-1] == '/' {
			return false
		}
	}
	return true
}

func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		return unicode.ToLower(r)
	}
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		if f < utf8.RuneSelf {
			return unicode.ToLower(f)
		}
	}
	return unicode.ToLower(r)
}

func decode(raw string) ([]byte, error) {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '%' {
			out = append(out, raw[i])
			continue
		}
		if i+2 >= len(raw) {
			return nil, ErrUnreadable
		}
		hi, lo := unhex(raw[i+1]), unhex(raw[i+2])
		if hi < 0 || lo < 0 {
			return nil, ErrUnreadable
		}
		out = append(out, byte(hi<<4|lo))
		i += 2
	}
	return out, nil
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
