package redistest_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"iqgateway/internal/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client is what a user of the harness would build from a topology.
func client(t *testing.T, topology redistest.Topology, change ...func(*redis.UniversalOptions)) redis.UniversalClient {
	t.Helper()
	options := &redis.UniversalOptions{
		Addrs: topology.Addresses(), MasterName: topology.MasterName(),
		IsClusterMode: topology.Mode() == "cluster", ContextTimeoutEnabled: true,
	}
	for _, f := range change {
		f(options)
	}
	r := redis.NewUniversalClient(options)
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func set(t *testing.T, r redis.UniversalClient, key, value string) {
	t.Helper()
	if err := r.Set(t.Context(), key, value, time.Minute).Err(); err != nil {
		t.Fatalf("set %s: %v", key, err)
	}
}

func ping(t *testing.T, r redis.UniversalClient, within time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	return r.Ping(ctx).Err()
}

// A recorder is a test that may fail without failing the one that watches it.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	failed   bool
	said     strings.Builder
	cleanups []func()
}

// record runs f as a test of its own, with its clean-ups, to its end.
func record(t *testing.T, f func(t testing.TB)) *recorder {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(r)
	}()
	<-done
	for _, cleanup := range slices.Backward(r.cleanups) {
		cleanup()
	}
	return r
}

func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func (r *recorder) Logf(format string, arguments ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(&r.said, format+"\n", arguments...)
}

func (r *recorder) Errorf(format string, arguments ...any) {
	r.Logf(format, arguments...)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = true
}

func (r *recorder) Fatalf(format string, arguments ...any) {
	r.Errorf(format, arguments...)
	runtime.Goexit()
}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// failsSaying checks that the recorded test failed and said each of the words.
func (r *recorder) failsSaying(t *testing.T, words ...string) {
	t.Helper()
	if !r.Failed() {
		t.Error("the recorded test has not failed")
	}
	for _, word := range words {
		if !strings.Contains(r.said.String(), word) {
			t.Errorf("it does not say %q but:\n%s", word, r.said.String())
		}
	}
}
