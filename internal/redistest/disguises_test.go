package redistest_test

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"iqgateway/internal/redistest"
)

// The search itself must find what it looks for.
func TestDisguisesAreFound(t *testing.T) {
	for pad := range 6 {
		whole := []byte(strings.Repeat("x", pad) + "canary-token" + strings.Repeat("y", 5))
		for _, text := range []string{string(whole), hex.EncodeToString(whole), base64.StdEncoding.EncodeToString(whole), base64.URLEncoding.EncodeToString(whole)} {
			found := false
			for _, form := range redistest.Disguises("canary-token") {
				found = found || strings.Contains(text, form)
			}
			if !found {
				t.Errorf("not found in %s", text)
			}
		}
	}
}
