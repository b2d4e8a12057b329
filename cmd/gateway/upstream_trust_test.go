package main

import (
	"crypto/x509"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"iqgateway/config"
)

// An upstream that is not who it says is a failure of the upstream: the breaker
// counts it, no password goes there, and nothing tells a secret.
func TestUpstreamsThatAreNotBelieved(t *testing.T) {
	up := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("it got %s %s", r.Method, r.URL) }))
	up.Config.ErrorLog = log.New(io.Discard, "", 0)
	up.StartTLS()
	t.Cleanup(up.Close)
	g := newRawRig(t, up.URL, map[string]string{"breaker": "{min_requests: 5, open_for: 1h, open_for_max: 1h}", "retry": "{max_attempts: 1}"})
	for range 5 {
		a := g.do(t, http.MethodPost, "/raw/x", "a").want(t, http.StatusBadGateway)
		if v := a.verdict(t); v.Type != "upstream-tls-error" || v.Outcome != "not_executed" || !strings.Contains(a.Header.Get("Proxy-Status"), "tls_certificate_error") {
			t.Errorf("%+v, Proxy-Status %q", v, a.Header.Get("Proxy-Status"))
		}
	}
	if v := g.do(t, http.MethodPost, "/raw/x", "a").want(t, http.StatusServiceUnavailable).verdict(t); v.Type != "breaker-open" {
		t.Errorf("%+v", v)
	}
	for _, text := range []string{rigSecrets.secret, rigSecrets.password, g.key} {
		if strings.Contains(g.logs.String(), text) {
			t.Errorf("the log holds %s", text)
		}
	}
}

// trustDir holds the files of an upstream_tls: two pairs and their authorities.
func trustDir(t *testing.T) (dir string, files config.UpstreamTLS) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range []string{"one", "two"} {
		writeCertificate(t, x509.NewCertPool(), filepath.Join(dir, name), "us")
	}
	for _, suffix := range []string{"ca", "crt", "key"} {
		copyFile(t, dir, "one."+suffix, "tls."+suffix)
	}
	at := func(suffix string) config.File { return config.File(filepath.Join(dir, "tls."+suffix)) }
	return dir, config.UpstreamTLS{CAFile: at("ca"), CertFile: at("crt"), KeyFile: at("key")}
}

func copyFile(t *testing.T, dir, from, to string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, from))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, to), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Files that change are taken over as a whole; until they fit together, and after
// they are gone, what was in use stays, and readiness says so.
func TestUpstreamTrustFollowsItsFiles(t *testing.T) {
	dir, files := trustDir(t)
	var logged strings.Builder
	u := newUpstreamTrust(slog.New(slog.NewTextHandler(&logged, nil)))
	trust, release, err := u.use("sandbox", files)
	if err != nil {
		t.Fatal(err)
	}
	again, releaseAgain, err := u.use("sandbox", files)
	if err != nil || again != trust {
		t.Errorf("a second generation got another trust: %v", err)
	}
	other, releaseOther, err := u.use("production", files)
	if err != nil || other == trust {
		t.Errorf("two environments share a trust: %v", err)
	}
	releaseOther()
	follow := func(want string) {
		t.Helper()
		for _, h := range u.all() {
			h.follow()
		}
		text := ""
		if err := u.trouble(); err != nil {
			text = err.Error()
		}
		if (want == "") != (text == "") || !strings.Contains(text, want) || strings.Contains(text+logged.String(), "PRIVATE") {
			t.Errorf("trouble %q, want %q\n%s", text, want, &logged)
		}
	}
	follow("")
	copyFile(t, dir, "two.crt", "tls.crt") // half of a new pair
	follow("does not match")
	copyFile(t, dir, "two.key", "tls.key")
	follow("")
	if !strings.Contains(logged.String(), "rotated secrets are in use") {
		t.Errorf("nobody was told:\n%s", &logged)
	}
	if err := os.Remove(filepath.Join(dir, "tls.ca")); err != nil {
		t.Fatal(err)
	}
	follow("upstream_tls.ca_file")
	release()
	if len(u.all()) != 1 {
		t.Error("the files are not followed for the generation that is left")
	}
	releaseAgain()
	if len(u.all()) != 0 || u.trouble() != nil {
		t.Error("files that nobody uses are followed")
	}
}

// What cannot work is refused at the start, with its place.
func TestUpstreamTrustThatCannotWork(t *testing.T) {
	dir, good := trustDir(t)
	u := newUpstreamTrust(slog.New(slog.DiscardHandler))
	at := func(name string) config.File { return config.File(filepath.Join(dir, name)) }
	if err := os.WriteFile(filepath.Join(dir, "empty"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*config.UpstreamTLS)
		want   []string
	}{
		"missing roots": {func(f *config.UpstreamTLS) { f.CAFile = at("none") }, []string{"environments.sandbox: upstream_tls.ca_file", "none"}},
		"missing pair":  {func(f *config.UpstreamTLS) { f.KeyFile = at("none") }, []string{"upstream_tls.key_file", "no such file"}},
		"empty":         {func(f *config.UpstreamTLS) { f.CertFile = at("empty") }, []string{"upstream_tls.cert_file", "is empty"}},
		"another's key": {func(f *config.UpstreamTLS) { f.KeyFile = at("two.key") }, []string{"cert_file and key_file", "does not match", "two.key"}},
		"a key as root": {func(f *config.UpstreamTLS) { f.CAFile = at("one.key") }, []string{"ca_file", "no PEM certificate"}},
		"a folder":      {func(f *config.UpstreamTLS) { f.CAFile = config.File(dir) }, []string{"upstream_tls.ca_file", "directory"}},
	} {
		files := good
		c.change(&files)
		_, _, err := u.use("sandbox", files)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
		}
	}
	if len(u.all()) != 0 {
		t.Error("they are followed all the same")
	}
}
