package redistest

import (
	"context"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"
)

const masterName = "main"

// A Trio is a master with two replicas, watched by three sentinels of which
// two must agree. A master counts as down after one second. A master that was
// replaced while it was frozen or down takes writes when it is back, which
// will be lost, until the sentinels make it a replica: after four seconds
// here, eight by default.
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
	x.publish(t, "100") // they find each other by these messages
	x.Settle(t)
	x.publish(t, "1000")
	return x
}

// hasten makes a sentinel look at the servers and tell the others more often
// than every 10 and 2 s, and forgive a machine that stood still sooner than
// after 30 s.
func hasten(ctx context.Context, r *redis.Client) error {
	return r.Do(ctx, "SENTINEL", "DEBUG",
		"info-period", "500", "publish-period", "1000", "tilt-period", "1000").Err()
}

// publish sets how often sentinels tell each other what they know. Four times
// as long they bear a replica that says it is a master: less than a second and
// they would undo the promotions of each other.
func (x *Trio) publish(t testing.TB, milliseconds string) {
	t.Helper()
	for _, sentinel := range x.sentinels {
		sentinel.must(t, "hasten", func(ctx context.Context, r *redis.Client) error {
			return r.Do(ctx, "SENTINEL", "DEBUG", "publish-period", milliseconds).Err()
		})
	}
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
