package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Somebody whose gateway forgets refusals is told, by validate as by run.
func TestForgottenRefusalsAreWarnedOf(t *testing.T) {
	t.Parallel()
	const keys = "redis: {addresses: [\"127.0.0.1:1\"], encryption_keys: [\"${env:KEY}\"], name_key: \"${env:KEY}\"}\n"
	tests := map[string]struct {
		config string
		warns  bool
	}{
		"nothing":       {explainConfig, true},
		"Redis, bare":   {explainConfig + "redis: {addresses: [\"127.0.0.1:1\"]}\n", true},
		"Redis":         {explainConfig + keys, false},
		"data_dir":      {explainConfig + "data_dir: data\n", false},
		"no credential": {"version: 1\n", false},
	}
	for name, tt := range tests {
		file := filepath.Join(t.TempDir(), "gateway.yaml")
		if err := os.WriteFile(file, []byte(tt.config), 0o600); err != nil {
			t.Fatal(err)
		}
		code, _, stderr := command(t, []string{"S=s", "P=p", "KEY=" + newKey()}, "validate", "-c", file, "--set", "server.tls.mode=none", "--set", "server.address=127.0.0.1:0")
		if warned := strings.Contains(stderr, "warning: data_dir: is not set"); code != exitOK || warned != tt.warns {
			t.Errorf("%s: exit %d, warned %t: %s", name, code, warned, stderr)
		}
	}
}
