package traces_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"iqgateway/auth"
	"iqgateway/internal/iqsim"
	"iqgateway/test/rig"
	"iqgateway/test/traces"
)

var (
	long    = flag.Bool("long", false, "the long form: 10 000 requests, and the times while sinks are stopped")
	update  = flag.Bool("update", false, "write the golden files")
	program = rig.Program{Root: filepath.Join("..", "..")}
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(program.Run(m.Run))
}

// settings vary a subject.
type settings struct {
	sample   string // "" = 100%
	slow     string // slow_after; "" = 1h
	noTraces bool   // the configuration does not mention them
	services string // YAML below services
	extra    string // YAML at the top level
	limits   string // YAML of server.limits
	trusted  bool   // the upstream may see traceparent
	callers  []string
	quotas   map[string]int // limits of the upstream, by service
	window   time.Duration  // of these
	environ  []string
	stdout   *os.File // of the gateway; nil = its log
}

// subject is the gateway under test, with all that it needs.
type subject struct {
	*iqsim.Sim
	gate    *gate
	sink    *traces.Sink
	gateway *rig.Gateway
	origin  string // host:port of the upstream
	client  *http.Client
	keys    map[string]string // by caller
	marks   int               // requests of mark
}

// Each caller has a credential of its own, of the same name.
const usual = "till"

const adminToken = "canary-admin-token-b81f30d97c"

func secretOf(caller string) string   { return "canary-secret-" + caller + "-9a1e77" }
func passwordOf(caller string) string { return "canary-password-" + caller + "-c4d8e6" }
func clientOf(caller string) string   { return "canary-client-" + caller + "-5f0c" }
func userOf(caller string) string     { return "canary-user-" + caller + "-31b2@example.com" }

const configuration = `version: 1
server: {tls: {mode: none}, lame_duck: 0s, drain_timeout: 5s, limits: {LIMITS}}
admin: {token: "${env:RIG_ADMIN}"}
environments:
  sim: {url: "http://ORIGIN/{service}", trusted_tracing: TRUSTED}
`

// newSubject starts a sink, an upstream and a gateway between them.
func newSubject(t *testing.T, o settings) *subject {
	t.Helper()
	s := &subject{keys: map[string]string{}}
	o.callers = append([]string{usual}, o.callers...)
	s.startSink(t)
	s.startUpstream(t, o)
	text, environ := s.configure(o)
	trusted := fmt.Sprint(o.trusted)
	text = strings.NewReplacer("ORIGIN", s.origin, "TRUSTED", trusted, "SINK", s.sink.Address, "LIMITS", o.limits).Replace(text)
	file := filepath.Join(t.TempDir(), "gateway.yaml")
	rig.Must(t, os.WriteFile(file, []byte(text), 0o600))
	binary, err := program.Path()
	rig.Must(t, err)
	// Spans are to arrive soon, not in large batches.
	environ = append(environ, "RIG_ADMIN="+adminToken, "OTEL_BSP_SCHEDULE_DELAY=20")
	s.gateway, err = rig.NewGateway(binary, file, t.TempDir(), append(environ, o.environ...)...)
	rig.Must(t, err)
	s.gateway.Stdout = o.stdout
	if err := s.gateway.Start(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, s.gateway.Log)
	}
	t.Cleanup(func() {
		if err := s.gateway.Stop(); err != nil {
			t.Errorf("%v\n%s", err, s.gateway.Log)
		}
	})
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 100}
	t.Cleanup(transport.CloseIdleConnections)
	s.client = &http.Client{
		Timeout: time.Minute, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s
}

func (s *subject) startSink(t *testing.T) {
	t.Helper()
	address, err := rig.FreeAddress()
	rig.Must(t, err)
	s.sink = traces.NewSink(address)
	rig.Must(t, s.sink.Start(t.Context()))
	t.Cleanup(func() {
		rig.Must(t, s.sink.Stop())
		if odd := s.sink.Odd(); len(odd) > 0 {
			t.Errorf("the exporter has sent what OTLP does not allow: %q", odd)
		}
	})
}

func (s *subject) startUpstream(t *testing.T, o settings) {
	t.Helper()
	options := iqsim.Options{
		Limits: map[string]int{}, LedgerSize: 100_000,
		Switches: iqsim.Switches{FaultHeader: true, LockAfter: -1, Window: iqsim.Duration(o.window), WindowAnchor: "first"},
	}
	for _, service := range []string{"crm", "order", "productlibrary", "catalogs", "entitymanager", "availability", "pricing"} {
		options.Limits[service] = 1_000_000
	}
	maps.Copy(options.Limits, o.quotas)
	for _, c := range o.callers {
		options.Accounts = append(options.Accounts, iqsim.Account{
			ClientID: clientOf(c), ClientSecret: secretOf(c), Username: userOf(c), Password: passwordOf(c),
		})
	}
	var err error
	s.Sim, err = iqsim.New(options)
	rig.Must(t, err)
	s.gate = &gate{next: s.Sim}
	server := httptest.NewServer(s.gate)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	s.origin = server.Listener.Addr().String()
}

// configure returns the configuration and the variables that it refers to.
func (s *subject) configure(o settings) (text string, environ []string) {
	var credentials, callers strings.Builder
	for i, c := range o.callers {
		key, digest := auth.NewKey()
		s.keys[c] = key
		fmt.Fprintf(&credentials, "  %s: {environment: sim, refresh_ahead: 1h, client_id: %s, client_secret: \"${env:RIG_SECRET_%d}\", username: %s, password: \"${env:RIG_PASSWORD_%d}\"}\n",
			c, clientOf(c), i, userOf(c), i)
		fmt.Fprintf(&callers, "  %s: {keys: [{id: %s-1, sha256: %s}], access: [{credential: %s, services: {\"*\": write}}]}\n", c, c, digest, c)
		environ = append(environ, fmt.Sprintf("RIG_SECRET_%d=%s", i, secretOf(c)), fmt.Sprintf("RIG_PASSWORD_%d=%s", i, passwordOf(c)))
	}
	services := "services: {}\n"
	if o.services != "" {
		services = "services:\n" + o.services
	}
	text = configuration + "credentials:\n" + credentials.String() + "callers:\n" + callers.String() + services + o.extra
	text += "telemetry:\n  logs: {level: debug, query_parameters: [logged]}\n"
	if !o.noTraces {
		text += fmt.Sprintf("  traces: {exporter: otlp, endpoint: \"http://SINK\", sample: %s, slow_after: %s}\n", or(o.sample, "100%"), or(o.slow, "1h"))
	}
	return text, environ
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// ask is a request to the gateway.
type ask struct {
	method, target, body string // GET without a method
	caller               string // "" = the usual one
	fault                string // that the upstream makes of it
	header               map[string]string
}

// answer is what became of one.
type answer struct {
	status int // 0 = there was none
	header http.Header
	text   string
	err    error // of the answer, or why there was none
}

func (a answer) id() string { return a.header.Get("X-Request-Id") }

const maxAnswer = 64 << 20

// try makes a request.
func (s *subject) try(ctx context.Context, a ask) answer {
	req, err := http.NewRequestWithContext(ctx, or(a.method, http.MethodGet), "http://"+s.gateway.Server+a.target, strings.NewReader(a.body))
	if err != nil {
		return answer{err: err}
	}
	if a.body != "" {
		req.Header.Set("Content-Type", "application/json")
	} else {
		req.Body, req.ContentLength = http.NoBody, 0
	}
	req.Header.Set("X-Api-Key", s.keys[or(a.caller, usual)])
	if a.fault != "" {
		req.Header.Set("X-Sim-Fault", a.fault)
	}
	for name, value := range a.header {
		req.Header.Set(name, value)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return answer{err: err, header: http.Header{}}
	}
	defer resp.Body.Close()
	var text bytes.Buffer
	_, err = io.Copy(&text, io.LimitReader(resp.Body, maxAnswer))
	return answer{status: resp.StatusCode, header: resp.Header, text: text.String(), err: err}
}

// do makes a request that is to be answered so.
func (s *subject) do(t *testing.T, a ask, status int) answer {
	t.Helper()
	got := s.try(t.Context(), a)
	if got.status != status {
		t.Fatalf("%s %s: %d %v, want %d\n%s", a.method, a.target, got.status, got.err, status, got.text)
	}
	return got
}

// order has an operator post something to the admin API.
func (s *subject) order(t *testing.T, path string, body any) {
	t.Helper()
	text, err := json.Marshal(body)
	rig.Must(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.gateway.Admin+path, bytes.NewReader(text))
	rig.Must(t, err)
	req.Header.Set("Authorization", "Bearer "+adminToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.client.Do(req)
	rig.Must(t, err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("POST %s: %s", path, resp.Status)
	}
}

// arm has requests meet a fault.
func (s *subject) arm(t *testing.T, f iqsim.Fault) {
	t.Helper()
	_, err := s.AddFault(f)
	rig.Must(t, err)
}

// patience is for what comes soon, however busy the machine is.
const patience = 20 * time.Second

// await waits until ready says so.
func (s *subject) await(t *testing.T, what string, ready func() bool) {
	t.Helper()
	if err := rig.Await(t.Context(), patience, what, ready); err != nil {
		log := s.gateway.Log.String()
		tree := traces.Tree(s.sink.Spans())
		t.Fatalf("%v\n…%s\n…%s", err, tree[max(0, len(tree)-4000):], log[max(0, len(log)-4000):])
	}
}

// gauge waits until a metric has a value.
func (s *subject) gauge(t *testing.T, want float64, name string, having ...string) {
	t.Helper()
	s.await(t, fmt.Sprintf("%s%q is %g", name, having, want), func() bool {
		metrics, err := s.gateway.Metrics(t.Context())
		if err != nil {
			return false
		}
		sum, err := metrics.Sum(name, having...)
		return err == nil && sum == want
	})
}
