package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"iqgateway/observability"
)

const adminReadToken = "admin-read-only-token"

// attack is one way to come at an endpoint without the right to it.
type attack struct {
	name string
	edit func(*http.Request)
	want []int
}

// attacks on an endpoint by a method that it has.
func attacks(method, callerKey string) []attack {
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	path := func(to func(string) string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Del("Authorization")
			r.URL.Opaque = "//" + r.URL.Host + to(r.URL.Path)
		}
	}
	closed := []int{http.StatusUnauthorized, http.StatusNotFound, http.StatusMethodNotAllowed}
	all := []attack{
		{"no token", func(r *http.Request) { r.Header.Del("Authorization") }, []int{http.StatusUnauthorized}},
		{"a wrong token", header("Authorization", "Bearer x"), []int{http.StatusUnauthorized}},
		{"a caller's key", header("Authorization", "Bearer "+callerKey), []int{http.StatusUnauthorized}},
		{"two tokens", func(r *http.Request) { r.Header.Add("Authorization", "Bearer x") }, []int{http.StatusUnauthorized}},
		{"evil host", func(r *http.Request) { r.Host = "evil.test" }, []int{http.StatusForbidden}},
		{"evil origin", header("Origin", "http://evil.test"), []int{http.StatusForbidden}},
		{"origin of nobody", header("Origin", "null"), []int{http.StatusForbidden}},
		{"another site", header("Sec-Fetch-Site", "cross-site"), []int{http.StatusForbidden}},
		{"trailing slash", path(func(p string) string { return p + "/" }), closed},
		{"two slashes", path(func(p string) string { return "/" + p }), closed},
		{"slashes within", path(func(p string) string { return strings.Replace(p, "/v1/", "//v1/", 1) }), closed},
		{"escaped slash", path(func(p string) string { return strings.Replace(p, "/v1", "%2fv1", 1) }), closed},
		{"escaped letter", path(func(p string) string { return strings.Replace(p, "api", "%61pi", 1) }), closed},
		{"upper case", path(strings.ToUpper), closed},
		{"dots", path(func(p string) string { return "/livez/.." + p }), closed},
		{"below a probe", path(func(p string) string { return "/readyz" + p }), closed},
	}
	if method == http.MethodGet {
		return all
	}
	return append(all,
		attack{"GET", func(r *http.Request) { r.Method = http.MethodGet }, []int{http.StatusMethodNotAllowed}},
		attack{"the read token", header("Authorization", "Bearer "+adminReadToken), []int{http.StatusForbidden}},
		attack{"plain text", header("Content-Type", "text/plain"), []int{http.StatusUnsupportedMediaType}},
		attack{"a form", header("Content-Type", "application/x-www-form-urlencoded"), []int{http.StatusUnsupportedMediaType}},
	)
}

// attack sends one request to the admin server of a rig.
func (r *rig) attack(t *testing.T, method, path string, edit func(*http.Request)) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.Admin+path, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + adminToken}}
	edit(req)
	resp, err := (&http.Client{Timeout: time.Minute, CheckRedirect: r.client.CheckRedirect}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// SEC-61: every endpoint against everybody who may not, over a real server:
// refused, and nothing has changed.
func TestSEC61AdminOfAWholeGateway(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "audit.log")
	r := newRig(t, rigOptions{flags: append(adminTokenFlags(), "--set", "admin.read_token="+adminReadToken, "--set", "telemetry.audit.output="+file)})
	for _, e := range (adminAPI{}).endpoints() {
		path := strings.Replace(e.Path, "*", "x-0000", 1)
		for _, method := range slices.Sorted(maps.Keys(e.Methods)) {
			for _, a := range attacks(method, r.key) {
				if a.name == "GET" && len(e.Methods) > 1 { // it reads
					continue
				}
				if got := r.attack(t, method, path, a.edit); !slices.Contains(a.want, got) {
					t.Errorf("%s %s, %s: %d, want one of %v", method, path, a.name, got, a.want)
				}
			}
		}
		if got := r.do(t, http.MethodGet, path, ""); got.StatusCode != http.StatusNotFound && got.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d on the callers' port", path, got.StatusCode)
		}
	}
	for _, path := range []string{"/metrics", "/debug/pprof/heap", "/debug/vars", "/livez", "/readyz", "/version"} {
		if got := r.do(t, http.MethodGet, path, ""); got.StatusCode != http.StatusNotFound && got.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d on the callers' port", path, got.StatusCode)
		}
	}
	read := func(q *http.Request) { q.Header.Set("Authorization", "Bearer "+adminReadToken) }
	if got := r.attack(t, http.MethodGet, pathStatus, read); got != http.StatusOK {
		t.Errorf("the read token reads: %d", got)
	}
	r.attack(t, http.MethodPost, pathConfigReload, func(*http.Request) {}) // the last record, and the only change
	var records []observability.AuditRecord
	await(t, "the audit log has all of it", func() bool {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		records = audited(t, string(text))
		return slices.ContainsFunc(records, func(a observability.AuditRecord) bool {
			return a.What == pathConfigReload && a.Result == observability.AuditChanged
		})
	})
	for _, a := range records {
		if a.Result == observability.AuditChanged && a.What != pathConfigReload && a.What != commandReload && a.Event != observability.AuditReload {
			t.Errorf("something has changed: %+v", a)
		}
	}
}

// SEC-61: profiles are served where they are enabled, to whoever may change.
func TestSEC61ProfilesNeedTheToken(t *testing.T) {
	t.Parallel()
	off := newRig(t, rigOptions{flags: adminTokenFlags()})
	on := newRig(t, rigOptions{flags: append(adminTokenFlags(), "--set", "admin.pprof=true", "--set", "admin.read_token="+adminReadToken)})
	bearer := func(token string) func(*http.Request) {
		return func(q *http.Request) { q.Header.Set("Authorization", token) }
	}
	full := bearer("Bearer " + adminToken)
	for _, tt := range []struct {
		name, path string
		r          *rig
		edit       func(*http.Request)
		want       int
	}{
		{"off", "/debug/pprof/heap", off, full, http.StatusNotFound},
		{"on", "/debug/pprof/heap", on, full, http.StatusOK},
		{"on, of the CPU", "/debug/pprof/profile?seconds=1", on, full, http.StatusOK},
		{"too long", "/debug/pprof/profile?seconds=3600", on, full, http.StatusBadRequest},
		{"command line", "/debug/pprof/cmdline", on, full, http.StatusNotFound},
		{"no token", "/debug/pprof/heap", on, bearer(""), http.StatusUnauthorized},
		{"read token", "/debug/pprof/heap", on, bearer("Bearer " + adminReadToken), http.StatusForbidden},
		{"another spelling", "//debug/pprof/heap", on, bearer(""), http.StatusTemporaryRedirect}, // to the one that asks for a token,
		{"escaped", "/debug/ppro%66/heap", on, bearer(""), http.StatusNotFound},
		{"upper case", "/DEBUG/pprof/heap", on, bearer(""), http.StatusNotFound},
	} {
		if got := tt.r.attack(t, http.MethodGet, tt.path, tt.edit); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

// Where there is no token, a certificate of admin.tls.client_ca_file is enough
// to change something; who has none gets no connection.
func TestSEC61CertificatesOfOperators(t *testing.T) {
	t.Parallel()
	authority, operators, strangers := t.TempDir(), newClientCA(t), newClientCA(t)
	files, _ := issued(t, authority)
	r := newTLSRig(t, authority, "{mode: none}", "{cert_file: CERT, key_file: KEY, client_ca_file: "+operators.file+"}", newMount(t, files))
	dir := t.TempDir()
	identity := func(name string, ca *clientCA) []string {
		cert := ca.issue(t, "spiffe://corp.example/"+name, nil)
		file := filepath.Join(dir, name+".pem")
		writeIdentity(t, file, cert)
		return []string{"--admin-cert", file, "--admin-key", file}
	}
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"an operator's", identity("operator", operators), exitOK, "this replica"},
		{"a stranger's", identity("stranger", strangers), exitFailure, ""},
		{"none", nil, exitFailure, ""},
	} {
		args := append([]string{"cache", "purge", "--all", "--admin-address", "https://" + r.Admin, "--admin-ca", filepath.Join(authority, "ca.crt")}, tt.args...)
		code, out, errs := command(t, nil, args...)
		if code != tt.code || !strings.Contains(out, tt.want) {
			t.Errorf("%s: exit %d, want %d and %q\n%s%s", tt.name, code, tt.code, tt.want, out, errs)
		}
	}
	await(t, "the purge is audited with its operator", func() bool {
		return slices.ContainsFunc(audited(t, r.logs.String()), func(a observability.AuditRecord) bool {
			return a.What == pathCachePurge && a.Result == observability.AuditChanged && a.Proof == "certificate" && a.KeyID == "spiffe://corp.example/operator"
		})
	})
}

// writeIdentity writes a certificate and its key into one PEM file.
func writeIdentity(t *testing.T, file string, cert *tls.Certificate) {
	t.Helper()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8(t, cert.PrivateKey)})...)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func pkcs8(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
