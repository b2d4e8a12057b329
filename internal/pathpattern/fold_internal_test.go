package pathpattern

import (
	"strings"
	"testing"
	"unicode"
)

// foldSlowly is Fold by its definition, rune by rune.
func foldSlowly(raw string) (string, error) {
	decoded, err := decode(raw)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	last := rune(0)
	for _, r := range string(decoded) {
		if r != '/' || last != '/' {
			out.WriteRune(unicode.ToLower(r))
		}
		last = r
	}
	return trimSlash(out.String(), true), nil
}

// What is ASCII takes a way of its own.
func FuzzFoldASCII(f *testing.F) {
	for _, raw := range []string{"", "/", "//", "/A/b//C/", "/%41%2f%2F/%", "/%4", "/%zz", "/Companies%2814146%29/X", "/%c3%a9", "/~%7f%00"} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if _, ok := appendASCII(nil, raw); !ok {
			t.Skip("not ASCII, or broken")
		}
		want, err := foldSlowly(raw)
		if got, gotErr := Fold(raw); got != want || err != nil || gotErr != nil {
			t.Errorf("%q is folded to %q (%v), not %q (%v)", raw, got, gotErr, want, err)
		}
	})
}

func TestFoldAllocatesOnce(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { _, _ = Fold("/v1/Companies(14146)/Catalog%20Items") }); n > 1 {
		t.Errorf("%.0f allocations", n)
	}
}
