package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"iqgateway/auth"
	"iqgateway/internal/iqsim"
	"iqgateway/internal/iqsim/simtest"
	"iqgateway/observability"
)

// rig is a whole gateway, run as main runs it, in front of a simulation whose
// traffic the test can see.
type rig struct {
	*iqsim.Sim
	addresses
	base   string // https://host:port of the gateway
	key    string // of the caller storefront
	file   string // the configuration
	client *http.Client
	roots  *x509.CertPool
	logs   *lockedBuffer
	tokens *simtest.Tap
}

// rigOptions vary a rig.
type rigOptions struct {
	sim     iqsim.Options
	extra   string // YAML, at the top level
	access  string // of the caller storefront, default {"*": write}
	flags   []string
	watch   bool     // the file is followed
	environ []string // beside the account's
	start   starter  // of the command line; nil = startProgram
}

type starter func(t testing.TB, stdout io.Writer, environ []string, args ...string) addresses

type lockedBuffer struct {
	mu    sync.Mutex
	b     bytes.Buffer
	lines *observability.Lines // that are on their way here; nil = none
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// settle has everything that is logged so far come before the next reading.
func (l *lockedBuffer) settle() {
	l.mu.Lock()
	lines := l.lines
	l.mu.Unlock()
	if lines != nil {
		lines.Flush(10 * time.Second)
	}
}

func (l *lockedBuffer) follow(lines *observability.Lines) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = lines
}

func (l *lockedBuffer) String() string {
	l.settle()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// rigSecrets are the account of a rig, each a canary.
var rigSecrets = struct{ client, secret, user, password string }{
	"canary-client-5f0c", "canary-secret-9a1e77", "canary-user-31b2@example.com", "canary-password-c4d8e6",
}

const rigConfig = `version: 1
server:
  address: 127.0.0.1:0
  tls: {mode: self_signed}
  lame_duck: 0s
  forward_proxy: {address: "127.0.0.1:0"}
admin: {address: "127.0.0.1:0"}
data_dir: DIR
environments:
  sim: {url: "SIM/{service}"}
credentials:
  retail:
    environment: sim
    client_id: ${env:RIG_CLIENT}
    client_secret: ${env:RIG_SECRET}
    username: ${env:RIG_USER}
    password: ${env:RIG_PASSWORD}
callers:
  storefront:
    keys: [{id: storefront-1, sha256: DIGEST}]
    access:
      - {credential: retail, services: ACCESS}
telemetry: {logs: {level: debug}}
`

func newSim(t testing.TB, o iqsim.Options) (*iqsim.Sim, *simtest.Tap, string) {
	t.Helper()
	if o.Accounts == nil {
		o.Accounts = []iqsim.Account{{
			ClientID: rigSecrets.client, ClientSecret: rigSecrets.secret, Username: rigSecrets.user, Password: rigSecrets.password,
		}}
	}
	sim, err := iqsim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	tap := simtest.NewTap(sim)
	server := httptest.NewServer(tap)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return sim, tap, server.URL
}

func newRig(t testing.TB, o rigOptions) *rig {
	t.Helper()
	sim, tap, simURL := newSim(t, o.sim)
	r := &rig{Sim: sim, tokens: tap, logs: &lockedBuffer{}}
	var digest string
	r.key, digest = auth.NewKey()
	if o.access == "" {
		o.access = `{"*": write}`
	}
	dir := t.TempDir()
	text := strings.NewReplacer("SIM", simURL, "DIGEST", digest, "DIR", dir, "ACCESS", o.access).Replace(rigConfig) + o.extra
	file := filepath.Join(dir, "gateway.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r.file = file
	if o.start == nil {
		o.start = startProgram
	}
	if !o.watch {
		o.flags = append(o.flags, "--watch=false") // tests say when it is read again
	}
	r.addresses = o.start(t, r.logs, append(rigEnviron(), o.environ...), append([]string{"run", "-c", file}, o.flags...)...)
	r.base = "https://" + r.Server
	r.roots = readRoots(t, filepath.Join(dir, "ca", "ca.crt"))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: r.roots}, ForceAttemptHTTP2: true, DisableCompression: true, MaxIdleConnsPerHost: 100}
	t.Cleanup(transport.CloseIdleConnections)
	r.client = &http.Client{
		Transport: transport, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return r
}

func rigEnviron() []string {
	return []string{
		"RIG_CLIENT=" + rigSecrets.client, "RIG_SECRET=" + rigSecrets.secret,
		"RIG_USER=" + rigSecrets.user, "RIG_PASSWORD=" + rigSecrets.password,
	}
}

// startProgram runs the command line until the test ends and returns where the
// gateway listens. It fails the test when the program ends in any other way
// than asked to.
func startProgram(t testing.TB, stdout io.Writer, environ []string, args ...string) addresses {
	t.Helper()
	return startOpened(nil)(t, stdout, environ, args...)
}

// startOpened starts as startProgram does, and shows the gateway before it serves.
func startOpened(opened func(*gateway)) starter {
	return func(t testing.TB, stdout io.Writer, environ []string, args ...string) addresses {
		t.Helper()
		p := program{stdin: strings.NewReader(""), stdout: stdout, environ: environ, opened: opened}
		return p.start(t, args)
	}
}

func (p program) start(t testing.TB, args []string) addresses {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	started, ended := make(chan addresses, 1), make(chan int, 1)
	var stderr lockedBuffer
	p.stderr, p.started = &stderr, func(a addresses) { started <- a }
	if buffer, ok := p.stdout.(*lockedBuffer); ok {
		p.logs = buffer.follow
	}
	go func() { ended <- p.run(ctx, args) }()
	select {
	case a := <-started:
		t.Cleanup(func() {
			stop()
			if code := <-ended; code != exitOK {
				t.Errorf("gateway %v ended with %d: %s", args, code, stderr.String())
			}
		})
		return a
	case code := <-ended:
		stop()
		t.Fatalf("gateway %v ended with %d: %s", args, code, stderr.String())
		return addresses{}
	}
}

func readRoots(t testing.TB, file string) *x509.CertPool {
	t.Helper()
	pem, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatalf("%s holds no certificate", file)
	}
	return pool
}

// answer is a whole response.
type answer struct {
	*http.Response
	text string
}

// do sends a request with the caller's key and reads the whole answer.
func (r *rig) do(t testing.TB, method, target, body string, edit ...func(*http.Request)) answer {
	t.Helper()
	a, err := r.try(t.Context(), method, target, body, edit...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	return a
}

func (r *rig) try(ctx context.Context, method, target, body string, edit ...func(*http.Request)) (answer, error) {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, r.base+target, reader)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("X-Api-Key", r.key)
	for _, e := range edit {
		e(req)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answer{resp, string(text)}, err
}

// get asks another listener of the gateway, without a key.
func (r *rig) get(t testing.TB, url string, edits ...func(*http.Request)) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, edit := range edits {
		edit(req)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp, string(text)}
}

func (a answer) want(t testing.TB, status int) answer {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("%s %s: %s, want %d\n%s", a.Request.Method, a.Request.URL, a.Status, status, a.text)
	}
	return a
}

// calls returns what reached one service, or all services but the token
// endpoint for "".
func (r *rig) calls(service string) []iqsim.LedgerEntry {
	var list []iqsim.LedgerEntry
	for _, e := range r.Ledger(iqsim.LedgerQuery{Service: service}) {
		if service != "" || e.Service != "accounts" {
			list = append(list, e)
		}
	}
	return list
}

// await waits until ready says so, by events of the system under test and not
// by a fixed time; it fails after ten seconds.
func await(t testing.TB, what string, ready func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for !ready() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s: not within 30 s", what)
		}
	}
}
