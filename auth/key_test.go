package auth

import (
	"crypto/sha256"
	"fmt"
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
	if want := fmt.Sprintf("%x", sha256.Sum256([]byte(key))); digest != want {
		t.Errorf("digest %s, want %s", digest, want)
	}
}

func TestDigestIsSHA256(t *testing.T) {
	const ofTest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" // FIPS 180-4, of "test"
	if got := DigestOf("test").String(); got != ofTest {
		t.Errorf("digest %s", got)
	}
}
