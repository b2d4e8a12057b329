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

// The quota's commands ask a running gateway, so they run as those of the README
// do. Its YAML speaks of callers that stand elsewhere.
func TestQuotaDocumentWorks(t *testing.T) {
	t.Parallel()
	const callers = `
credentials: {retail: {environment: production, client_id: a, client_secret: "${env:S}", username: u, password: "${env:S}"}}
callers:
  storefront: {access: [{credential: retail, services: {crm: read}}]}
  reporting: {access: [{credential: retail, services: {crm: read}}]}
`
	blocks := codeBlocks(t, filepath.Join("..", "..", "docs", "quota.md"), "yaml")
	if len(blocks) == 0 {
		t.Error("no YAML block found")
	}
	for _, block := range blocks {
		loads(t, "quota.md", block+callers)
	}
	runCommands(t, filepath.Join("docs", "quota.md"), 10)
}

// So do those of the cache. One of its YAML blocks names files, which `loads`
// does not open.
func TestCacheDocumentWorks(t *testing.T) {
	t.Parallel()
	blocks := codeBlocks(t, filepath.Join("..", "..", "docs", "cache.md"), "yaml")
	if len(blocks) < 2 {
		t.Errorf("%d YAML blocks found", len(blocks))
	}
	for _, block := range blocks {
		loads(t, "cache.md", block)
	}
	runCommands(t, filepath.Join("docs", "cache.md"), 14)
}

// So do those of breakers.
func TestResilienceDocumentWorks(t *testing.T) {
	t.Parallel()
	blocks := codeBlocks(t, filepath.Join("..", "..", "docs", "resilience.md"), "yaml")
	if len(blocks) == 0 {
		t.Error("no YAML block found")
	}
	for _, block := range blocks {
		loads(t, "resilience.md", block)
	}
	runCommands(t, filepath.Join("docs", "resilience.md"), 13)
}

// So do those by which callers ask the gateway.
func TestCallingDocumentWorks(t *testing.T) {
	t.Parallel()
	runCommands(t, filepath.Join("docs", "calling.md"), 7)
}

// So do those of reloads and keys.
func TestOperationsDocumentWorks(t *testing.T) {
	t.Parallel()
	blocks := codeBlocks(t, filepath.Join("..", "..", "docs", "operations.md"), "yaml")
	if len(blocks) < 2 {
		t.Errorf("%d YAML blocks found", len(blocks))
	}
	for _, block := range blocks {
		loads(t, "operations.md", block)
	}
	runCommands(t, filepath.Join("docs", "operations.md"), 9)
}

func loads(t *testing.T, name, block string) {
	t.Helper()
	_, _, err := config.Load(config.LoadOptions{Path: name, Data: []byte("version: 1\n" + block), Offline: true})
	if err != nil {
		t.Errorf("%v in\n%s", err, block)
	}
}
