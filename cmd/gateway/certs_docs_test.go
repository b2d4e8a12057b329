package main

import (
	"path/filepath"
	"testing"
)

// Each YAML block of the document is a configuration that loads.
func TestCertificateDocumentLoads(t *testing.T) {
	t.Parallel()
	blocks := codeBlocks(t, filepath.Join("..", "..", "docs", "certificates.md"), "yaml")
	if len(blocks) != 2 {
		t.Errorf("%d YAML blocks found, want files and acme", len(blocks))
	}
	for _, block := range blocks {
		loads(t, "certificates.md", block)
	}
}
