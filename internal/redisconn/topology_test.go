package redisconn_test

import (
	"strings"
	"testing"
	"time"

	"iqgateway/internal/redisconn"
	"iqgateway/internal/redistest"
)

func TestFailoverUnderLoad(t *testing.T) {
	trio := redistest.Sentinel(t)
	c := started(t, redisconn.Options{Addresses: trio.Addresses()})
	awaitUp(t, c, recovery)
	l := newLoad(t, c, c.Call)
	for round := range 2 {
		began := time.Now()
		trio.Failover(t)
		promoted := time.Now()
		resumed := l.resumed(t, promoted, recovery)
		t.Logf("round %d: resumed at most %v after the promotion; without an answer for %v", round, resumed, l.outage(began))
		l.bounded(t, began, 20)
	}
}

func TestKilledMaster(t *testing.T) {
	trio := redistest.Sentinel(t)
	c := started(t, redisconn.Options{Addresses: trio.Addresses()})
	awaitUp(t, c, recovery)
	l := newLoad(t, c, c.Call)
	killed := time.Now()
	trio.KillMaster(t)
	l.resumed(t, time.Now(), recovery)
	t.Logf("without an answer for %v, with sentinels that wait for 1 s", l.outage(killed))
}

// A sentinel that hangs must not keep anybody from finding the master.
func TestFrozenSentinel(t *testing.T) {
	trio := redistest.Sentinel(t)
	for i, sentinel := range trio.Sentinels() {
		sentinel.Freeze()
		c := started(t, redisconn.Options{Addresses: trio.Addresses()})
		began := time.Now()
		awaitUp(t, c, recovery)
		t.Logf("sentinel %d frozen: up after %v", i, time.Since(began))
		sentinel.Thaw()
	}
}

func TestFrozenSentinelWhileTheMasterRestarts(t *testing.T) {
	trio := redistest.Sentinel(t)
	c := started(t, redisconn.Options{Addresses: trio.Addresses()})
	awaitUp(t, c, recovery)
	l := newLoad(t, c, c.Call)
	sentinel, master := trio.Sentinels()[0], trio.Master()
	sentinel.Freeze()
	master.Kill()
	await(t, recovery, func() bool { return !c.Status().Up }, func() string { return "still up" })
	t.Logf("resumed %v after the kill", l.resumed(t, time.Now(), 10*time.Second))
	sentinel.Thaw()
}

func TestSettingsThatDoNotFit(t *testing.T) {
	trio := redistest.Sentinel(t)
	nodes := redistest.Cluster(t).Addresses()
	host, port := split(t, trio.Servers()[0].Address())
	trio.Sentinels()[0].CLI(t, "SENTINEL", "MONITOR", "other", host, port, "2")
	sentinel := trio.Sentinels()[0].Addresses()
	tests := []struct {
		name    string
		options redisconn.Options
		want    string
	}{
		{"two masters", redisconn.Options{Addresses: sentinel}, `master_name: "" is none of the 2 masters`},
		{"unknown master", redisconn.Options{Addresses: sentinel, MasterName: "tset", Mode: redisconn.ModeSentinel}, `master_name: "tset" is none of the 2`},
		{"several servers", redisconn.Options{Addresses: []string{trio.Servers()[0].Address(), trio.Servers()[1].Address()}}, "addresses: several"},
		{"a sentinel as a server", redisconn.Options{Addresses: sentinel, Mode: redisconn.ModeSingle}, "mode: single does not fit"},
		{"a server as a sentinel", redisconn.Options{Addresses: trio.Servers()[0].Addresses(), Mode: redisconn.ModeSentinel}, "sentinel masters: ERR"},
		{"a cluster as a server", redisconn.Options{Addresses: nodes[:1], Mode: redisconn.ModeSingle}, "mode: single does not fit"},
		{"a server as a cluster", redisconn.Options{Addresses: trio.Servers()[0].Addresses(), Mode: redisconn.ModeCluster}, "mode: cluster does not fit"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := started(t, test.options)
			err := c.Connect(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if got := c.Status(); got.Up || got.LastError == "" {
				t.Errorf("status %+v", got)
			}
		})
	}
	c := started(t, redisconn.Options{Addresses: append([]string{"127.0.0.1:1"}, trio.Addresses()...), MasterName: "other"})
	if err := c.Connect(t.Context()); err != nil {
		t.Errorf("first address dead, the master named: %v", err)
	}
}

// One frozen node of three may cost its own keys a little, others nothing.
func TestFrozenNodeOfCluster(t *testing.T) {
	cluster := redistest.Cluster(t)
	c := started(t, redisconn.Options{Addresses: cluster.Addresses()})
	awaitUp(t, c, recovery)
	l := newLoad(t, c, c.Call)
	l.resumed(t, time.Now(), recovery)
	node := cluster.Servers()[1]
	node.Freeze()
	frozen := time.Now()
	await(t, recovery, func() bool { return len(l.since(frozen)) > loadRate/2 }, func() string { return "no load" })
	l.bounded(t, frozen, 10)
	ok, failed, refused, _ := tally(l.since(frozen))
	if refused == 0 {
		t.Error("the breaker of the node never opened")
	}
	if !c.Status().Up || ok < refused {
		t.Errorf("two nodes of three serve only %d of %d calls; status %+v", ok, ok+failed+refused, c.Status())
	}
	node.Thaw()
	thawed := time.Now()
	await(t, 3*time.Second, func() bool {
		last := l.since(time.Now().Add(-200 * time.Millisecond))
		ok, failed, refused, _ := tally(last)
		return ok > loadRate/10 && failed+refused == 0
	}, func() string { return "still failing" })
	t.Logf("all keys again within %v", time.Since(thawed))
}

func TestFrozenCluster(t *testing.T) {
	cluster := redistest.Cluster(t)
	c := started(t, redisconn.Options{Addresses: cluster.Addresses()})
	awaitUp(t, c, recovery)
	l := newLoad(t, c, c.Call)
	l.resumed(t, time.Now(), recovery)
	for _, node := range cluster.Servers() {
		node.Freeze()
	}
	frozen := time.Now()
	await(t, recovery, func() bool { return !c.Status().Up }, func() string { return "still up" })
	await(t, recovery, func() bool { return len(l.since(frozen)) > loadRate/2 }, func() string { return "no load" })
	l.bounded(t, frozen, 24) // at most 8 per node
	for _, node := range cluster.Servers() {
		node.Thaw()
	}
	t.Logf("resumed after %v", l.resumed(t, time.Now(), 5*time.Second))
}

func TestKilledNodeOfCluster(t *testing.T) {
	cluster := redistest.Cluster(t)
	c := started(t, redisconn.Options{Addresses: cluster.Addresses()})
	awaitUp(t, c, recovery)
	l := newLoad(t, c, c.Call)
	l.resumed(t, time.Now(), recovery)
	node := cluster.Servers()[2]
	node.Kill()
	killed := time.Now()
	await(t, recovery, func() bool { return len(l.since(killed)) > loadRate/2 }, func() string { return "no load" })
	l.bounded(t, killed, 10)
	if _, _, refused, _ := tally(l.since(killed)); refused == 0 {
		t.Error("the breaker of the node never opened")
	}
	node.Start()
	cluster.Settle(t)
	whole := time.Now()
	await(t, recovery, func() bool {
		ok, failed, refused, _ := tally(l.since(time.Now().Add(-200 * time.Millisecond)))
		return ok > loadRate/10 && failed+refused == 0
	}, func() string { return "still failing" })
	t.Logf("all keys again %v after the cluster was whole", time.Since(whole))
}
