package redisconn_test

import (
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
		t.Logf("round %d: resumed %v after the new master served", round, l.resumed(t, promoted, 3*time.Second))
		if _, failed, refused, slowest := tally(l.since(began)); slowest > 50*time.Millisecond+slack || failed > 20 {
			t.Errorf("round %d: %d failed, %d refused, slowest %v", round, failed, refused, slowest)
		}
	}
}

func TestKilledMaster(t *testing.T) {
	trio := redistest.Sentinel(t)
	c := started(t, redisconn.Options{Addresses: trio.Addresses()})
	awaitUp(t, c, recovery)
	l := newLoad(t, c, c.Call)
	trio.KillMaster(t)
	trio.Master()
	t.Logf("resumed %v later", l.resumed(t, time.Now(), 10*time.Second))
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
	ok, failed, refused, slowest := tally(l.since(frozen))
	t.Logf("one of three frozen: %d succeeded, %d failed, %d refused at once, slowest %v", ok, failed, refused, slowest)
	if failed > 10 || refused == 0 || slowest > 50*time.Millisecond+slack {
		t.Errorf("%d failed, %d refused, slowest %v", failed, refused, slowest)
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
	_, failed, refused, slowest := tally(l.since(frozen))
	t.Logf("all frozen: %d failed, %d refused at once, slowest %v", failed, refused, slowest)
	if failed > 24 || slowest > 50*time.Millisecond+slack { // at most 8 per node
		t.Errorf("%d failed, slowest %v", failed, slowest)
	}
	for _, node := range cluster.Servers() {
		node.Thaw()
	}
	t.Logf("resumed after %v", l.resumed(t, time.Now(), 5*time.Second))
}
