package redistest

import (
	"context"
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
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
