package rig

import (
	"crypto/rand"
	"encoding/base64"
	"testing"
)

// Must fails the test at once where something that it needs did.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// NewKey returns 32 random bytes in base64, as the configuration wants keys.
func NewKey() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // documented never to fail
	return base64.StdEncoding.EncodeToString(key)
}
