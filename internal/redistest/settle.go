package redistest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Settle waits until all running sentinels announce the same master, which
// takes writes, and all running servers follow it, known to all sentinels: a
// failover would succeed. A server that still takes itself for the master is
// told otherwise, sooner than the sentinels would.
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
	for _, sentinel := range running(x.sentinels) {
		err := sentinel.do(func(r *redis.Client) error { return x.ready(ctx, r, master) })
		if err != nil {
			return fmt.Errorf("sentinel %s: %w", sentinel.Address(), err)
		}
	}
	return nil
}

// follow is nil when every running server but the master is its replica.
func (x *Trio) follow(ctx context.Context, master *Server) error {
	for _, s := range running(x.servers) {
		if s == master {
			continue
		}
		if err := s.do(func(r *redis.Client) error { return attached(ctx, r, master) }); err != nil {
			return fmt.Errorf("%s: %w", s.Address(), err)
		}
	}
	return nil
}

// attached is nil when the server is a replica of the master and up to date.
func attached(ctx context.Context, r *redis.Client, master *Server) error {
	info, err := r.Info(ctx, "replication").Result()
	if err != nil {
		return err
	}
	if strings.Contains(info, "role:master\r\n") {
		err := r.Do(ctx, "REPLICAOF", "127.0.0.1", master.port).Err()
		return errors.Join(errors.New("it took itself for a master"), err)
	}
	for _, want := range []string{fmt.Sprintf("master_port:%d", master.port), "master_link_status:up"} {
		if !strings.Contains(info, want+"\r\n") {
			return fmt.Errorf("not yet %s: %q", want, info)
		}
	}
	return nil
}

// ready is nil when the sentinel sees enough sentinels and every running
// replica.
func (x *Trio) ready(ctx context.Context, r *redis.Client, master *Server) error {
	usable := fmt.Sprintf("OK %d usable", len(running(x.sentinels)))
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
	for _, s := range running(x.servers) {
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

func running(servers []*Server) []*Server {
	var list []*Server
	for _, s := range servers {
		if s.Running() {
			list = append(list, s)
		}
	}
	return list
}
