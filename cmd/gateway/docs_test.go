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
				_, _, err := config.Load(config.LoadOptions{Path: name, Data: []byte("version: 1\n" + block), Offline: true})
				if err != nil {
					t.Errorf("%v in\n%s", err, block)
				}
			}
			script := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", strings.Join(shellLines(t, file), "\n"))
			script.Dir = t.TempDir()
			if out, err := script.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
