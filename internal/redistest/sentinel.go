package redistest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const masterName = "main"

// A Trio is a master with two replicas, watched by three sentinels of which
// two must agree. A master counts as down after one second. The sentinels look
// more often than by default, so that a master that was replaced learns after
// one second, not ten, that it is a replica now: until then it takes writes
// that will be lost, as in production.
type Trio struct {
	contents
	t         testing.TB
	servers   []*Server
	sentinels []*Server
}

// Sentinel starts a trio with its sentinels, ready for use and for a failover.
func Sentinel(t testing.TB, o ...Option) *Trio {
	t.Helper()
	settings := newSettings(t, o)
	x := &Trio{t: t}
	x.contents = contents{masters: func() []*Server { return []*Server{x.Master()} }, all: x.Servers}
	master := start(t, settings, plan{configuration: settings.server})
	x.servers = []*Server{master}
	for range 2 {
		x.servers = append(x.servers, start(t, settings, plan{
			configuration: func(port int, dir string) []string {
				return append(settings.server(port, dir), fmt.Sprintf("replicaof 127.0.0.1 %d", master.port))
			},
		}))
	}
	// A sentinel that starts before the replicas are attached misses them for
	// a while.
	x.wait(t, "the replicas", func(ctx context.Context) error { return x.follow(ctx, master) })
	for range 3 {
		x.sentinels = append(x.sentinels, start(t, settings, plan{
			sentinel: true,
			configuration: func(port int, dir string) []string {
				return settings.sentinel(port, master.port, dir)
			},
			prepare: hasten,
		}))
	}
	x.Settle(t)
	return x
}

// hasten makes a sentinel look at the servers and tell the others more often
// than every 10 and 2 s, and forgive a machine that stood still sooner than
// after 30 s.
func hasten(ctx context.Context, r *redis.Client) error {
	return r.Do(ctx, "SENTINEL", "DEBUG",
		"info-period", "300", "publish-period", "300", "tilt-period", "1000").Err()
}

// Settle waits until all sentinels announce the same master, which takes
// writes, and all running servers follow it, known to all sentinels: a
// failover would succeed.
func (x *Trio) Settle(t testing.TB) {
	t.Helper()
	x.wait(t, "the sentinels", x.settled)
}

func (x *Trio) wait(t testing.TB, what string, try func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := bounded(t)
	defer cancel()
	if err := await(ctx, 20*time.Millisecond, try); err != nil {
		t.Fatalf("redistest: wait for %s: %v", what, err)
	}
}

func (x *Trio) settled(ctx context.Context) error {
	master, err := x.agreed(ctx)
	if err != nil {
		return err
	}
	if err := x.follow(ctx, master); err != nil {
		return err
	}
	for _, sentinel := range x.running(x.sentinels) {
		err := sentinel.do(func(r *redis.Client) error { return x.ready(ctx, r, master) })
		if err != nil {
			return fmt.Errorf("sentinel %s: %w", sentinel.Address(), err)
		}
	}
	return nil
}

// follow is nil when every running server but the master is its replica.
func (x *Trio) follow(ctx context.Context, master *Server) error {
	for _, s := range x.running(x.servers) {
		if s == master {
			continue
		}
		err := s.do(func(r *redis.Client) error {
			info, err := r.Info(ctx, "replication").Result()
			if err != nil {
				return err
			}
			for _, want := range []string{fmt.Sprintf("master_port:%d", master.port), "master_link_status:up"} {
				if !strings.Contains(info, want+"\r\n") {
					return fmt.Errorf("not yet %s: %q", want, info)
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("%s: %w", s.Address(), err)
		}
	}
	return nil
}

// ready is nil when the sentinel sees enough sentinels and every running
// replica.
func (x *Trio) ready(ctx context.Context, r *redis.Client, master *Server) error {
	usable := fmt.Sprintf("OK %d usable", len(x.running(x.sentinels)))
	answer, err := r.Do(ctx, "SENTINEL", "CKQUORUM", masterName).Text()
	if err != nil {
		return err
	}
	if !strings.HasPrefix(answer, usable) {
		return fmt.Errorf("not yet %s: %s", usable, answer)
	}
	replicas, err := healthyReplicas(ctx, r)
	if err != nil {
		return err
	}
	for _, s := range x.running(x.servers) {
		if s != master && !replicas[s.Address()] {
			return fmt.Errorf("it does not see that %s is a replica", s.Address())
		}
	}
	return nil
}

// healthyReplicas are the addresses of those that could become the master.
func healthyReplicas(ctx context.Context, r *redis.Client) (map[string]bool, error) {
	list, err := r.Do(ctx, "SENTINEL", "REPLICAS", masterName).Slice()
	if err != nil {
		return nil, err
	}
	healthy := map[string]bool{}
	for _, entry := range list {
		fields := pairs(entry)
		if fields["flags"] == "slave" && fields["master-link-status"] == "ok" {
			healthy[fields["name"]] = true
		}
	}
	return healthy, nil
}

// pairs reads a reply of alternating names and values.
func pairs(reply any) map[string]string {
	parts, _ := reply.([]any)
	fields := map[string]string{}
	for i := 0; i+1 < len(parts); i += 2 {
		fields[fmt.Sprint(parts[i])] = fmt.Sprint(parts[i+1])
	}
	return fields
}

func (x *Trio) running(servers []*Server) []*Server {
	var list []*Server
	for _, s := range servers {
		if s.Running() {
			list = append(list, s)
		}
	}
	return list
}

// Mode is "sentinel".
func (x *Trio) Mode() string { return "sentinel" }

// MasterName is the sentinels' name of the master.
func (x *Trio) MasterName() string { return masterName }

// Addresses are those of the sentinels.
func (x *Trio) Addresses() []string { return addresses(x.sentinels) }

// Servers are the master and the replicas, always in the same order.
func (x *Trio) Servers() []*Server { return x.servers }

// Sentinels are the three sentinels, which may be frozen, killed, … as well.
func (x *Trio) Sentinels() []*Server { return x.sentinels }
