package main

import (
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the files that tests compare with")

// wantDocument compares a document that is made of the code with the one in the
// tree.
func wantDocument(t *testing.T, file, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the code says: make docs, and read the difference", file)
	}
}

// Every endpoint declares what it takes and answers, and docs/openapi.json says
// so.
func TestDocsOpenAPI(t *testing.T) {
	t.Parallel()
	document := wantCommand(t, nil, exitOK, nil, "admin", "openapi")
	wantDocument(t, filepath.Join("..", "..", "docs", "openapi.json"), document)
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
