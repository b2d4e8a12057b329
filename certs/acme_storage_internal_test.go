package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"
)

const tokenKey = "acme/ca/challenge_tokens/gw.test.json"

// slowStorage takes a while for each load, and gives up with whoever asks.
type slowStorage struct {
	certmagic.Storage

	takes time.Duration
	mu    sync.Mutex
	began []time.Time
	value []byte // of every key; nil = absent
}

func (s *slowStorage) Load(ctx context.Context, _ string) ([]byte, error) {
	s.mu.Lock()
	s.began = append(s.began, time.Now())
	value := s.value
	s.mu.Unlock()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(s.takes):
	}
	if value == nil {
		return nil, fs.ErrNotExist
	}
	return value, nil
}

// A stranger who hangs up takes nobody else's answer along.
func TestChallengeOutlivesWhoAskedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storage := &slowStorage{takes: time.Millisecond, value: []byte("real")}
		s := &acmeStorage{Storage: storage}
		gone, hangUp := context.WithCancel(t.Context())
		var stranger, ca error
		var got []byte
		var both sync.WaitGroup
		both.Go(func() { _, stranger = s.Load(gone, tokenKey) })
		both.Go(func() { got, ca = s.Load(t.Context(), tokenKey) })
		hangUp()
		both.Wait()
		if !errors.Is(stranger, context.Canceled) || ca != nil || string(got) != "real" {
			t.Errorf("the stranger got %v, the CA %q, %v", stranger, got, ca)
		}
		if got, err := s.Load(t.Context(), tokenKey); err != nil || string(got) != "real" {
			t.Errorf("afterwards: %q, %v", got, err)
		}
	})
}

// What is stored before the CA asks is found, whoever asked when before: a look
// that has begun answers nobody who comes later.
func TestChallengeIsFoundAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storage := &slowStorage{takes: time.Second}
		s := &acmeStorage{Storage: storage}
		var stranger sync.WaitGroup
		stranger.Go(func() {
			if got, err := s.Load(t.Context(), tokenKey); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the stranger got %q, %v", got, err)
			}
		})
		synctest.Wait() // the stranger's look has begun
		storage.mu.Lock()
		storage.value = []byte("real")
		storage.mu.Unlock()
		if got, err := s.Load(t.Context(), tokenKey); err != nil || string(got) != "real" {
			t.Errorf("the CA got %q, %v", got, err)
		}
		stranger.Wait()
	})
}

// However many ask, one look runs at a time, and looks are apart.
func TestChallengeLooksAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storage := &slowStorage{takes: time.Millisecond}
		s := &acmeStorage{Storage: storage}
		var all sync.WaitGroup
		began := time.Now()
		for range 100 {
			all.Go(func() {
				for time.Since(began) < time.Second {
					_, _ = s.Load(t.Context(), tokenKey)
				}
			})
		}
		all.Wait()
		if n := len(storage.began); n < 50 || n > 101 {
			t.Errorf("%d looks in a second", n)
		}
		for i := 1; i < len(storage.began); i++ {
			if apart := storage.began[i].Sub(storage.began[i-1]); apart < challengeEvery {
				t.Errorf("two looks within %v", apart)
			}
		}
	})
}

// A storage that hangs or panics keeps nobody waiting for ever.
func TestChallengeLooksEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &acmeStorage{Storage: &slowStorage{takes: time.Hour}}
		if _, err := s.Load(t.Context(), tokenKey); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a storage that hangs: %v", err)
		}
		var panics atomic.Int64
		s = &acmeStorage{panicked: func(any, []byte) { panics.Add(1) }} // without a storage
		for range 2 {
			if _, err := s.Load(t.Context(), tokenKey); !errors.Is(err, errLook) {
				t.Errorf("a storage that panics: %v", err)
			}
		}
		synctest.Wait()
		if n := panics.Load(); n != 2 {
			t.Errorf("told of %d panics", n)
		}
	})
}

// Strangers who hang up, on either port, keep no CA from its answer; they write
// no log either.
func TestStrangersAtTheChallenge(t *testing.T) {
	storage := newStorage(t)
	var out bytes.Buffer
	var mu sync.Mutex
	a, err := NewACME(ACMEOptions{
		Domains: []string{"gw.test"}, Storage: storage, HTTP: true, CA: nobody,
		Log: slog.New(slog.NewJSONHandler(writer(func(p []byte) (int, error) { mu.Lock(); defer mu.Unlock(); return out.Write(p) }), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	cert, key := somePEM(t, "gw.test")
	stored(t, storage, "gw.test", cert, key)
	begin(t, a)
	eventually(t, "it is served", func() bool { return Present(a.Certificates()) })
	logged := func() string {
		mu.Lock()
		defer mu.Unlock()
		return out.String()
	}
	before := logged()
	alpn := func() error {
		client, server := net.Pipe()
		defer client.Close()
		defer server.Close()
		failed := make(chan error, 1)
		go func() {
			e := NewEndpoint(EndpointOptions{Get: a.Certificate, Protocols: []string{ALPNChallenge}})
			failed <- tls.Server(server, e.Config()).HandshakeContext(t.Context())
		}()
		config := &tls.Config{ServerName: "gw.test", NextProtos: []string{ALPNChallenge}, InsecureSkipVerify: true} //nolint:gosec // a stranger
		_ = tls.Client(client, config).HandshakeContext(t.Context())
		return <-failed
	}
	for range 20 {
		if alpn() == nil {
			t.Fatal("a challenge was answered that there is none of")
		}
	}
	storage.mu.Lock()
	storage.away = errors.New("away")
	storage.mu.Unlock()
	_, _ = challenge(t, a, "gw.test"), alpn()
	storage.mu.Lock()
	storage.away = nil
	storage.mu.Unlock()
	if after := logged(); after != before {
		t.Errorf("strangers wrote into the log: %s", strings.TrimPrefix(after, before))
	}

	text := []byte(`{"type":"http-01","token":"token","keyAuthorization":"token.thumb","identifier":{"type":"dns","value":"gw.test"}}`)
	issuer := (&certmagic.ACMEIssuer{CA: nobody}).IssuerKey()
	if err := storage.Store(t.Context(), "acme/"+certmagic.StorageKeys.Safe(issuer)+"/challenge_tokens/gw.test.json", text); err != nil {
		t.Fatal(err)
	}
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	for range 20 {
		var all sync.WaitGroup
		all.Go(func() { challengeWith(gone, a, "gw.test") })
		all.Go(func() {
			if got := challenge(t, a, "gw.test"); got.Code != http.StatusOK || got.Body.String() != "token.thumb" {
				t.Errorf("the CA got %d %s", got.Code, got.Body)
			}
		})
		all.Wait()
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// Certificates are loaded from their copies while the storage fails, and only
// then: what it has lost, or never had, is absent.
func TestCopiesOfCertificates(t *testing.T) {
	storage, dir := newStorage(t), t.TempDir()
	var out bytes.Buffer
	s := &acmeStorage{Storage: storage, copies: &certmagic.FileStorage{Path: dir}, log: slog.New(slog.NewTextHandler(&out, nil))}
	const stem = "certificates/ca/gw.test/gw.test"
	away := errors.New("away")
	want := func(key, value string, target error) {
		t.Helper()
		if got, err := s.Load(t.Context(), key); string(got) != value || !errors.Is(err, target) {
			t.Errorf("%s: %q, %v; want %q, %v", key, got, err, value, target)
		}
	}
	put := func(in certmagic.Storage, key, value string) {
		t.Helper()
		if err := in.Store(t.Context(), key, []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	put(s, stem+".key", "ours")
	put(storage, stem+".crt", "of another replica")
	put(s, "acme/ca/users/u/u.key", "account")
	want(stem+".crt", "of another replica", nil)
	storage.away = away
	want(stem+".key", "ours", nil)
	want(stem+".crt", "of another replica", nil)
	want(stem+".json", "", away)
	want("acme/ca/users/u/u.key", "", away)
	if info, err := os.Stat(filepath.Join(dir, stem+".key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	storage.away = nil
	put(storage, stem+".crt", "renewed")
	want(stem+".crt", "renewed", nil)
	if err := storage.Delete(t.Context(), stem+".key"); err != nil {
		t.Fatal(err)
	}
	want(stem+".key", "", fs.ErrNotExist)
	if err := s.Delete(t.Context(), stem+".crt"); err != nil {
		t.Fatal(err)
	}
	storage.away = away
	want(stem+".crt", "", away)
	if out.Len() > 0 {
		t.Errorf("logged %s", out.String())
	}
}

// Copies that cannot be written are told of once, and cost no certificate.
func TestCopiesThatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "no folder")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	s := &acmeStorage{Storage: newStorage(t), copies: &certmagic.FileStorage{Path: file}, log: slog.New(slog.NewTextHandler(&out, nil))}
	const key = "certificates/ca/gw.test/gw.test.crt"
	if err := s.Store(t.Context(), key, []byte("value")); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if got, err := s.Load(t.Context(), key); err != nil || string(got) != "value" {
			t.Errorf("%q, %v", got, err)
		}
	}
	if n := strings.Count(out.String(), "level=WARN"); n != 1 || strings.Contains(out.String(), "value") {
		t.Errorf("%d lines: %s", n, out.String())
	}
}

// A replica that starts while the storage is away serves the last certificate,
// and the next one once the storage is back.
func TestACMEStartsFromCopies(t *testing.T) {
	storage, dir := newStorage(t), t.TempDir()
	cert, key := somePEM(t, "gw.test")
	stored(t, storage, "gw.test", cert, key)
	for _, away := range []error{nil, errors.New("away")} {
		storage.mu.Lock()
		storage.away = away
		storage.mu.Unlock()
		t.Run("", func(t *testing.T) {
			a := newTestACME(t, ACMEOptions{Domains: []string{"gw.test"}, Storage: storage, Dir: dir})
			begin(t, a)
			eventually(t, "it is served", func() bool { return Present(a.Certificates()) })
		})
	}
}
