package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"iqgateway/auth"
	"iqgateway/internal/iqsim"
	"iqgateway/internal/iqsim/simtest"
	"iqgateway/internal/redistest"
)

// replicas is several gateway processes that share a Redis, in front of one
// simulation.
type replicas struct {
	*iqsim.Sim
	tokens   *simtest.Tap
	topology redistest.Topology // nil without Redis
	dir      string
	binary   string
	file     string
	key      string // of the caller storefront
	admin    string // token of the admin servers
	all      []*replica
	client   *http.Client
}

// replica is one gateway process.
type replica struct {
	command *exec.Cmd
	out     *lockedBuffer
	server  string // http://host:port
	adminAt string // http://host:port
	frozen  bool
}

// fleetOptions vary a fleet.
type fleetOptions struct {
	replicas int // 0 = 3
	sim      iqsim.Options
	config   string // YAML in place of fleetConfig; "" = fleetConfig
	extra    string // YAML, at the top level
	password string // of Redis
}

// fleetHead begins the configuration of every fleet.
const fleetHead = `version: 1
server:
  address: 127.0.0.1:0
  tls: {mode: none}
  lame_duck: 0s
admin: {address: "127.0.0.1:0", token: "${env:RIG_ADMIN}"}
environments:
  sim: {url: "SIM/{service}"}
`

const fleetConfig = fleetHead + `credentials:
  retail:
    environment: sim
    client_id: ${env:RIG_CLIENT}
    client_secret: ${env:RIG_SECRET}
    username: ${env:RIG_USER}
    password: ${file:DIR/password}
callers:
  storefront:
    keys: [{id: storefront-1, sha256: DIGEST}]
    access:
      - {credential: retail, services: {"*": write}}
`

const fleetRedis = `redis:
  addresses: [ADDRESSES]
  master_name: "MASTER"
  encryption_keys: ["${file:DIR/key-current}", "${file:DIR/key-previous}"]
  name_key: ${file:DIR/key-names}
`

// patientRedis continues fleetRedis where a test is not about outages: a busy
// machine may take longer than the usual 50 ms.
const patientRedis = "  timeout: 1s\n"

// fleetOn runs f on every topology in the long form, and on one of them in the
// short form: there all three are met by the stores' own tests, and by those of
// the fleet that do not last.
func fleetOn(t *testing.T, short string, f func(t *testing.T, topology redistest.Topology), o ...redistest.Option) {
	t.Helper()
	if *long {
		redistest.Each(t, f, o...)
		return
	}
	redistest.On(t, short, f, o...)
}

// newFleet starts the replicas; topology may be nil.
func newFleet(t *testing.T, topology redistest.Topology, o fleetOptions) *replicas {
	t.Helper()
	sim, tap, simURL := newSim(t, o.sim)
	f := &replicas{Sim: sim, tokens: tap, topology: topology, dir: t.TempDir(), binary: buildGateway(t), admin: "canary-admin-token-6b1f"}
	var digest string
	f.key, digest = auth.NewKey()
	text := o.config
	if text == "" {
		text = fleetConfig
	}
	replace := []string{"SIM", simURL, "DIGEST", digest, "DIR", f.dir}
	if topology != nil {
		text += fleetRedis
		if o.password != "" {
			text += "  password: ${file:DIR/redis-password}\n"
			f.write(t, "redis-password", o.password)
		}
		replace = append(replace, "ADDRESSES", `"`+strings.Join(topology.Addresses(), `", "`)+`"`, "MASTER", topology.MasterName())
	}
	f.file = filepath.Join(f.dir, "gateway.yaml")
	f.write(t, "gateway.yaml", strings.NewReplacer(replace...).Replace(text+o.extra))
	f.write(t, "password", rigSecrets.password+"\n")
	for _, name := range []string{"key-current", "key-previous", "key-names"} {
		f.write(t, name, newKey())
	}
	f.client = &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 2000}}
	t.Cleanup(f.client.CloseIdleConnections)
	for range max(o.replicas, 3*oneWhen(o.replicas == 0)) {
		f.all = append(f.all, f.start(t))
	}
	return f
}

func oneWhen(b bool) int {
	if b {
		return 1
	}
	return 0
}

// newKey returns 32 random bytes in base64.
func newKey() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // documented never to fail
	return base64.StdEncoding.EncodeToString(key)
}

// write replaces a file of the fleet's folder in one step.
func (f *replicas) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func (f *replicas) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(f.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// builtGateway is the programs as users run them, without the race detector;
// built once for all tests, and only if one of them asks.
var builtGateway builtProgram

type builtProgram struct {
	once sync.Once
	dir  string // holds the programs; "" = not built
	err  error
}

func (b *builtProgram) build() {
	if b.dir, b.err = os.MkdirTemp("", "iqgateway-test-"); b.err != nil {
		return
	}
	// As make build does: linking without debug information takes half the time.
	out, err := exec.CommandContext(context.Background(), "go", "build", "-ldflags=-s -w", "-o", b.dir+"/", "iqgateway/cmd/...").CombinedOutput()
	if err != nil {
		b.err = fmt.Errorf("building the programs: %w\n%s", err, out)
	}
}

func TestMain(m *testing.M) {
	code := m.Run()
	if builtGateway.dir != "" {
		_ = os.RemoveAll(builtGateway.dir)
	}
	os.Exit(code)
}

func buildGateway(t *testing.T) string {
	t.Helper()
	return filepath.Join(buildPrograms(t), "gateway")
}

// buildPrograms returns the folder that holds gateway and iqsim.
func buildPrograms(t *testing.T) string {
	t.Helper()
	if built := os.Getenv("RIG_PROGRAMS"); built != "" { // by make, just now
		return built
	}
	builtGateway.once.Do(builtGateway.build)
	if builtGateway.err != nil {
		t.Fatal(builtGateway.err)
	}
	return builtGateway.dir
}

// start runs one more replica until the test ends. Each has a data_dir of its
// own, as on machines of their own.
func (f *replicas) start(t *testing.T) *replica {
	t.Helper()
	return f.startIn(t, t.TempDir())
}

func (f *replicas) startIn(t *testing.T, data string) *replica {
	t.Helper()
	r := &replica{out: &lockedBuffer{}}
	r.command = exec.CommandContext(context.WithoutCancel(t.Context()), f.binary, "run", "-c", f.file, "--set", "data_dir="+data)
	r.command.Env = append(os.Environ(), append(rigEnviron(), "RIG_ADMIN="+f.admin)...)
	r.command.Stdout, r.command.Stderr = r.out, r.out
	if err := r.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.stop(t) })
	serving := regexp.MustCompile(`"msg":"serving".*?"server":"([^"]+)".*?"admin":"([^"]+)"`)
	await(t, "a replica serves", func() bool { return serving.MatchString(r.out.String()) })
	match := serving.FindStringSubmatch(r.out.String())
	r.server, r.adminAt = "http://"+match[1], "http://"+match[2]
	return r
}

// stop ends the replica as an orchestrator would, and wants it to end well.
func (r *replica) stop(t *testing.T) {
	t.Helper()
	if r.command.ProcessState != nil {
		return
	}
	r.thaw(t)
	_ = r.command.Process.Signal(os.Interrupt)
	if err := r.command.Wait(); err != nil {
		t.Errorf("gateway: %v\n%s", err, r.out)
	}
}

func (r *replica) kill(t *testing.T) {
	t.Helper()
	_ = r.command.Process.Kill()
	_ = r.command.Wait() // says that it was killed
}

func (r *replica) freeze(t *testing.T) { r.signal(t, syscall.SIGSTOP); r.frozen = true }

func (r *replica) thaw(t *testing.T) {
	if r.frozen {
		r.signal(t, syscall.SIGCONT)
		r.frozen = false
	}
}

func (r *replica) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := r.command.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// call makes one request of the caller storefront.
func (f *replicas) call(ctx context.Context, r *replica, method, target, body string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, r.server+target, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if body == "" {
		req.Body = http.NoBody
	}
	req.Header.Set("X-Api-Key", f.key)
	resp, err := f.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// wantOK makes one call on a replica and wants 200.
func (f *replicas) wantOK(t *testing.T, r *replica) string {
	t.Helper()
	status, text, err := f.call(t.Context(), r, http.MethodGet, customers, "")
	if err != nil || status != http.StatusOK {
		t.Fatalf("%d %s %v\n%s", status, text, err, r.out)
	}
	return text
}

// tokenCalls counts the calls of the token endpoint since the ledger was
// cleared.
func (f *replicas) tokenCalls() int { return len(f.Ledger(iqsim.LedgerQuery{Service: "accounts"})) }

// api asks the admin server of a replica.
func (f *replicas) api(t *testing.T, r *replica, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.adminAt+path, bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+f.admin)
	if method != http.MethodGet {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := f.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// metric returns the sum of the samples of a metric on a replica whose line
// holds all of the given texts.
func (f *replicas) metric(t *testing.T, r *replica, name string, having ...string) float64 {
	t.Helper()
	_, text := f.api(t, r, http.MethodGet, "/metrics", "")
	var sum float64
lines:
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, name) {
			continue
		}
		for _, h := range having {
			if !strings.Contains(line, h) {
				continue lines
			}
		}
		var value float64
		if _, err := fmt.Sscan(line[strings.LastIndex(line, " ")+1:], &value); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		sum += value
	}
	return sum
}
