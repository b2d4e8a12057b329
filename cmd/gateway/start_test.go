package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
)

// command runs one command line to its end.
func command(t *testing.T, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var out, errs bytes.Buffer
	p := program{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, environ: environ, started: func(addresses) {
		t.Error("a gateway started")
		cancel()
	}}
	code = p.run(ctx, args)
	return code, out.String(), errs.String()
}

// A bad configuration never starts the gateway: exit 3, the place and the
// reason, nothing listening.
func TestBadConfigurationStartsNothing(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	head := "version: 1\nserver: {address: \"" + address + "\", tls: {mode: none}}\nadmin: {address: \"127.0.0.1:0\"}\n"
	for name, tt := range map[string]struct{ text, want string }{
		"unknown key":      {"serverr: {}\n", "gateway.yaml:4: serverr:"},
		"no YAML":          {"callers: [\n", "gateway.yaml:"},
		"missing variable": {"credentials: {a: {environment: rc, client_id: \"${env:NOPE}\", client_secret: x, username: x, password: x}}\n", "NOPE"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "gateway.yaml")
			if err := os.WriteFile(file, []byte(head+tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			code, _, stderr := command(t, nil, "run", "-c", file)
			if code != exitConfig || !strings.Contains(stderr, tt.want) {
				t.Errorf("exit %d, %s; want %d and %q", code, stderr, exitConfig, tt.want)
			}
			if conn, err := net.Dial("tcp", address); err == nil {
				_ = conn.Close()
				t.Error("something listens")
			}
		})
	}
}

func TestTakenAddressIsNamed(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "gateway.yaml")
	text := "version: 1\nserver: {address: \"" + taken.Addr().String() + "\", tls: {mode: none}}\nadmin: {address: \"127.0.0.1:0\"}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := command(t, nil, "run", "-c", file)
	if code != exitFailure || !strings.Contains(stderr, "server.address") || !strings.Contains(stderr, taken.Addr().String()) {
		t.Errorf("exit %d, %s", code, stderr)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--help"}, exitOK, "gateway demo"},
		{[]string{"version"}, exitOK, "iqgateway dev"},
		{[]string{"version", "-o", "xml"}, exitUsage, "xml"},
		{[]string{"version", "-o", "yaml"}, exitOK, "version: dev"},
		{[]string{"key", "new", "--caller", "Foo Bar"}, exitUsage, "Foo Bar"},
		{[]string{"key", "new", "--expires", "tomorrow"}, exitUsage, "tomorrow"},
		{[]string{"run", "-c", "x", "--set", "nonsense"}, exitUsage, "KEY=VALUE"},
		{[]string{"rnu"}, exitUsage, "did you mean run"},
		{[]string{"run"}, exitUsage, "--config"},
		{[]string{"run", "--nope"}, exitUsage, "--nope"},
		{[]string{"run", "-c", "/nowhere.yaml"}, exitConfig, "/nowhere.yaml"},
		{[]string{"config", "nope"}, exitUsage, "nope"},
		{[]string{"key", "hash", "iqgw_visible"}, exitUsage, "standard input"},
		{[]string{"key", "new", "--caller", "shop", "--expires", "2027-12-31"}, exitOK, "shop-1"},
		{[]string{"config", "schema"}, exitOK, "json-schema.org"},
		{[]string{"completion", "bash"}, exitOK, "__start_gateway"},
		{[]string{"explain", "-c", "../../examples/full.yaml", "GET /crm/v1/x"}, exitUsage, "--as"},
		{[]string{"explain", "-c", "../../examples/full.yaml", "--as", "nobody", "GET /crm/v1/x"}, exitUsage, "nobody"},
		{[]string{"validate", "--offline", "-c", "../../examples/full.yaml"}, exitOK, "is valid"},
		{[]string{"validate", "-c", "../../examples/simulator.yaml"}, exitOK, "is valid"},
		{[]string{"config", "print", "--offline", "-c", "../../examples/full.yaml"}, exitOK, "/run/secrets/iq/password"},
	} {
		code, stdout, stderr := command(t, nil, tt.args...)
		if code != tt.code || !strings.Contains(stdout+stderr, tt.want) {
			t.Errorf("gateway %v: exit %d, want %d with %q\n%.500s%.500s", tt.args, code, tt.code, tt.want, stdout, stderr)
		}
	}
}

// Every key of the schema has a stage that reads it.
func TestEverySettingIsActive(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := command(t, nil, "validate", "--offline", "-c", "../../examples/full.yaml")
	if code != exitOK || strings.Contains(stdout+stderr, "not active yet") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
}

// The first request after a start is served, and the probes say so.
func TestReadyAndMeasured(t *testing.T) {
	r := newRig(t, rigOptions{})
	r.get(t, "http://"+r.Admin+"/livez").want(t, http.StatusOK)
	if a := r.get(t, "http://"+r.Admin+"/readyz").want(t, http.StatusOK); a.text != "ok\n" {
		t.Errorf("readyz: %q", a.text)
	}
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	await(t, "the request is measured", func() bool {
		text := r.get(t, "http://"+r.Admin+"/metrics").text
		return strings.Contains(text, `http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="200",http_route="/sim/crm/v1/Companies({company})/Customers**",url_scheme="https"} 1`) &&
			strings.Contains(text, `iqgw_exchanges_total{caller="storefront",environment="sim",outcome="ok",service="crm"} 1`) &&
			strings.Contains(text, `http_client_request_duration_seconds_count{credential="retail",environment="sim",http_request_method="GET",http_response_status_code="200"`)
	})
}

// Stopping loses no request: what runs ends, connections end after an answer.
func TestStoppingDrains(t *testing.T) {
	sim, _, simURL := newSim(t, iqsim.Options{})
	if _, err := sim.AddFault(iqsim.Fault{Kind: iqsim.FaultLatency, Service: "crm", Delay: iqsim.Duration(300 * time.Millisecond)}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "gateway.yaml")
	text := strings.NewReplacer("SIM", simURL, "DIGEST", digestOf("the-key"), "DIR", t.TempDir(), "ACCESS", `{"*": read}`, "{mode: self_signed}", "{mode: none}", "lame_duck: 0s", "lame_duck: 200ms").Replace(rigConfig)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	started, ended := make(chan addresses, 1), make(chan int, 1)
	var stdout, stderr lockedBuffer
	p := program{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, environ: rigEnviron(), started: func(a addresses) { started <- a }}
	go func() { ended <- p.run(ctx, []string{"run", "-c", file}) }()
	a := <-started
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	statuses := make(chan string, 1)
	go func() {
		req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, "http://"+a.Server+customers, nil)
		if err != nil {
			statuses <- err.Error()
			return
		}
		req.Header.Set("X-Api-Key", "the-key")
		resp, err := client.Do(req)
		if err != nil {
			statuses <- err.Error()
			return
		}
		_ = resp.Body.Close()
		statuses <- resp.Status
	}()
	await(t, "the request is upstream", func() bool { return len(sim.Ledger(iqsim.LedgerQuery{Service: "crm"})) == 1 })
	stop()
	if got := <-statuses; got != "200 OK" {
		t.Errorf("the running request got %s", got)
	}
	if code := <-ended; code != exitOK {
		t.Errorf("exit %d: %s", code, stderr.String())
	}
}
