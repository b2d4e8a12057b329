package redistest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const slots = 16384

// Shards is a cluster of three masters without replicas.
type Shards struct {
	contents
	t       testing.TB
	members []*Server
}

// Cluster starts three masters that share the slots evenly, ready for use.
// That takes two seconds: Redis makes a master that has just started refuse
// commands for so long.
func Cluster(t testing.TB, o ...Option) *Shards {
	t.Helper()
	settings := newSettings(t, o)
	c := &Shards{t: t}
	c.contents = contents{masters: c.Servers, all: c.Servers}
	for range 3 {
		c.members = append(c.members, start(t, settings, plan{configuration: settings.member, withBus: true}))
	}
	for i, member := range c.members {
		member.must(t, "form the cluster at", func(ctx context.Context, r *redis.Client) error {
			return c.join(ctx, i, r)
		})
	}
	c.Settle(t)
	return c
}

// join gives the member its slots and introduces it to the others.
func (c *Shards) join(ctx context.Context, i int, r *redis.Client) error {
	first, end := slots*i/len(c.members), slots*(i+1)/len(c.members)
	if err := r.Do(ctx, "CLUSTER", "ADDSLOTSRANGE", first, end-1).Err(); err != nil {
		return err
	}
	// Two members with the same epoch would first have to argue about it.
	if err := r.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err(); err != nil {
		return err
	}
	for _, other := range c.members[:i] {
		if err := r.Do(ctx, "CLUSTER", "MEET", "127.0.0.1", other.port).Err(); err != nil {
			return err
		}
	}
	return nil
}

// Settle waits until every master knows the others and serves.
func (c *Shards) Settle(t testing.TB) {
	t.Helper()
	ctx, cancel := bounded(t)
	defer cancel()
	err := await(ctx, 10*time.Millisecond, func(ctx context.Context) error {
		for _, member := range c.members {
			if err := member.do(func(r *redis.Client) error { return c.whole(ctx, r) }); err != nil {
				return fmt.Errorf("%s: %w", member.Address(), err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("redistest: the cluster does not serve: %v", err)
	}
}

func (c *Shards) whole(ctx context.Context, r *redis.Client) error {
	info, err := r.ClusterInfo(ctx).Result()
	if err != nil {
		return err
	}
	for _, want := range []string{
		"cluster_state:ok",
		fmt.Sprintf("cluster_slots_ok:%d", slots),
		fmt.Sprintf("cluster_known_nodes:%d", len(c.members)),
	} {
		if !strings.Contains(info, want+"\r\n") {
			return fmt.Errorf("not yet %s: %q", want, info)
		}
	}
	return nil
}

// Mode is "cluster".
func (c *Shards) Mode() string { return "cluster" }

// MasterName is empty: only sentinels know masters by name.
func (c *Shards) MasterName() string { return "" }

// Addresses are those of the masters.
func (c *Shards) Addresses() []string { return addresses(c.members) }

// Servers are the masters.
func (c *Shards) Servers() []*Server { return c.members }

func addresses(servers []*Server) []string {
	var list []string
	for _, s := range servers {
		list = append(list, s.Address())
	}
	return list
}
