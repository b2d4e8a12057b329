package clients_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"iqgateway/auth"
	"iqgateway/internal/iqsim"
	"iqgateway/test/rig"
)

var program = rig.Program{Root: filepath.Join("..", "..")}

func TestMain(m *testing.M) {
	os.Exit(program.Run(m.Run))
}

// The hosts that clients know. Their names lead to the gateway, as a DNS entry
// would have them.
const (
	accounts  = "accounts.native.test"
	crm       = "crm.native.test"
	customers = "/v1/Companies(1)/Customers"
)

const configuration = `version: 1
server:
  hosts: [gateway.test, 127.0.0.1]
  tls: {mode: files, certificates: [{cert_file: DIR/pair.crt, key_file: DIR/pair.key}]}
  forward_proxy: {address: "PROXY"}
  lame_duck: 0s
  drain_timeout: 1s
admin: {}
environments:
  native: {url: "http://{service}.native.test", allow_plaintext: true, proxy_url: "EGRESS"}
credentials:
  retail: {environment: native, client_id: sim-client, client_secret: "${env:RIG_SECRET}", username: sim@example.com, password: "${env:RIG_PASSWORD}"}
auth:
  token_endpoint: {enabled: true, signing_key: "${env:RIG_SIGNING}", ttl: 1h}
callers:
  till:
    keys: [{id: till-1, sha256: DIGEST}]
    access: [{credential: retail, services: {"*": write}}]
`

// subject is the gateway under test, with all that it needs.
type subject struct {
	gateway *rig.Gateway
	ca      *rig.Authority
	proxy   string // host:port for HTTP_PROXY
	key     string
	digest  string
	dir     string
}

func newSubject(t *testing.T) *subject {
	t.Helper()
	ca, err := rig.NewAuthority()
	rig.Must(t, err)
	s := &subject{ca: ca, dir: t.TempDir()}
	rig.Must(t, os.WriteFile(s.file("ca.crt"), ca.PEM, 0o600))
	pair, err := ca.ECDSA("gateway.test", "127.0.0.1", accounts, crm)
	rig.Must(t, err)
	rig.Must(t, pair.Write(s.file("pair.crt"), s.file("pair.key")))
	s.proxy, err = rig.FreeAddress()
	rig.Must(t, err)
	s.key, s.digest = auth.NewKey()
	text := strings.NewReplacer("DIR", s.dir, "PROXY", s.proxy, "EGRESS", egress(t), "DIGEST", s.digest).Replace(configuration)
	rig.Must(t, os.WriteFile(s.file("gateway.yaml"), []byte(text), 0o600))
	binary, err := program.Path()
	rig.Must(t, err)
	s.gateway, err = rig.NewGateway(binary, s.file("gateway.yaml"), t.TempDir(),
		"RIG_SECRET=sim-secret", "RIG_PASSWORD=sim-password", "RIG_SIGNING=MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	rig.Must(t, err)
	if err := s.gateway.Start(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, s.gateway.Log)
	}
	t.Cleanup(func() {
		if err := s.gateway.Stop(); err != nil {
			t.Errorf("%v\n%s", err, s.gateway.Log)
		}
	})
	return s
}

// egress plays the way to the provider, whose names need not resolve.
func egress(t *testing.T) string {
	t.Helper()
	sim, err := iqsim.New(iqsim.Options{})
	rig.Must(t, err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		service, _, _ := strings.Cut(r.URL.Host, ".")
		path := strings.TrimPrefix(r.RequestURI, "http://"+r.URL.Host)
		moved := r.Clone(r.Context())
		moved.RequestURI = "/" + service + path
		moved.URL, err = moved.URL.Parse(moved.RequestURI)
		moved.URL.Scheme, moved.URL.Host = "", ""
		if err != nil {
			t.Error(err)
			return
		}
		sim.ServeHTTP(w, moved)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func (s *subject) file(name string) string { return filepath.Join(s.dir, name) }

func (s *subject) port() string {
	_, port, _ := net.SplitHostPort(s.gateway.Server)
	return port
}

// client is an ordinary one whose DNS leads to the gateway and that trusts its
// authority.
func (s *subject) client(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: s.ca.Roots()}, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, s.gateway.Server)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

// run runs a program of another language and returns what it prints. A test is
// skipped where the language is missing.
func (s *subject) run(t *testing.T, environ []string, name string, arguments ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, path, arguments...)
	command.Env = append(withoutProxies(os.Environ()), environ...)
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s\n%s", name, err, out, s.gateway.Log)
	}
	return string(out)
}

// withoutProxies leaves out what would lead a client elsewhere.
func withoutProxies(environ []string) []string {
	var kept []string
	for _, one := range environ {
		if name, _, _ := strings.Cut(one, "="); !strings.HasSuffix(strings.ToLower(name), "_proxy") {
			kept = append(kept, one)
		}
	}
	return kept
}
