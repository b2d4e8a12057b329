package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"iqgateway/auth"
	"iqgateway/config"
	"iqgateway/observability"
)

func writeSecret(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A leaked admin token ends when its file holds another one, also without a
// reload; a reload tells that it has changed, not by what.
func TestAdminTokensFollowTheirFiles(t *testing.T) {
	t.Parallel()
	const another = "another-token-0123456789abcdef"
	file := filepath.Join(t.TempDir(), "token")
	writeSecret(t, file, adminToken)
	r := newRig(t, rigOptions{flags: []string{"--set", "admin.token=${file:" + file + "}"}})
	writeSecret(t, file, another)
	if done := r.reload(t); !slices.Equal(done.Changed, []string{"admin.token"}) || len(done.NeedsRestart) > 0 {
		t.Errorf("%+v", done)
	}
	await(t, "the old token ends", func() bool {
		return r.order(t, pathConfigReload, "{}").StatusCode == http.StatusUnauthorized
	})
	r.ask(t, http.MethodPost, pathConfigReload, "{}", func(h http.Header) { h.Set("Authorization", "Bearer "+another) }).want(t, http.StatusOK)
	r.awaitAudit(t, "the rotation", func(a observability.AuditRecord) bool {
		return a.Event == observability.AuditRotation && a.Result == observability.AuditChanged && a.What == "tokens of the admin API"
	})
	writeSecret(t, file, "")
	r.awaitAudit(t, "an empty file", func(a observability.AuditRecord) bool {
		return a.Event == observability.AuditRotation && a.Result == observability.AuditFailed && a.What == "tokens of the admin API"
	})
	if ready := r.get(t, "http://"+r.Admin+"/readyz?verbose").want(t, http.StatusOK); !bytes.Contains([]byte(ready.text), []byte("[!] secrets degraded: tokens of the admin API")) {
		t.Errorf("readiness: %s", ready.text)
	}
}

// A reload takes what the file of the signing key holds then.
func TestReloadTakesTheSigningKeyOfAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "key")
	writeSecret(t, file, newKey())
	r := newRig(t, rigOptions{extra: "auth: {token_endpoint: {enabled: true, signing_key: \"${file:" + file + "}\"}}\n", flags: adminTokenFlags()})
	ask := func() string {
		return r.do(t, http.MethodPost, "/v1/oauth2/token", clientForm("password", "storefront", r.key), asClient).want(t, http.StatusOK).tokens(t).Access
	}
	old := ask()
	r.do(t, http.MethodGet, customers, "", bearing(old)).want(t, http.StatusOK)
	writeSecret(t, file, newKey())
	if done := r.reload(t); !slices.Equal(done.Changed, []string{"auth.token_endpoint.signing_key"}) || len(done.NeedsRestart) > 0 {
		t.Errorf("%+v", done)
	}
	r.do(t, http.MethodGet, customers, "", bearing(old)).want(t, http.StatusUnauthorized)
	r.do(t, http.MethodGet, customers, "", bearing(ask())).want(t, http.StatusOK)
}

// Of the secrets of the process only the key of names is not followed.
func TestSecretsThatNeedARestart(t *testing.T) {
	dir := t.TempDir()
	load := func() *config.Config {
		t.Helper()
		text := `version: 1
admin: {token: "${file:` + dir + `/token}"}
redis:
  addresses: ["127.0.0.1:1"]
  password: ${file:` + dir + `/password}
  sentinel_password: ${file:` + dir + `/password}
  encryption_keys: ["${file:` + dir + `/key}"]
  name_key: ${file:` + dir + `/names}
`
		cfg, _, err := config.Load(config.LoadOptions{Path: "gateway.yaml", Data: []byte(text)})
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	write := func() {
		for _, name := range []string{"token", "password", "key", "names"} {
			writeSecret(t, filepath.Join(dir, name), newKey())
		}
	}
	write()
	first := load()
	if got := changed(load(), first); len(got) > 0 {
		t.Errorf("nothing has changed: %q", got)
	}
	write()
	next := load()
	if got := fixedAmong(next, first); !slices.Equal(got, []string{"redis.name_key"}) {
		t.Errorf("needs a restart: %q", got)
	}
	want := []string{"admin.token", "redis.encryption_keys", "redis.name_key", "redis.password", "redis.sentinel_password"}
	if got := changed(next, first); !slices.Equal(got, want) {
		t.Errorf("changed: %q, want %q", got, want)
	}
}

// What files and issuers have changed, or fail to, is in the audit log.
func TestRotationsAreAudited(t *testing.T) {
	cfg, _, err := config.Load(config.LoadOptions{Path: "gateway.yaml", Data: []byte("version: 1\n")})
	if err != nil {
		t.Fatal(err)
	}
	s, err := newStores(cfg, slog.New(slog.DiscardHandler), "r1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.close(context.WithoutCancel(t.Context())) })
	var out bytes.Buffer
	if err := s.openAudit(cfg, streams{stdout: &out}, "r1"); err != nil {
		t.Fatal(err)
	}
	dir, files := trustDir(t)
	_, release, err := s.trust.use("sim", files)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	follow := func() {
		for _, h := range s.trust.all() {
			h.follow()
		}
	}
	follow() // nothing new
	copyFile(t, dir, "two.crt", "tls.crt")
	follow() // without its key
	for _, suffix := range []string{"ca", "key"} {
		copyFile(t, dir, "two."+suffix, "tls."+suffix)
	}
	follow()
	const issuer = "https://issuer.example.com"
	s.keySetFetched(auth.KeySetFetch{Issuer: issuer, Keys: 2})
	s.keySetFetched(auth.KeySetFetch{Issuer: issuer, Keys: 3, Changed: true})
	s.keySetFetched(auth.KeySetFetch{Issuer: issuer, Err: errors.New("connection refused")})

	ended, end := context.WithCancel(t.Context())
	end()
	s.audit.Run(ended) // writes what there is
	var got []string
	for _, a := range audited(t, out.String()) {
		got = append(got, fmt.Sprint(a.Event, " ", a.What, " ", a.Result, " ", a.Details["error"] != ""))
	}
	want := []string{
		"rotation upstream_tls of environment sim failed true", "rotation upstream_tls of environment sim changed false",
		"rotation keys of JWT issuer " + issuer + " changed false", "rotation keys of JWT issuer " + issuer + " failed true",
	}
	if !slices.Equal(got, want) {
		t.Errorf("audited:\n%q, want\n%q", got, want)
	}
}

// An issuer that a reload brings is watched as one of the start.
func TestReadinessOfAReloadedIssuer(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{flags: adminTokenFlags()})
	r.rewrite(t, "callers:", "auth: {jwt: [{issuer: 'https://127.0.0.1:1', audience: gw, jwks_url: 'https://127.0.0.1:1/jwks'}]}\ncallers:")
	r.reload(t)
	if ready := r.get(t, "http://"+r.Admin+"/readyz?verbose").want(t, http.StatusOK).text; !bytes.Contains([]byte(ready), []byte("[!] jwt_issuers degraded")) {
		t.Errorf("readiness: %s", ready)
	}
}

// What a reload leaves as it was is shown as it is.
func TestReloadShowsTheCacheInForce(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{extra: "cache: {memory: 8MiB}\n", flags: adminTokenFlags()})
	r.rewrite(t, "memory: 8MiB", "memory: 9MiB")
	if done := r.reload(t); !slices.Equal(done.NeedsRestart, []string{"cache.memory"}) {
		t.Errorf("%+v", done)
	}
	r.wantMetrics(t, "iqgw_cache_limit_bytes 8.388608e+06")
	r.operate(t, "of 8MiB", "cache", "stats")
}

// A SIGHUP that comes while a gateway starts does not end it.
func TestHangupsAreCaughtBeforeTheStart(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "gateway.yaml")
	writeSecret(t, file, "version: 1\nserver: {address: \""+taken.Addr().String()+"\", tls: {mode: none}}\nadmin: {address: \"127.0.0.1:0\"}\n")
	var told []string
	p := program{stdout: &lockedBuffer{}, stderr: &lockedBuffer{}, hangups: func() (<-chan os.Signal, func()) {
		told = append(told, "caught")
		return nil, func() { told = append(told, "left") }
	}}
	if code := p.run(t.Context(), []string{"run", "-c", file}); code != exitFailure || !slices.Equal(told, []string{"caught", "left"}) {
		t.Errorf("ended with %d, hangups %q", code, told)
	}
}
