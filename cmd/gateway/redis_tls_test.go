package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"iqgateway/config"
)

// Authorities of Redis that were only half written are told, not half believed.
func TestRedisAuthoritiesThatCannotWork(t *testing.T) {
	dir := t.TempDir()
	half := filepath.Join(dir, "half.crt")
	if err := os.WriteFile(half, []byte("-----BEGIN CERTIFICATE-----\nMIIB"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		half: "1 certificates begin in it", os.DevNull: "no PEM certificate", filepath.Join(dir, "none"): "no such file",
	} {
		_, err := redisTLS(config.RedisTLS{Enabled: true, CAFile: config.File(file)})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "ca_file: ") || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v, want %q", file, err, want)
		}
	}
}
