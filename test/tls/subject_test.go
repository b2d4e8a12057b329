package tls_test

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"iqgateway/auth"
	"iqgateway/internal/iqsim"
	"iqgateway/test/rig"
	tlssuite "iqgateway/test/tls"
)

var long = flag.Bool("long", false, "the long form: all of testssl.sh")

var program = rig.Program{Root: filepath.Join("..", "..")}

func TestMain(m *testing.M) {
	if ours, err := tlssuite.Main(); ours {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(program.Run(m.Run))
}

// host is what the gateway's certificates are for, beside 127.0.0.1.
const host = "gateway.test"

// customers is a path that answers callers.
const customers = "/crm/v1/Companies(1)/Customers"

// configuration lets the caller write: a body that nobody wants would be answered
// before h2spec has sent what is wrong with it.
const configuration = `version: 1
server:
  hosts: [gateway.test, 127.0.0.1]
  tls:
    mode: files
    certificates: [PAIRS]
    client_ca_file: DIR/ca.crt
  lame_duck: 0s
  drain_timeout: 1s
admin: {}
environments:
  sim: {url: "http://ORIGIN/{service}"}
credentials:
  retail: {environment: sim, client_id: sim-client, client_secret: "${env:RIG_SECRET}", username: sim@example.com, password: "${env:RIG_PASSWORD}"}
cache: {memory: 1MiB}
callers:
  till:
    keys: [{id: till-1, sha256: DIGEST}]
    certificates: [{dns: caller.test}]
    access: [{credential: retail, services: {"*": write}}]
telemetry: {logs: {level: error}}
`

// subject is the gateway under test, with all that it needs.
type subject struct {
	sim     *iqsim.Sim
	gateway *rig.Gateway
	ca      *rig.Authority
	roots   *x509.CertPool
	key     string
	dir     string
}

// newSubject starts a gateway with pairs of these sorts, "ecdsa" and "rsa".
func newSubject(t *testing.T, sorts ...string) *subject {
	t.Helper()
	s := prepare(t, "", sorts...)
	s.gateway = s.start(t)
	return s
}

// prepare makes all that gateways need whose configuration goes on like this.
func prepare(t *testing.T, more string, sorts ...string) *subject {
	t.Helper()
	ca, err := rig.NewAuthority()
	rig.Must(t, err)
	s := &subject{ca: ca, roots: ca.Roots(), dir: t.TempDir()}
	rig.Must(t, os.WriteFile(s.file("ca.crt"), ca.PEM, 0o600))
	var pairs []string
	for _, sort := range sorts {
		issue := map[string]func(...string) (rig.Pair, error){"ecdsa": ca.ECDSA, "rsa": ca.RSA}[sort]
		pair, err := issue(host, "127.0.0.1")
		rig.Must(t, err)
		rig.Must(t, pair.Write(s.file(sort+".crt"), s.file(sort+".key")))
		pairs = append(pairs, fmt.Sprintf("{cert_file: %s, key_file: %s}", s.file(sort+".crt"), s.file(sort+".key")))
	}
	s.sim, err = iqsim.New(iqsim.Options{})
	rig.Must(t, err)
	origin := httptest.NewServer(s.sim)
	t.Cleanup(origin.Close)
	var digest string
	s.key, digest = auth.NewKey()
	text := strings.NewReplacer("PAIRS", strings.Join(pairs, ", "), "DIR", s.dir,
		"ORIGIN", origin.Listener.Addr().String(), "DIGEST", digest).Replace(configuration + more)
	rig.Must(t, os.WriteFile(s.file("gateway.yaml"), []byte(text), 0o600))
	return s
}

// start starts a gateway, which ends with the test.
func (s *subject) start(t *testing.T, environ ...string) *rig.Gateway {
	t.Helper()
	binary, err := program.Path()
	rig.Must(t, err)
	gateway, err := rig.NewGateway(binary, s.file("gateway.yaml"), t.TempDir(), append(environ, "RIG_SECRET=sim-secret", "RIG_PASSWORD=sim-password")...)
	rig.Must(t, err)
	if err := gateway.Start(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, gateway.Log)
	}
	t.Cleanup(func() {
		if err := gateway.Stop(); err != nil {
			t.Errorf("%v\n%s", err, gateway.Log)
		}
	})
	return gateway
}

func (s *subject) file(name string) string { return filepath.Join(s.dir, name) }

// client is what an ordinary client speaks TLS with.
func (s *subject) client(protocols ...string) *tls.Config {
	return &tls.Config{RootCAs: s.roots, ServerName: host, NextProtos: protocols}
}
