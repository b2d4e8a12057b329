package main

import (
	"testing"
	"time"
)

// Three gateways behind HAProxy are restarted one after the other under load,
// and clients without a balancer follow them: nothing fails, nothing is lost,
// every write is executed once, and each gateway ends in time.
func TestREL42RollingRestarts(t *testing.T) {
	g := newRolling(t, 3)
	restarts := 3
	if *long {
		restarts = 30
	}
	l := g.load(t, g.haproxy(t))
	pass(t, time.Second)
	for i := range restarts {
		g.restart(t, g.members[i%len(g.members)])
	}
	pass(t, time.Second)
	l.end(t)
}
