package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"iqgateway/auth"
	"iqgateway/certs"
	"iqgateway/internal/rawcase"
)

const rawToken = "raw-token-7f3a91"

// rawConfig has the names that the raw cases use: the path form in sandbox and
// the native host of crm.
const rawConfig = `version: 1
server:
  address: 127.0.0.1:0
  hosts: [gw.test]
  lame_duck: 0s
  tls:
    mode: files
    certificates:
      - {cert_file: DIR/gateway.crt, key_file: DIR/gateway.key}
      - {cert_file: DIR/native.crt, key_file: DIR/native.key}
  limits: {max_body: 1MiB}
admin: {address: "127.0.0.1:0"}
environments:
  sandbox:
    services:
      crm: {url: "UPSTREAM"}
      catalogs: {url: "UPSTREAM", reads: [{path: /v1/Bulk}]}
      dataconnect: {url: "UPSTREAM/dc", denied: [/logout, "/v1/admin/**"], session: {preferred_endpoint: false}} # no calls of the gateway's own
  native:
    url: "http://127.0.0.1:1/{service}"
    services:
      crm: {url: "https://crmdemo.iqmetrix.net"}
credentials:
  retail: {environment: sandbox, token_url: "TOKENS/token", client_id: a, client_secret: b, username: c, password: d}
  native: {environment: native, token_url: "TOKENS/token", client_id: a, client_secret: b, username: c, password: d}
callers:
  a:
    environment: sandbox
    keys: [{id: a-1, sha256: DIGEST}]
    access:
      - {credential: retail, services: {"*": write}}
      - {credential: native, services: {"*": write}}
`

// The raw cases of package proxy hold for the whole gateway too: real
// authentication, real tokens, the configuration's routes.
func TestRawCasesThroughTheWholeGateway(t *testing.T) {
	t.Parallel()
	cases, err := rawcase.Load(filepath.Join("..", "..", "proxy", "testdata", "raw"))
	if err != nil {
		t.Fatal(err)
	}
	// The native host resolves to the provider, which no test calls.
	cases = slices.DeleteFunc(cases, reachesNativeHost)
	if len(cases) < 200 {
		t.Errorf("only %d cases were found", len(cases))
	}
	target := rawTarget(t)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) { rawcase.Run(t, c, target) })
	}
}

func reachesNativeHost(c rawcase.Case) bool {
	return slices.ContainsFunc(c.Steps, func(s rawcase.Step) bool {
		return strings.Contains(strings.Join(s.Send, "\n"), "${native}") &&
			slices.ContainsFunc(s.Answers, func(a rawcase.Answer) bool { return slices.Contains(a, "200") })
	})
}

func rawTarget(t *testing.T) rawcase.Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	upstream := rawcase.ServeUpstream(l)
	t.Cleanup(upstream.Close)
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"`+rawToken+`","expires_in":43199}`)
	}))
	t.Cleanup(tokens.Close)

	dir := t.TempDir()
	roots := x509.NewCertPool()
	writeCertificate(t, roots, filepath.Join(dir, "gateway"), "gw.test", "gw2.test")
	writeCertificate(t, roots, filepath.Join(dir, "native"), "crmdemo.iqmetrix.net")
	key, digest := auth.NewKey()
	text := strings.NewReplacer("DIR", dir, "UPSTREAM", "http://"+upstream.Addr(), "TOKENS", tokens.URL, "DIGEST", digest).Replace(rawConfig)
	file := filepath.Join(dir, "gateway.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	a := startProgram(t, io.Discard, nil, "run", "-c", file)
	return rawcase.Target{
		Addr: a.Server, Upstream: upstream,
		TLS:           &tls.Config{RootCAs: roots, ServerName: "gw.test"},
		Vars:          map[string]string{"host": "gw.test", "native": "crmdemo.iqmetrix.net", "key": key, "probe": "/crm/v1/probe"},
		Authorization: "Bearer " + rawToken,
		UpstreamHosts: []string{upstream.Addr()},
		Secrets:       []string{key},
	}
}

func authorityOf(local *certs.Local) *pem.Block {
	block, _ := pem.Decode(local.CAPEM())
	return block
}

// writeCertificate writes base.crt and base.key for names, and base.ca, which is
// trusted.
func writeCertificate(t *testing.T, roots *x509.CertPool, base string, names ...string) {
	t.Helper()
	local, err := certs.NewLocal(certs.LocalOptions{Names: names})
	if err != nil {
		t.Fatal(err)
	}
	roots.AppendCertsFromPEM(local.CAPEM())
	c, err := local.Certificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		base + ".crt": {Type: "CERTIFICATE", Bytes: c.Certificate[0]},
		base + ".key": {Type: "PRIVATE KEY", Bytes: key},
		base + ".ca":  authorityOf(local),
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
