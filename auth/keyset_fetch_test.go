package auth

import (
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/exchange"
)

// What an issuer answers when it has no keys to give: none of it is taken for
// keys, and none of it is followed.
func TestKeySetFetchRefuses(t *testing.T) {
	elsewhere := newTestIssuer(t, "https://elsewhere.example")
	elsewhere.publish(rsaKey(t, "evil"))
	write := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"another status": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, "403"},
		"no content":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, "204"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.server.URL, http.StatusFound)
		}, "302"},
		"no JSON":          {write("<html>"), "no JWK set"},
		"too much":         {write(`{"keys":[` + strings.Repeat(" ", maxKeySet) + `]}`), "more than"},
		"a broken body":    {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		"a body cut short": {cutShort, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			issuer := newTestIssuer(t, cluster)
			issuer.server.Config.ErrorLog = log.New(io.Discard, "", 0)
			issuer.answers(c.answer)
			text, _, err := fetcher(issuer.source())(t.Context())
			if err == nil {
				_, err = parseKeySet(text, nil, time.Now())
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	if asked := elsewhere.asked.Load(); asked != 0 {
		t.Errorf("a redirect was followed %d times", asked)
	}
}

func cutShort(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	_, _ = io.WriteString(w, `{"keys":[`)
}

// The issuer's own roots count, and no others; its token file is read each time.
func TestKeySetFetchTrust(t *testing.T) {
	issuer, key := newTestIssuer(t, cluster), rsaKey(t, "one")
	issuer.publish(key)
	other := filepath.Join(t.TempDir(), "other.crt")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: newAuthority(t, "other").cert.Raw})
	if err := os.WriteFile(other, text, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1") // of the environment, not of the configuration
	fetch := func(edit func(*KeySource)) error {
		source := issuer.source()
		edit(&source)
		_, _, err := fetcher(source)(t.Context())
		return err
	}
	if err := fetch(func(*KeySource) {}); err != nil {
		t.Error(err)
	}
	if err := fetch(func(s *KeySource) { s.RootsFile = other }); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("with another root: %v", err)
	}
	if err := fetch(func(s *KeySource) { s.RootsFile = "" }); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("with the system's roots: %v", err)
	}
	issuer.token.Store("sa-token")
	file := filepath.Join(t.TempDir(), "token")
	withToken := func(s *KeySource) { s.TokenFile = file }
	if err := fetch(withToken); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without its file: %v", err)
	}
	for token, good := range map[string]bool{"sa-token\n": true, "old": false} {
		if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := fetch(withToken); (err == nil) != good {
			t.Errorf("with token %q: %v", token, err)
		}
	}
}

// A file that is missing, cut, or holds no certificate is no reason to trust
// everybody: the configuration is refused.
func TestKeySetsRefuseBadFiles(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.crt")
	if err := os.WriteFile(empty, []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(t.TempDir(), "half.crt")
	if err := os.WriteFile(half, []byte("-----BEGIN CERTIFICATE-----\nMIIB"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		empty: "no PEM certificate", half: "certificates begin in it", filepath.Join(t.TempDir(), "none"): "no such file",
	} {
		sets := NewKeySets(KeySetHooks{})
		_, err := sets.Use([]Issuer{{Name: cluster, Keys: KeySource{URL: "https://127.0.0.1:1", RootsFile: file}}})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), cluster) {
			t.Errorf("%s: %v", file, err)
		}
		if len(sets.Status()) != 0 {
			t.Error("a refused configuration left a key set")
		}
	}
}

func TestMaxAge(t *testing.T) {
	for field, want := range map[string]time.Duration{
		"":                              0,
		"public, max-age=3600":          time.Hour,
		"MAX-AGE=60,must-revalidate":    time.Minute,
		`max-age="30"`:                  30 * time.Second,
		"max-age=-1":                    0,
		"max-age=99999999999999999":     0,
		"s-maxage=5, max-age=10, x=y=z": 10 * time.Second,
		"max-age":                       0,
	} {
		if got := maxAge(http.Header{"Cache-Control": {field}}); got != want {
			t.Errorf("%q: %s, want %s", field, got, want)
		}
	}
}

// Keys rotate while tokens come: those of the new key are good as soon as it was
// fetched, those of a key that is gone end with it, remembered or not.
func TestJWTKeysRotate(t *testing.T) {
	issuer, old, renewed := newTestIssuer(t, cluster), rsaKey(t, "old"), rsaKey(t, "new")
	issuer.publish(old)
	v := newVerifier(t, 1, issuer)
	byOld, byNew := old.sign(t, cluster), renewed.sign(t, cluster)
	if reason := v.judge(t, byOld, time.Now()); reason != "" {
		t.Fatalf("%q", reason)
	}
	issuer.publish(old, renewed)
	if reason := v.judge(t, byNew, time.Now()); reason != ReasonUnknown { // refused at once, and the keys fetched
		t.Errorf("a key that nobody knows yet: %q", reason)
	}
	awaitAuth(t, "the new key counts", func() bool { return v.judge(t, byNew, time.Now()) == "" })
	if reason := v.judge(t, byOld, time.Now()); reason != "" {
		t.Errorf("the old key, which is still there: %q", reason)
	}
	issuer.publish(renewed)
	later := time.Now().Add(keySetAskEvery)
	_ = v.judge(t, rsaKey(t, "three").sign(t, cluster), later)
	awaitAuth(t, "the old key ends", func() bool { return v.judge(t, byOld, later) == ReasonUnknown })
	if reason := v.judge(t, byNew, later); reason != "" {
		t.Errorf("the new key: %q", reason)
	}
	if asked := issuer.asked.Load(); asked != 3 {
		t.Errorf("the issuer was asked %d times, want 3", asked)
	}
}

// An issuer that goes away takes nothing along; one that was never there makes
// its tokens neither good nor bad.
func TestJWTIssuerDown(t *testing.T) {
	issuer, key := newTestIssuer(t, cluster), rsaKey(t, "one")
	issuer.publish(key)
	v := newVerifier(t, 1, issuer)
	issuer.server.Close()
	if reason := v.judge(t, key.sign(t, cluster), time.Now()); reason != "" {
		t.Errorf("with the keys of before: %q", reason)
	}
	if reason := v.judge(t, key.sign(t, cluster), time.Now().Add(keySetWorth+time.Minute)); reason != ReasonExpired {
		t.Errorf("a day later: %q", reason)
	}
	longLived := key.sign(t, cluster, set("exp", time.Now().Add(48*time.Hour).Unix()))
	if reason := v.judge(t, longLived, time.Now()); reason != "" {
		t.Errorf("%q", reason)
	}
	if reason := v.judge(t, longLived, time.Now().Add(keySetWorth+time.Minute)); reason != ReasonUnavailable {
		t.Errorf("with keys of more than a day ago: %q", reason)
	}

	never := newTestIssuer(t, cluster)
	never.server.Close()
	w := newVerifier(t, 1, never)
	if reason := w.judge(t, key.sign(t, cluster), time.Now()); reason != ReasonUnavailable {
		t.Errorf("without keys: %q", reason)
	}
	if reason := w.judge(t, key.sign(t, cluster, set("aud", "x")), time.Now()); reason != ReasonUnknown {
		t.Errorf("a bad token without keys: %q", reason)
	}
}

// Through the stage: 503 where nobody can tell, 401 where it is known.
func TestAuthenticateUnavailable(t *testing.T) {
	never, key := newTestIssuer(t, cluster), rsaKey(t, "one")
	never.server.Close()
	v := newVerifier(t, 1, never)
	token := key.sign(t, cluster)
	for name, c := range map[string]struct {
		header http.Header
		status int
	}{
		"the token alone":        {http.Header{"Authorization": {"Bearer " + token}}, http.StatusServiceUnavailable},
		"the token, a good key":  {http.Header{"Authorization": {"Bearer " + token}, "X-Api-Key": {"key-a"}}, http.StatusServiceUnavailable},
		"the token, a wrong key": {http.Header{"Authorization": {"Bearer " + token}, "X-Api-Key": {"key-x"}}, http.StatusUnauthorized},
		"a good key":             {http.Header{"X-Api-Key": {"key-a"}}, http.StatusOK},
	} {
		var failed refusals
		stage := Authenticate(AuthenticateOptions{Callers: testCallers(), Issuers: v.used, Refuse: failed.refuse})
		r := httptest.NewRequest(http.MethodGet, "/crm/v1/x", http.NoBody)
		r.Header = c.header
		ex := &exchange.Exchange{}
		_, answer := serve(stage, r, ex)
		if answer.Code != c.status {
			t.Errorf("%s: %d, want %d", name, answer.Code, c.status)
		}
		if c.status == http.StatusServiceUnavailable {
			if p := failed.problems[0]; p.Type != exchange.CallerUnverified || p.RetryAfter <= 0 || p.Header != nil || ex.Refused != "unavailable" {
				t.Errorf("%s: %+v, refused %q", name, p, ex.Refused)
			}
		}
	}
}
