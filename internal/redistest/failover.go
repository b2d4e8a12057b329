package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Master is the server that all running sentinels announce as the master and
// that takes writes; Master waits until there is one.
func (x *Trio) Master() *Server {
	x.t.Helper()
	var master *Server
	x.wait(x.t, "a master", func(ctx context.Context) (err error) {
		master, err = x.agreed(ctx)
		return err
	})
	return master
}

// Failover makes the sentinels replace the healthy master and returns the new
// one: announced by all sentinels, taking writes, followed by all running
// servers.
func (x *Trio) Failover(t testing.TB) *Server {
	t.Helper()
	x.Settle(t)
	old := x.Master()
	leader := running(x.sentinels)[0]
	x.wait(t, "a new master", func(ctx context.Context) error {
		return x.replace(ctx, leader, old)
	})
	x.Settle(t)
	return x.Master()
}

// replace asks the leading sentinel for a failover until it announces another
// master: an attempt may be refused or time out on a busy machine.
func (x *Trio) replace(ctx context.Context, leader, old *Server) error {
	return leader.do(func(r *redis.Client) error {
		now, err := announced(ctx, r)
		if err != nil || now != old.Address() {
			return err
		}
		if err := r.Do(ctx, "SENTINEL", "FAILOVER", masterName).Err(); err != nil {
			return err
		}
		return fmt.Errorf("%s is still announced as the master", now)
	})
}

// KillMaster kills the master (SIGKILL) and returns the server that the
// sentinels put in its place. The killed one can be started again; it then
// becomes a replica, see [Trio.Settle]. Sentinels wait 6 s after the start of
// a failover before they try another.
func (x *Trio) KillMaster(t testing.TB) *Server {
	t.Helper()
	x.Settle(t)
	x.Master().Kill()
	x.Settle(t)
	return x.Master()
}

// agreed is the server that all running sentinels announce, if it takes writes.
func (x *Trio) agreed(ctx context.Context) (*Server, error) {
	var master string
	for _, sentinel := range running(x.sentinels) {
		var now string
		err := sentinel.do(func(r *redis.Client) (err error) {
			now, err = announced(ctx, r)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("sentinel %s: %w", sentinel.Address(), err)
		}
		if master == "" {
			master = now
		}
		if now != master {
			return nil, fmt.Errorf("some sentinels announce %s, others %s", master, now)
		}
	}
	for _, s := range x.servers {
		if s.Address() == master {
			return s, s.takesWrites(ctx)
		}
	}
	return nil, fmt.Errorf("the sentinels announce the master %q", master)
}

// announced is the address of the master that one sentinel tells clients; an
// error while it is busy replacing it.
func announced(ctx context.Context, r *redis.Client) (string, error) {
	reply, err := r.Do(ctx, "SENTINEL", "MASTER", masterName).Result()
	if err != nil {
		return "", err
	}
	fields := pairs(reply)
	if strings.Contains(fields["flags"], "failover_in_progress") {
		return "", errors.New("a failover is in progress")
	}
	return net.JoinHostPort(fields["ip"], fields["port"]), nil
}

// takesWrites is nil for a master: a replica refuses even a deletion that
// would remove nothing.
func (s *Server) takesWrites(ctx context.Context) error {
	if !s.Running() {
		return errors.New("the announced master " + s.Address() + " is not running")
	}
	return s.do(func(r *redis.Client) error {
		return r.Unlink(ctx, "redistest:no-such-key").Err()
	})
}
