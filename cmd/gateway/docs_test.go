package main

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"iqgateway/config"
)

// What parts of configurations in the documents speak of without showing it.
const (
	besideCredentials = `
credentials:
  retail: {environment: production, client_id: a, client_secret: "${env:S}", username: u, password: "${env:S}"}
`
	besideCallers = `
callers:
  storefront: {access: [{credential: retail, services: {crm: read, pricing: read}}]}
  reporting: {access: [{credential: retail, services: {crm: read, pricing: read}}]}
`
)

// Each YAML block of a document is a configuration, or a part of one.
func TestDocumentConfigurationsLoad(t *testing.T) {
	t.Parallel()
	loaded := 0
	for _, document := range documents(t) {
		for _, b := range blocksOf(t, document) {
			if b.language == "yaml" && notRun[b.mark] == "" {
				loaded++
				loads(t, document, b)
			}
		}
	}
	if loaded < 15 {
		t.Errorf("only %d blocks found", loaded)
	}
}

// loads wants a block to load by itself or beside what it speaks of.
func loads(t *testing.T, document string, b block) {
	t.Helper()
	text := b.text
	if !strings.HasPrefix(text, "version:") {
		text = "version: 1\n" + text
	}
	with := strings.Replace(text, "version: 1\n", "version: 1\ninclude: [beside.yaml]\n", 1)
	var reasons []error
	for _, try := range []struct{ text, beside string }{{text, ""}, {with, besideCredentials}, {with, besideCredentials + besideCallers}} {
		_, _, err := config.Load(config.LoadOptions{Path: document, Data: []byte(try.text), Offline: true, Files: besideFile(try.beside)})
		if err == nil {
			return
		}
		reasons = append(reasons, err)
	}
	t.Errorf("%s:%d: %v", document, b.line, errors.Join(reasons...))
}

// besideFile is a file system with beside.yaml alone.
type besideFile string

// Glob implements config.Files.
func (besideFile) Glob(pattern string) ([]string, error) { return []string{pattern}, nil }

// ReadFile implements config.Files.
func (b besideFile) ReadFile(name string, _ int64) ([]byte, error) {
	if !strings.HasSuffix(name, "beside.yaml") {
		return nil, fs.ErrNotExist
	}
	return []byte(b), nil
}
