package main

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"iqgateway/config"
	"iqgateway/internal/redisconn"
)

// The key before is the current one at first, and while a rotation is under
// way: neither a start nor a replica that looks in that moment may mind.
func TestKeyFilesMayHoldTheSameKey(t *testing.T) {
	dir := t.TempDir()
	write := func(name, key string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first, second := newKey(), newKey()
	write("current", first)
	write("before", first)
	write("names", newKey())
	cfg, _, err := config.Load(config.LoadOptions{Path: "gateway.yaml", Data: []byte(strings.ReplaceAll(`version: 1
redis:
  addresses: ["127.0.0.1:1"]
  encryption_keys: ["${file:DIR/current}", "${file:DIR/before}"]
  name_key: ${file:DIR/names}
`, "DIR", dir))})
	if err != nil {
		t.Fatal(err)
	}
	conn, ring, err := newRedis(cfg, redisconn.Hooks{})
	if err != nil {
		t.Fatalf("at the start: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	var logged strings.Builder
	r := keyRotation(cfg.Redis.EncryptionKeys, ring, slog.New(slog.NewTextHandler(io.MultiWriter(&logged, t.Output()), nil)))
	r.follow()
	if logged.Len() > 0 {
		t.Errorf("nothing has changed: %s", &logged)
	}
	old, err := conn.Seal("token", "name", 1, []byte("sealed before"))
	if err != nil {
		t.Fatal(err)
	}
	write("current", second)
	r.follow()
	if _, err := conn.Open("token", "name", 1, old); err != nil {
		t.Errorf("a value of the key before: %v", err)
	}
	fresh, err := conn.Seal("token", "name", 1, []byte("sealed after"))
	if err != nil {
		t.Fatal(err)
	}
	write("before", second) // the next rotation begins
	r.follow()
	if _, err := conn.Open("token", "name", 1, fresh); err != nil {
		t.Errorf("a value of the current key: %v", err)
	}
	if _, err := conn.Open("token", "name", 1, old); err == nil {
		t.Error("a key that is in no file any more opens a value")
	}
	if text := logged.String(); strings.Contains(text, "ERROR") || strings.Count(text, "rotated secrets are in use") != 2 {
		t.Error(text)
	}
}
