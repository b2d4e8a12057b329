package compose_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"iqgateway/internal/redistest"
	"iqgateway/test/rig"
)

// TestTopology starts what compose starts, as processes on loopback: the same
// configuration and the same command lines, but for the addresses.
func TestTopology(t *testing.T) {
	d := newDemo(t)
	d.start(t, "iqsim", d.iqsim, d.services["iqsim"]...)
	for i, g := range d.gateways {
		rig.Must(t, g.Start(t.Context()))
		t.Cleanup(func() { // before the programs that it uses end
			if err := g.Stop(); err != nil || t.Failed() {
				t.Logf("gateway %d: %v\n%s", i+1, err, tail(g.Log.String()))
			}
		})
	}
	d.start(t, "traffic", d.iqsim, append(d.services["traffic"], "--trouble=1s", "--report=1s")...)
	var missing []string
	err := rig.Await(t.Context(), 90*time.Second, "the demonstration shows everything", func() bool {
		missing = d.missing(t)
		return len(missing) == 0
	})
	if err != nil {
		t.Errorf("%v; missing are %s", err, strings.Join(missing, ", "))
	}
}

// missing is what is not to be seen yet at some gateway.
func (d *demo) missing(t *testing.T) []string {
	t.Helper()
	const requests = "http_server_request_duration_seconds_count"
	var missing []string
	for i, address := range d.status {
		text, err := rig.Fetch(t.Context(), "http://"+address+"/metrics")
		if err != nil {
			return []string{err.Error()}
		}
		for _, shown := range [][]string{
			{requests, `http_response_status_code="200"`},
			{requests, `http_response_status_code="401"`},
			{requests, `http_response_status_code="404"`},
			{requests, `http_request_method="POST"`, `http_response_status_code="201"`},
			{"iqgw_caller_limit_refused_total", `caller="kiosk"`},
			{"iqgw_cache_requests_total", `result="hit"`},
			{"iqgw_cache_requests_total", `result="miss"`},
			{"iqgw_retry_attempts_total"},
			{"iqgw_quota_queue_wait_seconds_count"},
			{"iqgw_token_fetch_duration_seconds_count"},
		} {
			if n, err := rig.Metrics(text).Sum(shown[0], shown[1:]...); err != nil || n == 0 {
				missing = append(missing, fmt.Sprintf("%s at gateway %d", shown, i+1))
			}
		}
		if n, err := rig.Metrics(text).Sum("iqgw_store_replicas"); err != nil || n != 2 {
			missing = append(missing, fmt.Sprintf("the other replica at gateway %d: %v, %v", i+1, n, err))
		}
	}
	if d.spans.Load() == 0 {
		missing = append(missing, "spans")
	}
	return missing
}

// demo is the demonstration.
type demo struct {
	iqsim    string
	gateways []*rig.Gateway
	status   []string            // addresses of their status listeners
	services map[string][]string // command lines
	spans    atomic.Int64        // exports
}

func newDemo(t *testing.T) *demo {
	t.Helper()
	binary, err := program.Path()
	rig.Must(t, err)
	dir := t.TempDir()
	d := &demo{iqsim: filepath.Join(dir, "iqsim"), services: map[string][]string{}}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", d.iqsim, "./cmd/iqsim")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	makeSecrets(t, dir)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/traces" {
			d.spans.Add(1)
		}
	}))
	t.Cleanup(collector.Close)
	sim, err := rig.FreeAddress()
	rig.Must(t, err)
	redis := redistest.Single(t)
	hosts := []string{
		"/secrets", dir, "http://jaeger:4318", collector.URL, "redis:6379", redis.Address(), "0.0.0.0:19900", sim, "iqsim:19900", sim,
	}
	for i := range 2 {
		d.addGateway(t, binary, filepath.Join(dir, fmt.Sprintf("gateway-%d.yaml", i+1)), hosts)
		hosts = append(hosts, fmt.Sprintf("gateway-%d:8080", i+1), d.gateways[i].Server)
	}
	for name, s := range open(t).Services {
		for _, word := range s.Command {
			d.services[name] = append(d.services[name], strings.NewReplacer(hosts...).Replace(word))
		}
	}
	return d
}

// makeSecrets does what the service secrets does.
func makeSecrets(t *testing.T, dir string) {
	t.Helper()
	entrypoint := strings.NewReplacer("/make-secrets.sh", folder+"/make-secrets.sh", "/callers.yaml", filepath.Join(absolute(t, folder), "callers.yaml"), "/secrets", dir)
	for range 2 { // the second time it leaves all as it is
		var words []string
		for _, word := range open(t).Services["secrets"].Entrypoint {
			words = append(words, entrypoint.Replace(word))
		}
		if out, err := exec.CommandContext(t.Context(), words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if text := read(t, dir+"/callers.yaml"); strings.Contains(text, "DIGEST of") {
		t.Errorf("a caller has no key:\n%s", text)
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	rig.Must(t, err)
	return path
}

func (d *demo) addGateway(t *testing.T, binary, file string, hosts []string) {
	t.Helper()
	status, err := rig.FreeAddress()
	rig.Must(t, err)
	text := strings.NewReplacer(append([]string{"0.0.0.0:9091", status}, hosts...)...).Replace(read(t, folder+"/gateway.yaml"))
	rig.Must(t, os.WriteFile(file, []byte(text), 0o600))
	if out, err := exec.CommandContext(t.Context(), binary, "validate", "-c", file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	g, err := rig.NewGateway(binary, file, t.TempDir())
	rig.Must(t, err)
	d.gateways, d.status = append(d.gateways, g), append(d.status, status)
}

// start starts a program, which ends well when it is told to.
func (d *demo) start(t *testing.T, name, binary string, words ...string) {
	t.Helper()
	// Its end is the test's to choose.
	process := exec.CommandContext(context.WithoutCancel(t.Context()), binary, words...)
	var out bytes.Buffer
	process.Stdout, process.Stderr = &out, &out
	rig.Must(t, process.Start())
	t.Cleanup(func() {
		rig.Must(t, process.Process.Signal(syscall.SIGTERM))
		if err := process.Wait(); err != nil || t.Failed() {
			t.Errorf("%s: %v\n%s", name, err, tail(out.String()))
		}
	})
}

// tail is the end of what a program wrote.
func tail(text string) string { return text[max(0, len(text)-4000):] }
