package redistest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	errNotInstalled = errors.New("no redis-server in PATH: install it, for example with " +
		"`apt-get install redis-server` (Debian, Ubuntu) or `brew install redis`; 7.0 or newer")
	errPortTaken = errors.New("somebody else took the port meanwhile")
)

// A Server is one real Redis process, which ends with its test. It is a
// [Topology] of one. Safe for concurrent use.
type Server struct {
	contents
	t        testing.TB
	settings *settings
	port     int
	dir      string
	password string // what the harness logs in with
	sentinel bool
	// prepare runs after each start, before the server counts as ready.
	prepare func(ctx context.Context, r *redis.Client) error

	mu      sync.Mutex
	process *process
}

// Single starts one server, ready for use.
func Single(t testing.TB, o ...Option) *Server {
	t.Helper()
	settings := newSettings(t, o)
	return start(t, settings, plan{configuration: settings.server})
}

// plan is what distinguishes the servers of one topology.
type plan struct {
	configuration func(port int, dir string) []string
	withBus       bool
	sentinel      bool
	prepare       func(ctx context.Context, r *redis.Client) error
}

// start starts a server on a free port, on another one when somebody was
// quicker.
func start(t testing.TB, settings *settings, plan plan) *Server {
	t.Helper()
	s := &Server{
		t: t, settings: settings, dir: t.TempDir(),
		password: settings.password, sentinel: plan.sentinel, prepare: plan.prepare,
	}
	if s.sentinel {
		s.password = settings.sentinelPassword
	}
	s.contents = contents{masters: s.Servers, all: s.Servers}
	t.Cleanup(s.end)

	ctx, cancel := bounded(t)
	defer cancel()
	for {
		err := s.first(ctx, plan)
		if err == nil {
			return s
		}
		if !errors.Is(err, errPortTaken) || ctx.Err() != nil {
			t.Fatalf("redistest: start redis-server: %v", err)
		}
	}
}

func (s *Server) first(ctx context.Context, plan plan) error {
	port, err := freePort(plan.withBus)
	if err != nil {
		return err
	}
	s.port = port
	text := strings.Join(plan.configuration(port, s.dir), "\n") + "\n"
	if err := os.WriteFile(s.file("redis.conf"), []byte(text), 0o600); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.launch(ctx)
}

// launch starts the process and waits until it answers; s.mu is held.
func (s *Server) launch(ctx context.Context) error {
	var arguments []string
	if s.sentinel {
		arguments = append(arguments, "--sentinel")
	}
	before := len(s.log())
	process, err := launch(ctx, s.file("redis.conf"), s.file("redis.log"), arguments...)
	if err != nil {
		return err
	}
	s.process = process
	ready, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	err = await(ready, 3*time.Millisecond, func(ctx context.Context) error {
		if !process.running() {
			stop(errEnded)
		}
		return s.answers(ctx, process.pid())
	})
	if err == nil {
		return nil
	}
	said := s.log()[before:]
	switch {
	case !errors.Is(context.Cause(ready), errEnded):
		return errors.Join(err, process.kill())
	case strings.Contains(said, "Address already in use"):
		return errPortTaken
	default:
		return fmt.Errorf("it ended at once (%w) and said:\n%s", process.err, said)
	}
}

var errEnded = errors.New("the process ended")

// answers is nil when the process, and not another one on its port, is ready.
func (s *Server) answers(ctx context.Context, pid int) error {
	// The client library logs each failure to connect.
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp4", s.Address())
	if err != nil {
		return err
	}
	connection.Close()
	return s.do(func(r *redis.Client) error {
		info, err := r.Info(ctx, "server").Result()
		if err != nil {
			return err
		}
		if !strings.Contains(info, fmt.Sprintf("process_id:%d\r\n", pid)) {
			return errPortTaken
		}
		if s.prepare == nil {
			return nil
		}
		return s.prepare(ctx, r)
	})
}

// Address is the server's host:port, the same after a restart.
func (s *Server) Address() string { return address(s.port) }

// PID is the id of the last process started.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process.pid()
}

// TLS is what a client needs to trust the server; nil without [WithTLS].
func (s *Server) TLS() *tls.Config { return s.settings.clientTLS() }

// Mode is "single".
func (s *Server) Mode() string { return "single" }

// MasterName is empty: only sentinels know masters by name.
func (s *Server) MasterName() string { return "" }

// Addresses is the server's address alone.
func (s *Server) Addresses() []string { return []string{s.Address()} }

// Servers is the server alone.
func (s *Server) Servers() []*Server { return []*Server{s} }

func (s *Server) file(name string) string { return filepath.Join(s.dir, name) }

func (s *Server) log() string {
	text, err := os.ReadFile(s.file("redis.log"))
	if err != nil {
		return ""
	}
	return string(text)
}

// end is the clean-up of the test.
func (s *Server) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		if err := s.process.kill(); err != nil {
			s.t.Errorf("redistest: end %s: %v", s.Address(), err)
		}
	}
	if s.t.Failed() {
		s.t.Logf("redistest: the end of the log of %s:\n%s", s.Address(), tail(s.log(), 8<<10))
	}
}

// tail returns the last lines of text, at most limit bytes.
func tail(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	text = text[len(text)-limit:]
	_, whole, _ := strings.Cut(text, "\n")
	return whole
}

// report gives an error to the test; it does not stop the goroutine, which
// need not be the test's.
func (s *Server) report(action string, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Errorf("redistest: %s %s: %v", action, s.Address(), err)
	}
}

// signal needs a running process.
func (s *Server) signal(signal syscall.Signal) error {
	if !s.process.running() {
		return errors.New("it is not running")
	}
	return s.process.signal(signal)
}
