package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"iqgateway/config"
)

// The commands of these documents run as they stand, from top to bottom in one
// folder, and each YAML block of them is a configuration that loads.
func TestDocumentsWork(t *testing.T) {
	for _, name := range []string{"redis.md", "credentials.md"} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("..", "..", "docs", name)
			blocks := codeBlocks(t, file, "yaml")
			if len(blocks) == 0 {
				t.Error("no YAML block found")
			}
			for _, block := range blocks {
				loads(t, name, block)
			}
			script := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", strings.Join(shellLines(t, file), "\n"))
			script.Dir = t.TempDir()
			if out, err := script.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// The commands of these ask a running gateway, so they run as those of the README
// do.
func TestServingDocumentsWork(t *testing.T) {
	// The YAML of quota.md speaks of callers that stand elsewhere.
	const quotaCallers = `
credentials: {retail: {environment: production, client_id: a, client_secret: "${env:S}", username: u, password: "${env:S}"}}
callers:
  storefront: {access: [{credential: retail, services: {crm: read}}]}
  reporting: {access: [{credential: retail, services: {crm: read}}]}
`
	for name, least := range map[string]struct {
		commands, blocks int
		more             string // YAML beside each block
	}{
		"quota.md":         {10, 1, quotaCallers},
		"cache.md":         {14, 2, ""},
		"resilience.md":    {13, 1, ""},
		"calling.md":       {7, 0, ""},
		"operations.md":    {9, 2, ""},
		"observability.md": {8, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if least.blocks > 0 { // those of calling.md are parts of others
				blocks := codeBlocks(t, filepath.Join("..", "..", "docs", name), "yaml")
				if len(blocks) < least.blocks {
					t.Errorf("%d YAML blocks found", len(blocks))
				}
				for _, block := range blocks {
					loads(t, name, block+least.more)
				}
			}
			runCommands(t, filepath.Join("docs", name), least.commands)
		})
	}
}

func loads(t *testing.T, name, block string) {
	t.Helper()
	_, _, err := config.Load(config.LoadOptions{Path: name, Data: []byte("version: 1\n" + block), Offline: true})
	if err != nil {
		t.Errorf("%v in\n%s", err, block)
	}
}
