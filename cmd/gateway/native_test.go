package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"iqgateway/auth"
)

// nativeConfig reaches its upstreams through an egress proxy, which the test
// plays: the names need not resolve.
const nativeConfig = `version: 1
server:
  address: 127.0.0.1:0
  hosts: [gw.test]
  lame_duck: 0s
  forward_proxy: {address: "127.0.0.1:0"}
  tls:
    mode: files
    certificates:
      - {cert_file: DIR/gateway.crt, key_file: DIR/gateway.key}
      - {cert_file: DIR/native.crt, key_file: DIR/native.key}
admin: {address: "127.0.0.1:0"}
environments:
  native: {url: "http://{service}.native.test", allow_plaintext: true, proxy_url: "EGRESS"}
credentials:
  retail: {environment: native, token_url: "http://accounts.native.test/token", client_id: a, client_secret: b, username: c, password: d}
callers:
  storefront:
    keys: [{id: s-1, sha256: DIGEST}]
    access: [{credential: retail, services: {"*": write}}]
`

// A redirect of the upstream leads back to the gateway, the way that the
// caller came: by path, by native host, or through HTTP_PROXY.
func TestLocationFollowsTheWayIn(t *testing.T) {
	var asked []string
	egress := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.RequestURI, "http://accounts.native.test/") {
			_, _ = io.WriteString(w, `{"access_token":"native-token","expires_in":43199}`)
			return
		}
		asked = append(asked, r.RequestURI+" "+r.Header.Get("Authorization"))
		w.Header().Set("Location", "http://order.native.test/v1/next?x=1")
		w.WriteHeader(http.StatusSeeOther)
	}))
	defer egress.Close()
	dir, roots := t.TempDir(), x509.NewCertPool()
	writeCertificate(t, roots, filepath.Join(dir, "gateway"), "gw.test")
	writeCertificate(t, roots, filepath.Join(dir, "native"), "crm.native.test")
	key, digest := auth.NewKey()
	file := filepath.Join(dir, "gateway.yaml")
	text := strings.NewReplacer("DIR", dir, "EGRESS", egress.URL, "DIGEST", digest).Replace(nativeConfig)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	a := startProgram(t, io.Discard, nil, "run", "-c", file)
	_, port, err := net.SplitHostPort(a.Server)
	if err != nil {
		t.Fatal(err)
	}
	encrypted := func(name string) net.Conn {
		conn, err := tls.Dial("tcp", a.Server, &tls.Config{RootCAs: roots, ServerName: name})
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	plain, err := net.Dial("tcp", a.ForwardProxy)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		conn               net.Conn
		target, host, want string
	}{
		{encrypted("gw.test"), "/crm/v1/x", "gw.test", "/native/order/v1/next?x=1"},
		{encrypted("crm.native.test"), "/v1/x", "crm.native.test:" + port, "https://order.native.test:" + port + "/v1/next?x=1"},
		{plain, "http://crm.native.test/v1/x", "crm.native.test", "http://order.native.test/v1/next?x=1"},
	} {
		resp := exchangeOn(t, tt.conn, "GET "+tt.target+" HTTP/1.1\r\nHost: "+tt.host+"\r\nX-Api-Key: "+key+"\r\n\r\n")
		if got := resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther || got != tt.want {
			t.Errorf("%s at %s: %s, Location %q, want %q", tt.target, tt.host, resp.Status, got, tt.want)
		}
	}
	for _, call := range asked {
		if call != "http://crm.native.test/v1/x Bearer native-token" {
			t.Errorf("the upstream was asked %q", call)
		}
	}
	if len(asked) != 3 {
		t.Errorf("%d calls, want 3", len(asked))
	}
}
