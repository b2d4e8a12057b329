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
// servers. What was written before the call is kept.
func (x *Trio) Failover(t testing.TB) *Server {
	t.Helper()
	old := x.copied(t)
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
// becomes a replica, see [Trio.Settle]. What was written before the call is
// kept; kill the [Trio.Master] yourself to lose what no replica has yet.
// Sentinels wait 6 s after the start of a failover before they try another.
func (x *Trio) KillMaster(t testing.TB) *Server {
	t.Helper()
	x.copied(t).Kill()
	x.Settle(t)
	return x.Master()
}

// copied waits until all running replicas have what the master has now, and
// returns the master. A replica that calls its link up may not get the
// master's writes until a second later.
func (x *Trio) copied(t testing.TB) *Server {
	t.Helper()
	x.Settle(t)
	master, replicas := x.Master(), len(running(x.servers))-1
	master.must(t, "copy to the replicas of", func(ctx context.Context, r *redis.Client) error {
		// WAIT looks at what was written before its connection's last command.
		if err := r.Ping(ctx).Err(); err != nil {
			return err
		}
		reached, err := r.Do(ctx, "WAIT", replicas, (patience / 2).Milliseconds()).Int()
		if err == nil && reached < replicas {
			err = fmt.Errorf("%d of %d have followed", reached, replicas)
		}
		return err
	})
	return master
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
