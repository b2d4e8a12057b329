package traces_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"iqgateway/internal/iqsim"
	"iqgateway/test/rig"
)

// seen returns what reached a service, "" = any.
func (s *subject) seen(service string) []iqsim.LedgerEntry {
	return s.Ledger(iqsim.LedgerQuery{Service: service})
}

// TestSpansSayWhoseTheyAre: which program, which version, which replica, and what
// the environment adds.
func TestSpansSayWhoseTheyAre(t *testing.T) {
	t.Parallel()
	s := newSubject(t, settings{environ: []string{"OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=test"}})
	a := s.do(t, ask{target: customers}, http.StatusOK)
	s.collect(t, 2)
	replica, _, _ := strings.Cut(a.id(), "-")
	for _, span := range s.sink.Spans() {
		for name, want := range map[string]string{
			"service.name": "iqgateway", "service.instance.id": replica, "deployment.environment.name": "test",
		} {
			if got := span.Resource[name]; got != want {
				t.Errorf("%s: %s is %v, want %s", span.Name, name, got, want)
			}
		}
		if version, _ := span.Resource["service.version"].(string); version == "" {
			t.Errorf("%s has no service.version", span.Name)
		}
	}
}

// TestNothingIsDialled: where nothing is configured nothing is exported, to
// nobody, not even to the usual port of this machine.
func TestNothingIsDialled(t *testing.T) {
	t.Parallel()
	s := newSubject(t, settings{noTraces: true})
	for range 20 {
		s.do(t, ask{target: customers}, http.StatusOK)
		for remote := range s.remotes(t) {
			if strings.HasSuffix(remote, ":4318") || strings.HasSuffix(remote, ":4317") || remote == s.sink.Address {
				t.Fatalf("connected to %s", remote)
			}
		}
	}
	if s.sink.Connections() != 0 {
		t.Error("connected to the sink")
	}
	metrics, err := s.gateway.Metrics(t.Context())
	rig.Must(t, err)
	if lost, err := metrics.Sum("iqgw_telemetry_dropped_total", `signal="traces"`); lost != 0 || err != nil {
		t.Errorf("%g spans were lost, %v", lost, err)
	}
}

// remotes are the other ends of the TCP connections of the gateway's process,
// also of those that are being opened.
func (s *subject) remotes(t *testing.T) map[string]bool {
	t.Helper()
	sockets := map[string]bool{}
	dir := fmt.Sprintf("/proc/%d/fd", s.gateway.PID())
	list, err := os.ReadDir(dir)
	rig.Must(t, err)
	for _, fd := range list {
		if to, err := os.Readlink(filepath.Join(dir, fd.Name())); err == nil { // else it is closed by now
			sockets[strings.TrimSuffix(strings.TrimPrefix(to, "socket:["), "]")] = true
		}
	}
	found := map[string]bool{}
	for _, file := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", s.gateway.PID(), file))
		rig.Must(t, err)
		for line := range strings.Lines(string(text)) {
			if fields := strings.Fields(line); len(fields) > 9 && sockets[fields[9]] {
				found[remoteOf(t, fields[2])] = true
			}
		}
	}
	return found
}

// remoteOf reads an address as proc_net_tcp writes it; of IPv6 the port alone.
func remoteOf(t *testing.T, text string) string {
	t.Helper()
	address, port, _ := strings.Cut(text, ":")
	var a, b, c, d, p int
	_, err := fmt.Sscanf(port, "%x", &p)
	rig.Must(t, err)
	if len(address) != 8 {
		return fmt.Sprintf("[]:%d", p)
	}
	_, err = fmt.Sscanf(address, "%2x%2x%2x%2x", &d, &c, &b, &a) // little endian
	rig.Must(t, err)
	return fmt.Sprintf("%d.%d.%d.%d:%d", a, b, c, d, p)
}
