package main

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"iqgateway/internal/iqsim"
	"iqgateway/internal/redistest"
)

// REL-46: what a replica depends on may all be away: it is degraded and says of
// what, but neither unready nor dead.
func TestFleetREL46Readiness(t *testing.T) {
	server := redistest.Single(t)
	f := newFleet(t, server, fleetOptions{replicas: 1})
	r := f.all[0]
	if status, text := f.api(t, r, http.MethodGet, "/readyz", ""); status != http.StatusOK || text != "ok\n" {
		t.Errorf("all is well: %d %q", status, text)
	}
	for _, service := range []string{"accounts", "crm"} {
		if _, err := f.AddFault(iqsim.Fault{Kind: iqsim.FaultReset, Service: service}); err != nil {
			t.Fatal(err)
		}
	}
	server.Kill()
	await(t, "the replica tells of everything", func() bool {
		_, _, _ = f.call(t.Context(), r, http.MethodGet, customers, "") // has it find out
		status, text := f.api(t, r, http.MethodGet, "/readyz?verbose", "")
		if status != http.StatusOK {
			t.Fatalf("not ready: %d %s", status, text)
		}
		return strings.Contains(text, "[!] redis") && strings.Contains(text, "[!] tokens") && strings.HasSuffix(text, "degraded\n")
	})
	if status, text := f.api(t, r, http.MethodGet, "/livez", ""); status != http.StatusOK {
		t.Errorf("not alive: %d %s", status, text)
	}
}

// REL-46: an address that is taken keeps a gateway from starting at all.
func TestREL46ListenerNotBound(t *testing.T) {
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	code, _, stderr := command(t, nil, "run", "-c", "../../examples/simulator.yaml", "--set", "admin.address=127.0.0.1:0", "--set", "data_dir="+t.TempDir(), "--set", "server.address="+taken.Addr().String())
	if code != exitFailure || !strings.Contains(stderr, "server.address") || !strings.Contains(stderr, taken.Addr().String()) {
		t.Errorf("exit %d: %s", code, stderr)
	}
}
