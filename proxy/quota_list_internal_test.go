package proxy

import (
	"strconv"
	"strings"
	"testing"
)

func atoi(t *testing.T, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// readList reads a structured field list of strings with parameters as RFC 9651
// section 4.2.1 does, and returns how many members it has.
func readList(s string) (members int, ok bool) {
	for {
		if s, ok = readString(s); !ok {
			return members, false
		}
		members++
		if s, ok = readParameters(s); !ok {
			return members, false
		}
		if s == "" {
			return members, true
		}
		rest, found := strings.CutPrefix(s, ",")
		if s = strings.TrimLeft(rest, " \t"); !found || s == "" {
			return members, false
		}
	}
}

func readString(s string) (rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		return s, false
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			if i++; i == len(s) || s[i] != '"' && s[i] != '\\' {
				return s, false
			}
		case c == '"':
			return s[i+1:], true
		case c < ' ' || c > '~':
			return s, false
		}
	}
	return s, false
}

func readParameters(s string) (rest string, ok bool) {
	for strings.HasPrefix(s, ";") {
		name, value, found := strings.Cut(s[1:], "=")
		if !found || name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz") != "" {
			return s, false
		}
		if strings.HasPrefix(value, `"`) {
			if s, ok = readString(value); !ok {
				return s, false
			}
			continue
		}
		digits := len(value) - len(strings.TrimLeft(value, "0123456789"))
		if digits == 0 || digits > 15 {
			return s, false
		}
		s = value[digits:]
	}
	return s, true
}

func TestListReader(t *testing.T) {
	for text, want := range map[string]int{
		`"a";q=1;w=60, "b";q=2`: 2, `"a\"b";qu="x"`: 1,
		``: -1, `a`: -1, `"a",`: -1, `"a" "b"`: -1, `"a";q`: -1, `"a";q=-1`: -1, `"a`: -1, "\"\x01\"": -1, `"a";q=1234567890123456`: -1, `"a\n"`: -1,
	} {
		got, ok := readList(text)
		if ok != (want > 0) || ok && got != want {
			t.Errorf("%s: %d members, %t", text, got, ok)
		}
	}
}
