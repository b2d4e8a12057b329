package redistest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Client returns a client of the test's own, as an operator or an attacker has
// one. It is closed when the test ends.
func Client(t testing.TB, topology Topology) redis.UniversalClient {
	t.Helper()
	client := redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs: topology.Addresses(), MasterName: topology.MasterName(), IsClusterMode: topology.Mode() == "cluster",
	})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// ScriptCalls returns how many scripts the server has run, by their hash and by
// their text, as it tells ("calls=3").
func (s *Server) ScriptCalls(t testing.TB) (byHash, byText string) {
	t.Helper()
	for line := range strings.Lines(s.CLI(t, "INFO", "commandstats")) {
		name, rest, _ := strings.Cut(line, ":")
		calls, _, _ := strings.Cut(rest, ",")
		switch name {
		case "cmdstat_evalsha":
			byHash = calls
		case "cmdstat_eval":
			byText = calls
		}
	}
	return byHash, byText
}

// Eventually waits until f holds; it fails the test after a generous while.
func Eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-ctx.Done():
			t.Fatalf("it never happened: %s", what)
		case <-tick.C:
		}
	}
}
