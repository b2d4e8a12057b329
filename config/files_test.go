package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOSFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	exact, long := write("exact", "12345"), write("long", "123456")
	link := filepath.Join(dir, "link") // as Kubernetes mounts secrets
	if err := os.Symlink(exact, link); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ path, want, problem string }{
		{exact, "12345", ""},
		{link, "12345", ""},
		{long, "", "it is larger than 5B"},
		{dir, "", "it is no regular file"},
		{filepath.Join(dir, "gone"), "", "no such file"},
	}
	for _, tt := range tests {
		got, err := OSFiles{}.ReadFile(tt.path, 5)
		if tt.problem == "" && (err != nil || string(got) != tt.want) {
			t.Errorf("%s: %q, %v", tt.path, got, err)
		}
		if tt.problem != "" && (err == nil || !strings.Contains(err.Error(), tt.problem)) {
			t.Errorf("%s: error %v, want %s", tt.path, err, tt.problem)
		}
	}
	if names, err := (OSFiles{}).Glob(filepath.Join(dir, "l*")); err != nil || len(names) != 2 {
		t.Errorf("Glob gives %v, %v", names, err)
	}
}

// Load from real files: includes beside the main file, a secret with a line
// end, a certificate that is there.
func TestLoadFromDisk(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"main.yaml":    "version: 1\ninclude: ['*.part.yaml']\nserver: {tls: {client_ca_file: " + dir + "/ca.pem}}\n",
		"b.part.yaml":  "admin: {token: \"${file:" + dir + "/token}\"}\n",
		"token":        canary + "\r\n",
		"ca.pem":       "-----BEGIN CERTIFICATE-----\n",
		"ignored.yaml": "not: read\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, _, err := Load(LoadOptions{Path: filepath.Join(dir, "main.yaml")})
	if err != nil {
		t.Fatal(err)
	}
	if c.Admin.Token.Reveal() != canary || len(c.Paths) != 2 {
		t.Errorf("token arrived: %v, paths %v", c.Admin.Token.Reveal() == canary, c.Paths)
	}
	if _, _, err := Load(LoadOptions{Path: filepath.Join(dir, "gone.yaml")}); err == nil || !strings.Contains(err.Error(), "gone.yaml: cannot be read: no such file") {
		t.Errorf("a missing file: %v", err)
	}
}
