package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"iqgateway/config"
	"iqgateway/internal/redisconn"
	"iqgateway/internal/secret"
)

// mount is a folder of secrets as Kubernetes mounts it: each file is a link
// through ..data, which moves to another folder in one step.
type mount struct {
	t   *testing.T
	dir string
	now string // folder that ..data leads to
}

func newMount(t *testing.T, files map[string]string) *mount {
	t.Helper()
	m := &mount{t: t, dir: t.TempDir()}
	m.swap(files)
	for name := range files {
		m.must(os.Symlink(filepath.Join("..data", name), filepath.Join(m.dir, name)))
	}
	return m
}

func (m *mount) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *mount) swap(files map[string]string) {
	m.t.Helper()
	next, err := os.MkdirTemp(m.dir, "..version-")
	m.must(err)
	for name, text := range files {
		m.must(os.WriteFile(filepath.Join(next, name), []byte(text), 0o600))
	}
	link := filepath.Join(m.dir, "..data_tmp")
	m.must(os.Symlink(filepath.Base(next), link))
	m.must(os.Rename(link, filepath.Join(m.dir, "..data")))
	if m.now != "" {
		m.must(os.RemoveAll(m.now))
	}
	m.now = next
}

func (m *mount) secret(name string) config.Secret {
	return config.Secret{Reference: "${file:" + filepath.Join(m.dir, name) + "}"}
}

func TestKeysFollowAMount(t *testing.T) {
	first, second, third := newKey(), newKey(), newKey()
	m := newMount(t, map[string]string{"current": first + "\n", "before": first})
	keys := []config.Key{{Secret: m.secret("current")}, {Secret: m.secret("before")}}
	for i := range keys {
		var err error
		keys[i], err = keys[i].Reread(nil)
		m.must(err)
	}
	ring, err := redisconn.NewKeyring(keyTexts(keys))
	m.must(err)
	conn, err := redisconn.New(redisconn.Options{Addresses: []string{"127.0.0.1:1"}, Keys: ring})
	m.must(err)
	var log bytes.Buffer
	r := keyRotation(keys, ring, slog.New(slog.NewTextHandler(&log, nil)))
	s := &stores{rotations: []*rotation{r}}

	values := map[string]string{} // by the key that sealed them
	seal := func(key string) {
		t.Helper()
		values[key], err = conn.Seal("token", "n", 1, []byte("plain"))
		m.must(err)
	}
	opens := func(want ...string) {
		t.Helper()
		for name, key := range map[string]string{"first": first, "second": second, "third": third} {
			sealed, made := values[key]
			if !made {
				continue
			}
			_, err := conn.Open("token", "n", 1, sealed)
			if wanted := strings.Contains(strings.Join(want, " "), name); wanted != (err == nil) {
				t.Errorf("the value sealed with the %s key: %v", name, err)
			}
		}
	}
	seal(first)

	steps := []struct {
		name    string
		files   map[string]string
		trouble string // "" = the files are used
		sealing string // key that seals afterwards
		opens   []string
	}{
		{"nothing new", map[string]string{"current": first, "before": first}, "", first, []string{"first"}},
		{"prepended, with line ends and a mark", map[string]string{"current": "\ufeff" + second + "\r\n", "before": first + "\n"}, "", second, []string{"first", "second"}},
		{"half written", map[string]string{"current": third[:20], "before": second}, "a key has 32", second, []string{"first", "second"}},
		{"empty", map[string]string{"current": third, "before": ""}, "which is empty", second, []string{"first", "second"}},
		{"missing", map[string]string{"current": third}, "cannot be read", second, []string{"first", "second"}},
		{"two lines", map[string]string{"current": third + "\n" + second, "before": second}, "several lines", second, []string{"first", "second"}},
		{"the first step of a rotation by hand", map[string]string{"current": second, "before": second}, "", second, []string{"second"}},
		{"the second step", map[string]string{"current": third, "before": second}, "", third, []string{"second", "third"}},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			m.swap(step.files)
			log.Reset()
			r.follow()
			r.follow() // the same problem again is not logged again
			wantTrouble(t, step.trouble, fmt.Sprint(s.secretTrouble()), log.String(), m.dir, first, second, third)
			seal(step.sealing)
			opens(step.opens...)
			wantSealedWith(t, step.sealing, values[step.sealing])
		})
	}
}

// wantTrouble wants readiness and the log to tell of the trouble once, with the
// folder of the file, or of none for "", and never a key.
func wantTrouble(t *testing.T, want, readiness, log, dir string, keys ...string) {
	t.Helper()
	if strings.Contains(readiness, "encryption keys") != (want != "") || !strings.Contains(readiness, want) {
		t.Errorf("readiness shows %q, want %q", readiness, want)
	}
	if n := strings.Count(log, "level=ERROR"); n > 1 || (n == 1) != (want != "") {
		t.Errorf("the log has %d errors:\n%s", n, log)
	}
	if want != "" && !strings.Contains(log, dir) {
		t.Errorf("the log names no file:\n%s", log)
	}
	for _, key := range keys {
		if strings.Contains(log+readiness, key[:12]) {
			t.Errorf("a key is shown:\n%s%s", log, readiness)
		}
	}
}

// wantSealedWith wants the value to open with the key alone.
func wantSealedWith(t *testing.T, key, sealed string) {
	t.Helper()
	ring, err := redisconn.NewKeyring([]secret.Text{keyText(keyOf(t, key))})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := redisconn.New(redisconn.Options{Addresses: []string{"127.0.0.1:1"}, Keys: ring})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Open("token", "n", 1, sealed); err != nil {
		t.Errorf("another key seals: %v", err)
	}
}

func keyOf(t *testing.T, text string) config.Key {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := config.Key{Secret: config.Secret{Reference: "${file:" + file + "}"}}.Reread(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// A value sealed with an unknown key has the files read at once.
func TestUnknownKeyHasTheFilesRead(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	read := make(chan struct{}, 1)
	r := &rotation{
		what: "x", log: slog.New(slog.DiscardHandler), now: make(chan struct{}, 1),
		read: func() ([]secret.Text, error) { read <- struct{}{}; return nil, nil },
	}
	done := make(chan struct{})
	go func() { defer close(done); r.run(ctx) }()
	(&stores{keys: r, log: r.log}).valueRejected(storeName, "token", redisconn.UnknownKey)
	<-read
	cancel()
	<-done
}
