package auth

import (
	"strings"
	"testing"
)

func TestNewKey(t *testing.T) {
	key, digest := NewKey()
	other, _ := NewKey()
	if key == other {
		t.Fatal("the same key twice")
	}
	if body, ok := strings.CutPrefix(key, "iqgw_"); !ok || len(body) != 43 { // 256 bits of base64
		t.Errorf("key %q", key)
	}
	parsed, err := ParseDigest(digest)
	if err != nil || parsed != DigestOf(key) || parsed.String() != digest {
		t.Errorf("digest %s: %v, %v", digest, parsed, err)
	}
}

func TestDigestIsSHA256(t *testing.T) {
	const ofTest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" // FIPS 180-4, of "test"
	if got := DigestOf("test").String(); got != ofTest {
		t.Errorf("digest %s", got)
	}
}

func TestParseDigestRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "too short": "9f86", "odd": "9f8", "no hex": strings.Repeat("zz", 32),
		"too long": strings.Repeat("00", 33), "a key": "iqgw_" + strings.Repeat("a", 43),
	} {
		_, err := ParseDigest(text)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		if text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%s: the error repeats the text: %v", name, err)
		}
	}
}
