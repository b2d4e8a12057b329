package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	errNotInstalled = errors.New("no redis-server in PATH: install it, for example with " +
		"`apt-get install redis-server` (Debian, Ubuntu) or `brew install redis`; 7.0 or newer")
	errPortTaken = errors.New("somebody else took the port meanwhile")
	errEnded     = errors.New("the process ended")
)

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
	go func() {
		select {
		case <-process.ended:
			stop(errEnded)
		case <-ready.Done():
		}
	}()
	err = await(ready, 3*time.Millisecond, func(ctx context.Context) error {
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
		return fmt.Errorf("it ended at once (%s) and said:\n%s", process.command.ProcessState, said)
	}
}

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
