package simtest_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"iqgateway/internal/iqsim/simtest"
)

func TestLeak(t *testing.T) {
	const secret = `Pass"word/&1>of?the~first~order`
	raw := []byte(secret)
	quoted, err := json.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	shows := map[string]string{
		"plain":             secret,
		"lower case":        strings.ToLower(secret),
		"cut off":           secret[:20] + "…",
		"JSON":              string(quoted),
		"Go":                fmt.Sprintf("%q", secret),
		"query":             url.QueryEscape(secret),
		"path":              url.PathEscape(secret),
		"query, lower case": strings.ToLower(url.QueryEscape(secret)),
		"all per cent":      "%" + strings.TrimSpace(strings.ReplaceAll(fmt.Sprintf("% x", raw), " ", "%")),
		"hex":               hex.EncodeToString(raw),
		"hex, upper case":   strings.ToUpper(hex.EncodeToString(raw)),
		"hex, apart":        fmt.Sprintf("% X", raw),
		"bytes":             fmt.Sprintf("%d", raw),
		"bytes in Go":       fmt.Sprintf("%#v", raw),
		"bytes in JSON":     strings.ReplaceAll(fmt.Sprintf("%d", raw), " ", ","),
	}
	for lead := range 4 { // as of a caller's name before a colon
		for name, coding := range map[string]*base64.Encoding{
			"std": base64.StdEncoding, "url": base64.URLEncoding, "raw": base64.RawStdEncoding,
		} {
			shows[fmt.Sprintf("base64 %s after %d", name, lead)] = coding.EncodeToString([]byte("abc"[:lead] + secret + ":x"))
		}
	}
	for form, text := range shows {
		if got := simtest.Leak("Before "+text+" after", secret); !strings.Contains(got, "Before") {
			t.Errorf("%s is not found: %q in %q", form, got, text)
		}
	}
	for _, text := range []string{"", "pass word", secret[:10], hex.EncodeToString(raw[:10]), "Pass%22word%2F%261%3Eand%20so%20on"} {
		if got := simtest.Leak(text, secret); got != "" {
			t.Errorf("found %q in %q", got, text)
		}
	}
}

// A secret that is shorter than what is looked for is looked for as a whole.
func TestLeakOfShort(t *testing.T) {
	if simtest.Leak("it is hunter2.", "hunter2") == "" || simtest.Leak("it is hunter", "hunter2") != "" {
		t.Error("hunter2")
	}
}
