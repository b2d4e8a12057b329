package main

import (
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/exchange"
)

// moreCallers has the configuration include callers that have no keys.
func moreCallers(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "callers.yaml")
	if err := os.WriteFile(file, []byte("callers:\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	return "include: [" + file + "]\n"
}

func meshRig(t *testing.T, ca *clientCA) *rig {
	t.Helper()
	return newRig(t, rigOptions{
		environ: []string{"IQGW_SERVER__TLS__CLIENT_CA_FILE=" + ca.file},
		extra: moreCallers(t, `  mesh:
    certificates: [{uri: "`+meshID+`"}]
    access: [{credential: retail, services: {crm: read}}]
`),
	})
}

// SEC-39 through the whole gateway: only the mapped id passes, over both versions
// of HTTP, and a certificate that is not believed never falls through to a key.
func TestSEC39ThroughTheWholeGateway(t *testing.T) {
	t.Parallel()
	ca, other := newClientCA(t), newClientCA(t)
	r := meshRig(t, ca)
	for _, http2 := range []bool{false, true} {
		good := r.with(t, ca.issue(t, meshID, nil), http2)
		good.do(t, http.MethodGet, customers, "", withoutKey).want(t, http.StatusOK)
		good.do(t, http.MethodPost, customers, "{}", withoutKey).want(t, http.StatusForbidden)
		// The certificate and the key are of two callers.
		good.do(t, http.MethodGet, customers, "").want(t, http.StatusUnauthorized)
		r.with(t, nil, http2).do(t, http.MethodGet, customers, "", withoutKey).want(t, http.StatusUnauthorized)
		r.with(t, nil, http2).do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
		calls := len(r.calls("crm"))
		for name, bad := range map[string]*rig{
			"a longer id":       r.with(t, ca.issue(t, meshID+"2", nil), http2),
			"a query":           r.with(t, ca.issue(t, meshID+"?x", nil), http2),
			"another domain":    r.with(t, ca.issue(t, "spiffe://other.example/ns/shop/sa/storefront", nil), http2),
			"another authority": r.with(t, other.issue(t, meshID, nil), http2),
			"expired":           r.with(t, ca.issue(t, meshID, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), http2),
			"no clientAuth":     r.with(t, ca.issue(t, meshID, func(c *x509.Certificate) { c.ExtKeyUsage = nil }), http2),
		} {
			for _, edit := range []func(*http.Request){withoutKey, func(*http.Request) {}} {
				a, err := bad.try(t.Context(), http.MethodGet, customers, "", edit)
				if err == nil && a.StatusCode != http.StatusUnauthorized {
					t.Errorf("%s: %s", name, a.Status)
				}
			}
		}
		if got := len(r.calls("crm")); got != calls {
			t.Errorf("%d calls for certificates that may not pass", got-calls)
		}
	}
}

// An open connection ends with the trust in its authority.
func TestSEC39AuthorityReplaced(t *testing.T) {
	t.Parallel()
	ca, next := newClientCA(t), newClientCA(t)
	r := meshRig(t, ca)
	old, renewed := r.with(t, ca.issue(t, meshID, nil), true), next.issue(t, meshID, nil)
	old.do(t, http.MethodGet, customers, "", withoutKey).want(t, http.StatusOK)
	next.write(t, ca.file)
	await(t, "the old authority is believed no more", func() bool {
		a, err := old.try(t.Context(), http.MethodGet, customers, "", withoutKey)
		return err != nil || a.StatusCode == http.StatusUnauthorized
	})
	await(t, "the new one is", func() bool {
		a, err := r.with(t, renewed, true).try(t.Context(), http.MethodGet, customers, "", withoutKey)
		return err == nil && a.StatusCode == http.StatusOK
	})
}

// Without the file that says whose certificates are believed there is no gateway.
func TestSEC39MissingAuthorityIsRefused(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.crt")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "gateway.yaml")
	text := strings.NewReplacer("SIM", "http://127.0.0.1:1", "DIGEST", strings.Repeat("ab", 32), "DIR", t.TempDir(), "ACCESS", `{"*": write}`).Replace(rigConfig)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{"missing": filepath.Join(t.TempDir(), "none.crt"), "empty": empty} {
		var stderr lockedBuffer
		p := program{
			stdin: strings.NewReader(""), stdout: io.Discard, stderr: &stderr,
			environ: append(rigEnviron(), "IQGW_SERVER__TLS__CLIENT_CA_FILE="+file),
			started: func(addresses) { t.Errorf("%s: it serves", name) },
		}
		if code := p.run(t.Context(), []string{"run", "-c", config}); code != exitConfig || !strings.Contains(stderr.String(), "client_ca_file") {
			t.Errorf("%s: exit code %d: %s", name, code, stderr.String())
		}
	}
}

func clusterRig(t *testing.T, c *cluster) *rig {
	t.Helper()
	return newRig(t, rigOptions{extra: fmt.Sprintf("auth: {jwt: [{issuer: %q, audience: iqgateway, jwks_url: %q, ca_file: %q}]}\n", c.URL, c.URL+"/openid/v1/jwks", c.caFile) +
		moreCallers(t, `  pod:
    subjects: [{issuer: "`+c.URL+`", subject: "system:serviceaccount:shop:storefront"}]
    access: [{credential: retail, services: {crm: read}}]
`)})
}

// A Kubernetes service account calls with its projected token; the token goes no
// further, and its issuer is asked once.
func TestServiceAccountCalls(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	r := clusterRig(t, c)
	token := c.token(t, "system:serviceaccount:shop:storefront", time.Now().Add(time.Hour))
	for range 3 {
		r.do(t, http.MethodGet, customers, "", bearer(token)).want(t, http.StatusOK)
	}
	if asked := c.asked.Load(); asked != 1 {
		t.Errorf("the issuer was asked %d times", asked)
	}
	r.wantMetrics(t, `iqgw_auth_key_set_fetches_total{issuer="`+c.URL+`",outcome="ok"} 1`)
	for name, bad := range map[string]string{
		"another account": c.token(t, "system:serviceaccount:shop:other", time.Now().Add(time.Hour)),
		"expired":         c.token(t, "system:serviceaccount:shop:storefront", time.Now().Add(-time.Minute)),
		"cut":             token[:len(token)-4],
	} {
		if a := r.do(t, http.MethodGet, customers, "", bearer(bad)); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %s", name, a.Status)
		}
	}
	r.do(t, http.MethodGet, customers, "", func(req *http.Request) { req.Header.Set("Authorization", "Bearer "+token) }).want(t, http.StatusUnauthorized) // beside another caller's key
	// a signature that no key made may be one of a new key
	if asked := c.asked.Load(); asked > 2 {
		t.Errorf("the issuer was asked %d times", asked)
	}
	if !strings.Contains(r.logs.String(), `"caller":"pod"`) || strings.Contains(r.logs.String(), token) {
		t.Error("the log does not name the caller, or shows the token")
	}
}

// An issuer that cannot be asked makes its tokens neither good nor bad: 503 says
// so, the gateway is ready but degraded, and tells why.
func TestIssuerThatWasNeverThere(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.down.Store(true)
	r := clusterRig(t, c)
	token := c.token(t, "system:serviceaccount:shop:storefront", time.Now().Add(time.Hour))
	a := r.do(t, http.MethodGet, customers, "", bearer(token)).want(t, http.StatusServiceUnavailable)
	if !strings.Contains(a.text, string(exchange.CallerUnverified)) || a.Header.Get("Retry-After") == "" {
		t.Errorf("%v\n%s", a.Header, a.text)
	}
	ready := r.get(t, "http://"+r.Admin+"/readyz?verbose").want(t, http.StatusOK)
	if !strings.Contains(ready.text, "jwt_issuers") || !strings.Contains(ready.text, "503") {
		t.Errorf("readiness:\n%s", ready.text)
	}
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK) // keys are not its business
	c.down.Store(false)
	await(t, "the issuer is back", func() bool {
		a, err := r.try(t.Context(), http.MethodGet, customers, "", bearer(token))
		return err == nil && a.StatusCode == http.StatusOK
	})
}
