package main

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// A gateway follows its files: what they hold serves soon, what is invalid does
// not, and says so until it is mended.
func TestReloadByFiles(t *testing.T) {
	r := newRig(t, rigOptions{watch: true})
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	text, err := os.ReadFile(r.file)
	if err != nil {
		t.Fatal(err)
	}
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(r.file+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(r.file+".new", r.file); err != nil {
			t.Fatal(err)
		}
	}
	status := func() int { return r.do(t, http.MethodGet, customers, "").StatusCode }
	ready := func() string { return r.get(t, "http://"+r.Admin+"/readyz?verbose").text }

	put(strings.Replace(string(text), `{"*": write}`, `{catalogs: read}`, 1))
	await(t, "the caller may not any more", func() bool { return status() == http.StatusForbidden })

	put(strings.Replace(string(text), "callers:", "callrs:", 1))
	await(t, "the mistake is told", func() bool { return strings.Contains(ready(), "[!] reload") && strings.Contains(ready(), "callrs") })
	if got := status(); got != http.StatusForbidden {
		t.Errorf("%d: the last configuration does not serve", got)
	}
	if metrics := r.get(t, "http://"+r.Admin+"/metrics").text; !strings.Contains(metrics, "\niqgw_config_last_reload_successful 0\n") {
		t.Error("the metric does not tell")
	}

	put(string(text))
	await(t, "it is mended", func() bool { return status() == http.StatusOK && strings.Contains(ready(), "[+] reload") })

	key := r.file + ".key"
	put(string(text) + "\nauth: {token_endpoint: {enabled: true, signing_key: \"${file:" + key + "}\"}}\n")
	await(t, "a secret is missing", func() bool {
		return strings.Contains(ready(), "[!] reload") && strings.Contains(ready(), "signing_key")
	})
	writeSecret(t, key, newKey())
	await(t, "it has come", func() bool { return strings.Contains(ready(), "[+] reload") })
}

func TestReloadByFilesCanBeLeftOut(t *testing.T) {
	r := newRig(t, rigOptions{})
	text, err := os.ReadFile(r.file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.file, []byte(strings.Replace(string(text), `{"*": write}`, `{catalogs: read}`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	pass(t, time.Second) // far longer than files must be quiet
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
}
