package redistest

import (
	"strings"
	"testing"
)

func TestQuoteMakesOneWord(t *testing.T) {
	for text, want := range map[string]string{
		"":                `""`,
		"plain":           `"plain"`,
		`two words`:       `"two words"`,
		`"a"\b`:           `"\"a\"\\b"`,
		"line\nbreak\x00": `"line\x0abreak\x00"`,
		"ä":               `"\xc3\xa4"`,
	} {
		if got := quote(text); got != want {
			t.Errorf("quote(%q) = %s, want %s", text, got, want)
		}
	}
}

func TestTailKeepsWholeLines(t *testing.T) {
	for _, c := range []struct {
		text  string
		limit int
		want  string
	}{
		{"", 10, ""},
		{"a\nb\n", 10, "a\nb\n"},
		{"first\nsecond\n", 10, "second\n"},
		{strings.Repeat("x", 20), 10, ""},
	} {
		if got := tail(c.text, c.limit); got != c.want {
			t.Errorf("tail(%q, %d) = %q, want %q", c.text, c.limit, got, c.want)
		}
	}
}

func TestPairsIgnoresWhatIsNone(t *testing.T) {
	for name, c := range map[string]struct {
		reply any
		want  string
	}{
		"pairs":    {[]any{"flags", "slave", "port", int64(7)}, "7"},
		"odd":      {[]any{"port", "7", "flags"}, "7"},
		"no list":  {"port", ""},
		"no reply": {nil, ""},
	} {
		if got := pairs(c.reply)["port"]; got != c.want {
			t.Errorf("%s: port = %q, want %q", name, got, c.want)
		}
	}
}
