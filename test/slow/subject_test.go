package slow_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"iqgateway/auth"
	"iqgateway/internal/iqsim"
	"iqgateway/test/rig"
	"iqgateway/test/slow"
)

var long = flag.Bool("long", false, "the long form: 10 000 connections, 1 GiB a body")

// Who is who in the kernel's list of connections. The tool slowhttptest has the
// address that everybody has.
const (
	toolSource  = "127.0.0.1"
	crowdSource = "127.0.0.2"
	goodSource  = "127.0.0.3"
)

const (
	download = "/crm/v1/bulk"
	upload   = "/crm/v1/bulk"
	ping     = "/crm/v1/ping"
)

// bulk is the size of an answer that fits no buffer between two processes.
const bulk = 4 << 20

func TestMain(m *testing.M) {
	if ours, err := slow.Main(context.Background(), os.Stdin, os.Stdout); ours {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// subject is the gateway under test, with all that it needs.
type subject struct {
	gateway *rig.Gateway
	port    uint16
	ca      []byte // PEM
	roots   *x509.CertPool
	key     string // of the good callers
	slowKey string // of a caller who has clients of the other sort
}

const configuration = `version: 1
server:
  tls: {mode: files, certificates: [{cert_file: DIR/tls.crt, key_file: DIR/tls.key}]}
  lame_duck: 0s
  drain_timeout: 1s
  limits: {LIMITS}
admin: {}
environments:
  sim: {url: "http://ORIGIN/{service}"}
credentials:
  retail: {environment: sim, client_id: sim-client, client_secret: "${env:RIG_SECRET}", username: sim@example.com, password: "${env:RIG_PASSWORD}"}
cache: {memory: 1MiB}
services:
  crm:
    quota: {kind: none}
    cache: {mode: none}
    timeouts: {TIMEOUTS}
    limits: {max_body: none}
callers:
  till: {keys: [{id: till-1, sha256: GOOD}], access: [{credential: retail, services: {crm: write}}]}
  slug:
    keys: [{id: slug-1, sha256: SLOW}]
    access: [{credential: retail, services: {crm: write}}]
    rate_limit: {concurrency: CONCURRENCY}
telemetry: {logs: {level: error}}
`

// settings are what the tests configure differently, each a part of YAML.
type settings struct {
	limits, timeouts string
	concurrency      string // of the caller with the slow clients
}

// build builds the gateway and returns its path.
func build(t *testing.T) string {
	t.Helper()
	binary, err := rig.Build(t.Context(), filepath.Join("..", ".."), t.TempDir())
	rig.Must(t, err)
	return binary
}

func newSubject(t *testing.T, binary string, with settings, environ ...string) *subject {
	t.Helper()
	dir := t.TempDir()
	s := &subject{ca: certificate(t, dir), roots: x509.NewCertPool()}
	s.roots.AppendCertsFromPEM(s.ca)
	var good, slug string
	s.key, good = auth.NewKey()
	s.slowKey, slug = auth.NewKey()
	text := strings.NewReplacer("DIR", dir, "ORIGIN", origin(t), "GOOD", good, "SLOW", slug,
		"LIMITS", with.limits, "TIMEOUTS", with.timeouts, "CONCURRENCY", with.concurrency).Replace(configuration)
	file := filepath.Join(dir, "gateway.yaml")
	rig.Must(t, os.WriteFile(file, []byte(text), 0o600))
	var err error
	s.gateway, err = rig.NewGateway(binary, file, t.TempDir(), append(environ, "RIG_SECRET=sim-secret", "RIG_PASSWORD=sim-password")...)
	rig.Must(t, err)
	s.port = netip.MustParseAddrPort(s.gateway.Server).Port()
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

// certificate writes one for 127.0.0.1 and its key to dir, and returns it.
func certificate(t *testing.T, dir string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	rig.Must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	rig.Must(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	rig.Must(t, err)
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	rig.Must(t, os.WriteFile(filepath.Join(dir, "tls.crt"), cert, 0o600))
	rig.Must(t, os.WriteFile(filepath.Join(dir, "tls.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	return cert
}

// origin starts an upstream that gives and takes as much as is wanted, and
// returns its host:port. Only tokens come from the simulation.
func origin(t *testing.T) string {
	t.Helper()
	sim, err := iqsim.New(iqsim.Options{LedgerSize: -1})
	rig.Must(t, err)
	mux := http.NewServeMux()
	mux.Handle("/", sim)
	mux.HandleFunc("GET "+ping, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"ok":true}`) })
	mux.HandleFunc("GET "+download, give)
	mux.HandleFunc("POST "+upload, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err == nil {
			fmt.Fprint(w, n)
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.Listener.Addr().String()
}

// give answers with as many bytes as "size" in the query wants.
func give(w http.ResponseWriter, r *http.Request) {
	size := int64(bulk)
	if text := r.URL.Query().Get("size"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		size = n
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	_, _ = io.CopyN(w, zeros{}, size) // fails when nobody takes it, which is the point
}

// zeros is a body without end.
type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// good are callers who do nothing wrong.
func (s *subject) good() slow.Good {
	return slow.Good{
		URL: "https://" + s.gateway.Server + ping, Roots: s.roots, Source: goodSource, Key: s.key,
		Count: 50, Pause: 100 * time.Millisecond,
	}
}

// crowd starts slow clients, which end with the test if not before.
func (s *subject) crowd(t *testing.T, groups ...slow.Group) *slow.Process {
	t.Helper()
	p, err := slow.Crowd{
		Address: s.gateway.Server, CA: string(s.ca), Source: crowdSource, Key: s.slowKey,
		Download: download, Upload: upload, Groups: groups, Humble: *long,
	}.Start(t.Context())
	rig.Must(t, err)
	t.Cleanup(func() {
		if err := p.End(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// connections returns how many the gateway holds open that come from there.
func (s *subject) connections(t *testing.T, source string) int {
	t.Helper()
	open, err := slow.Connections(s.gateway.PID(), s.port)
	rig.Must(t, err)
	return open[netip.MustParseAddr(source)]
}

// resident returns the bytes of memory that the gateway occupies, and the most
// that it ever did.
func (s *subject) resident(t *testing.T) (now, most int64) {
	t.Helper()
	now, most, err := slow.Resident(s.gateway.PID())
	rig.Must(t, err)
	return now, most
}

// warm has good callers call for a while: what a gateway allocates once is no
// cost of those that come later.
func (s *subject) warm(t *testing.T, d time.Duration) *slow.Experience {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	met := s.good().Run(ctx)
	rig.Must(t, met.Err())
	return met
}
