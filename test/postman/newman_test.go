package postman_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iqgateway/auth"
	"iqgateway/internal/iqsim"
	"iqgateway/test/rig"
)

var program = rig.Program{Root: root()}

func TestMain(m *testing.M) {
	os.Exit(program.Run(m.Run))
}

const configuration = `version: 1
server: {tls: {mode: none}, lame_duck: 0s, drain_timeout: 1s}
admin: {token: "${env:RIG_ADMIN}"}
environments:
  sim: {url: "ORIGIN/{service}"}
credentials:
  retail: {environment: sim, client_id: sim-client, client_secret: "${env:RIG_SECRET}", username: sim@example.com, password: "${env:RIG_PASSWORD}"}
callers:
  tester:
    keys: [{id: tester-1, sha256: DIGEST}]
    access: [{credential: retail, services: {"*": write}}]
`

// run is what newman tells of its run.
type run struct {
	Run struct {
		Executions []execution
		Failures   []struct {
			Source struct{ Name string }
			Error  struct{ Test, Message string }
		}
	}
}

type execution struct {
	Item    struct{ Name string }
	Request struct {
		Method string
		URL    struct{ Path []string }
	}
	Response struct {
		Code   int
		Stream struct{ Data []int } // as Node writes a Buffer
	}
	Assertions []struct{ Assertion string }
}

// Every request of the collection is made once, nothing fails, and each write has
// had its effect upstream once.
func TestCollectionRuns(t *testing.T) {
	sim, err := iqsim.New(iqsim.Options{})
	rig.Must(t, err)
	origin := httptest.NewServer(sim)
	t.Cleanup(origin.Close)
	key, digest := auth.NewKey()
	admin := rig.NewKey()
	gateway := startGateway(t, strings.NewReplacer("ORIGIN", origin.URL, "DIGEST", digest).Replace(configuration), admin)

	got := newman(t, map[string]string{
		"baseUrl": "http://" + gateway.Server, "adminUrl": "http://" + gateway.Admin, "apiKey": key, "adminToken": admin,
	})
	for _, f := range got.Run.Failures {
		t.Errorf("%s: %s: %s", f.Source.Name, f.Error.Test, f.Error.Message)
	}
	var want, made []string
	for _, r := range requests(read[collection](t, documents(collectionFile)).Item) {
		want = append(want, r.Name)
	}
	assertions := 0
	for _, e := range got.Run.Executions {
		made = append(made, e.Item.Name)
		assertions += len(e.Assertions)
	}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Errorf("requests (-in the collection +made)\n%s", diff)
	}
	writes := writesOf(got.Run.Executions)
	if len(writes) < 25 {
		t.Errorf("only %d writes: %v", len(writes), writes)
	}
	if diff := cmp.Diff(writes, writesUpstream(sim)); diff != "" {
		t.Errorf("writes (-made +executed upstream)\n%s", diff)
	}
	wantDescribed(t, got.Run.Executions)
	t.Logf("%d requests, %d assertions", len(made), assertions)
	if t.Failed() {
		t.Log(gateway.Log)
	}
}

// writesOf are the calls of services that change something, by what they say.
func writesOf(executions []execution) []string {
	var writes []string
	for _, e := range executions {
		path := "/" + strings.Join(e.Request.URL.Path, "/")
		if !isRead(e.Request.Method, path) && !strings.HasPrefix(path, "/api/") {
			writes = append(writes, e.Request.Method+" "+path)
		}
	}
	slices.Sort(writes)
	return writes
}

func writesUpstream(sim *iqsim.Sim) []string {
	var writes []string
	for _, e := range sim.Ledger(iqsim.LedgerQuery{Executed: true}) {
		path, _, _ := strings.Cut(e.Target, "?")
		if e.Service != "accounts" && !isRead(e.Method, path) {
			writes = append(writes, e.Method+" "+path)
		}
	}
	slices.Sort(writes)
	return writes
}

// isRead goes by the method, but for the GET of DataConnect that writes.
func isRead(method, path string) bool {
	return method == "GET" && !strings.Contains(path, "/Import/")
}

func startGateway(t *testing.T, text, admin string) *rig.Gateway {
	t.Helper()
	file := filepath.Join(t.TempDir(), "gateway.yaml")
	rig.Must(t, os.WriteFile(file, []byte(text), 0o600))
	binary, err := program.Path()
	rig.Must(t, err)
	gateway, err := rig.NewGateway(binary, file, t.TempDir(), "RIG_SECRET=sim-secret", "RIG_PASSWORD=sim-password", "RIG_ADMIN="+admin)
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

// newman runs the collection in the simulator's environment, with these variables.
func newman(t *testing.T, variables map[string]string) run {
	t.Helper()
	script := root("bin", "newman", "node_modules", "newman", "bin", "newman.js")
	if _, err := os.Stat(script); err != nil {
		t.Fatalf("newman is not installed: run make deps (%v)", err)
	}
	report := filepath.Join(t.TempDir(), "report.json")
	arguments := []string{
		script, "run", documents(collectionFile), "-e", documents("simulator.postman_environment.json"),
		"--reporters", "json", "--reporter-json-export", report, "--timeout-request", "30000",
	}
	for name, value := range variables {
		arguments = append(arguments, "--env-var", name+"="+value)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "node", arguments...).CombinedOutput()
	if _, missing := os.Stat(report); missing != nil {
		t.Fatal(fmt.Errorf("newman: %w\n%s", err, out))
	}
	return read[run](t, report) // says what failed, and why
}
