package redistest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// do runs f with a connection of its own, closed afterwards: the harness holds
// no connection or goroutine that a test for leaks would find.
func (s *Server) do(f func(r *redis.Client) error) error {
	r := redis.NewClient(&redis.Options{
		Addr: s.Address(), Password: s.password, TLSConfig: s.settings.clientTLS(),
		Protocol: 2, PoolSize: 1, MaxRetries: -1, DialerRetries: 1,
		DialTimeout: time.Second, ReadTimeout: patience, ContextTimeoutEnabled: true,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	return errors.Join(f(r), r.Close())
}

// must runs f and stops the test on an error.
func (s *Server) must(t testing.TB, action string, f func(ctx context.Context, r *redis.Client) error) {
	t.Helper()
	ctx, cancel := bounded(t)
	defer cancel()
	if err := s.do(func(r *redis.Client) error { return f(ctx, r) }); err != nil {
		t.Fatalf("redistest: %s %s: %v", action, s.Address(), err)
	}
}

// CLI runs redis-cli with the arguments against the server and returns what it
// prints, trimmed. An error reply stops the test.
func (s *Server) CLI(t testing.TB, arguments ...string) string {
	t.Helper()
	ctx, cancel := bounded(t)
	defer cancel()
	fixed := []string{"-e", "--no-auth-warning", "-h", "127.0.0.1", "-p", strconv.Itoa(s.port)}
	if authority := s.settings.authority; authority != nil {
		fixed = append(fixed, "--tls", "--cacert", authority.rootFile)
	}
	command := exec.CommandContext(ctx, "redis-cli", append(fixed, arguments...)...)
	if s.password != "" { // redis-cli would log in with an empty one
		command.Env = append(os.Environ(), "REDISCLI_AUTH="+s.password)
	}
	var failure bytes.Buffer
	command.Stderr = &failure
	output, err := command.Output()
	if err != nil {
		t.Fatalf("redistest: redis-cli %s: %v: %s%s", strings.Join(arguments, " "), err, output, failure.Bytes())
	}
	return strings.TrimSpace(string(output))
}

// SetMaxMemory changes the memory bound of the running server; 0 = none. See
// [WithMaxMemory].
func (s *Server) SetMaxMemory(t testing.TB, bytes int64, policy string) {
	t.Helper()
	s.must(t, "set the memory bound of", func(ctx context.Context, r *redis.Client) error {
		if err := r.ConfigSet(ctx, "maxmemory-policy", policy).Err(); err != nil {
			return err
		}
		return r.ConfigSet(ctx, "maxmemory", strconv.FormatInt(bytes, 10)).Err()
	})
}
