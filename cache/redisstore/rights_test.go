package redisstore_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"iqgateway/internal/redistest"
)

// With exactly the rights that docs/redis.md has an operator grant, everything
// works: the server notes each command that it refuses.
func TestDocumentedRightsAreEnough(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "redis.md"))
	if err != nil {
		t.Fatal(err)
	}
	rights := regexp.MustCompile("An ACL user needs `([^`]+)`").FindSubmatch(text)
	if rights == nil {
		t.Fatal("docs/redis.md names no rights")
	}
	server := redistest.Single(t, redistest.WithUser("gateway", "secret", strings.Fields(string(rights[1]))...))
	r := newReplica(t, server, setup{user: "gateway", password: "secret"})
	for method, err := range r.everything(t.Context()) {
		if err != nil {
			t.Errorf("%s: %v", method, err)
		}
	}
	if refused := server.CLI(t, "ACL", "LOG"); refused != "" {
		t.Errorf("refused:\n%s", refused)
	}
}
