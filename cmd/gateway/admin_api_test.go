package main

import (
	"net/http"
	"path/filepath"
	"testing"

	"iqgateway/internal/goldentest"
)

// Every endpoint declares what it takes and answers, and docs/openapi.json says
// so.
func TestDocsOpenAPI(t *testing.T) {
	t.Parallel()
	document := wantCommand(t, nil, exitOK, nil, "admin", "openapi")
	goldentest.Compare(t, filepath.Join("..", "..", "docs", "openapi.json"), document)
}

// A running gateway serves the document of exactly its endpoints.
func TestOpenAPIIsServed(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{flags: adminTokenFlags()})
	answer := r.ask(t, http.MethodGet, "/api/v1/openapi.json", "", func(http.Header) {})
	if printed := wantCommand(t, nil, exitOK, nil, "admin", "openapi"); answer.StatusCode != http.StatusOK || answer.text != printed {
		t.Errorf("%d: a running gateway describes another API than `gateway admin openapi`", answer.StatusCode)
	}
}
