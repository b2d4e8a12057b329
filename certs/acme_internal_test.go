package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

// countingStorage is files whose loads are counted, and that may be away.
type countingStorage struct {
	certmagic.FileStorage

	mu    sync.Mutex
	loads map[string]int
	away  error
}

func newStorage(t *testing.T) *countingStorage {
	t.Helper()
	return &countingStorage{FileStorage: certmagic.FileStorage{Path: t.TempDir()}, loads: map[string]int{}}
}

func (s *countingStorage) Load(ctx context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	s.loads[key]++
	away := s.away
	s.mu.Unlock()
	if away != nil {
		return nil, away
	}
	return s.FileStorage.Load(ctx, key)
}

func (s *countingStorage) total() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, loads := range s.loads {
		n += loads
	}
	return n
}

// nobody is a CA that nobody listens for.
const nobody = "https://127.0.0.1:1/directory"

func newTestACME(t *testing.T, o ACMEOptions) *ACME {
	t.Helper()
	o.CA, o.Log = nobody, slog.New(slog.DiscardHandler)
	a, err := NewACME(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// begin has the ACME run until the test ends.
func begin(t *testing.T, a *ACME) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		a.Run(ctx)
	}()
	t.Cleanup(func() { stop(); <-ended })
	<-a.ready
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		}
	}
}

// stored puts a certificate where the library looks for that of a domain.
func stored(t *testing.T, s certmagic.Storage, domain string, cert, key []byte) {
	t.Helper()
	issuer := (&certmagic.ACMEIssuer{CA: nobody}).IssuerKey()
	for name, value := range map[string][]byte{
		certmagic.StorageKeys.SiteCert(issuer, domain):       cert,
		certmagic.StorageKeys.SitePrivateKey(issuer, domain): key,
		certmagic.StorageKeys.SiteMeta(issuer, domain):       []byte(`{"sans":["` + domain + `"]}`),
	} {
		if err := s.Store(t.Context(), name, value); err != nil {
			t.Fatal(err)
		}
	}
}

// A stored certificate is served without the CA, once the storage is there; to
// clients that name nothing or something else, too.
func TestACMEServesWhatIsStored(t *testing.T) {
	storage := newStorage(t)
	cert, key := somePEM(t, "gw.test")
	stored(t, storage, "gw.test", cert, key)
	storage.away = errors.New("away")
	var events []Event
	var mu sync.Mutex
	a := newTestACME(t, ACMEOptions{Domains: []string{"GW.test"}, Storage: storage, Hooks: Hooks{Changed: func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, e)
	}}})
	if _, err := a.Certificate(&tls.ClientHelloInfo{ServerName: "gw.test"}); !errors.Is(err, ErrNone) || Present(a.Certificates()) {
		t.Errorf("before it runs: %v", err)
	}
	begin(t, a)
	eventually(t, "the outage is told", func() bool { return Trouble(a.Certificates(), time.Now()) != nil && a.Certificates()[0].Err != nil })
	storage.mu.Lock()
	storage.away = nil
	storage.mu.Unlock()
	eventually(t, "it is served", func() bool { return Present(a.Certificates()) && Trouble(a.Certificates(), time.Now()) == nil })
	for _, name := range []string{"gw.test", "GW.TEST", "other.test", ""} {
		if c, err := a.Certificate(&tls.ClientHelloInfo{ServerName: name}); err != nil || c.Leaf.DNSNames[0] != "gw.test" {
			t.Errorf("%q: %v", name, err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(events) != 2 || events[0].Outcome != Failed || events[1].Outcome != Loaded {
		t.Errorf("told %+v, want one failure and the certificate", events)
	}
}

// Strangers may ask for challenges as often as they like: those of other names
// cost nothing, those of ours a look now and then.
func TestChallengesOfStrangers(t *testing.T) {
	storage := newStorage(t)
	cert, key := somePEM(t, "gw.test")
	stored(t, storage, "gw.test", cert, key)
	a := newTestACME(t, ACMEOptions{Domains: []string{"gw.test"}, Storage: storage, HTTP: true})
	begin(t, a)
	eventually(t, "it is served", func() bool { return Present(a.Certificates()) })
	before := storage.total()
	for range 1000 {
		hello := &tls.ClientHelloInfo{ServerName: "other.test", SupportedProtos: []string{ALPNChallenge}}
		if _, err := a.Certificate(hello); err == nil {
			t.Fatal("a challenge of another name was answered")
		}
		if got := challenge(t, a, "other.test"); got.Code != http.StatusNotFound {
			t.Fatalf("%d for another name", got.Code)
		}
	}
	if n := storage.total() - before; n != 0 {
		t.Errorf("%d looks into the storage for other names", n)
	}
	began := time.Now()
	var strangers sync.WaitGroup
	for range 50 {
		strangers.Go(func() {
			for range 20 {
				if got := challenge(t, a, "gw.test:80"); got.Code != http.StatusNotFound {
					t.Errorf("%d", got.Code)
				}
			}
		})
	}
	strangers.Wait()
	most := int(time.Since(began)/challengeEvery) + 2
	if n := storage.total() - before; n == 0 || n > most {
		t.Errorf("%d looks into the storage, want 1 to %d", n, most)
	}
}

func challenge(t *testing.T, a *ACME, host string) *httptest.ResponseRecorder {
	t.Helper()
	return challengeWith(t.Context(), a, host)
}

func challengeWith(ctx context.Context, a *ACME, host string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://gw.test"+challengePath+"token", http.NoBody)
	r.Host = host
	a.Challenges().ServeHTTP(w, r)
	return w
}

// The port of challenges does nothing else, whoever asks.
func TestChallengePortRefusesEverythingElse(t *testing.T) {
	a := newTestACME(t, ACMEOptions{Domains: []string{"gw.test"}, Dir: t.TempDir(), HTTP: true})
	for _, tt := range []struct {
		method, target string
		status         int
	}{
		{http.MethodGet, "/", http.StatusForbidden},
		{http.MethodPost, challengePath + "x", http.StatusForbidden},
		{http.MethodGet, "/crm/v1/Companies(1)", http.StatusForbidden},
		{http.MethodGet, challengePath + "x", http.StatusNotFound},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), tt.method, "http://gw.test"+tt.target, http.NoBody)
		r.Header.Set("X-Api-Key", "canary-key")
		a.Challenges().ServeHTTP(w, r)
		if w.Code != tt.status || w.Header().Get("Location") != "" || strings.Contains(w.Body.String(), "canary") || w.Header().Get("Connection") != "close" {
			t.Errorf("%s %s: %d %v %s", tt.method, tt.target, w.Code, w.Header(), w.Body)
		}
	}
}

func TestACMENeedsAPlaceAndADomain(t *testing.T) {
	for want, o := range map[string]ACMEOptions{"no domain": {Dir: "x"}, "nowhere": {Domains: []string{"gw.test"}}} {
		if _, err := NewACME(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// The library's log is ours, at levels of ours, without what it attaches
// unasked.
func TestZapLog(t *testing.T) {
	var out bytes.Buffer
	log := newZap(slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo})))
	log.Info("chatter")
	log.With(zap.String("identifier", "gw.test"), zap.String("key", "canary")).Named("obtain").Error("could not",
		zap.Error(errors.New(strings.Repeat("x", 5000))), zap.Any("storage", "canary"), zap.String("uri", "/canary"), zap.Duration("remaining", time.Hour))
	text := out.String()
	for _, want := range []string{`"level":"WARN"`, `"msg":"acme: could not"`, `"identifier":"gw.test"`, `"part":"obtain"`, `"error":"xxx`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if strings.Contains(text, "canary") || strings.Contains(text, "chatter") || len(text) > 2000 {
		t.Errorf("too much: %s", text)
	}
}
