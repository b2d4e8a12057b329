package redisconn_test

import (
	"testing"
	"time"

	"iqgateway/internal/redisconn"
	"iqgateway/internal/redistest"
)

// A server that answers, but late: near enough it is used; too far away it
// costs a few callers one timeout, and then nobody anything.
func TestSlowServer(t *testing.T) {
	const (
		near   = 5 * time.Millisecond
		unsure = 35 * time.Millisecond // a call fits into the timeout, one on a new connection does not
		far    = 200 * time.Millisecond
		calls  = 2 * loadRate // of two seconds
	)
	server := redistest.Single(t)
	for _, test := range []struct {
		name      string
		disturb   func(*link)
		used      bool
		maxFailed int // calls that waited in vain
	}{
		{"near", func(l *link) { l.roundTrip.Store(int64(near)) }, true, 0},
		{"unsure", func(l *link) { l.roundTrip.Store(int64(unsure)) }, false, 48},
		{"far", func(l *link) { l.roundTrip.Store(int64(far)) }, false, 10},
		{"trickling", func(l *link) { l.bytesPerSecond.Store(1000) }, false, 48},
		{"half open", func(l *link) { l.lost.Store(true) }, false, 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			way := newLink(t, server.Address())
			var seen changes
			c := started(t, redisconn.Options{Addresses: []string{way.address}, Hooks: redisconn.Hooks{StateChanged: seen.hook}})
			awaitUp(t, c, recovery)
			l := newLoad(t, c, c.Call)
			l.resumed(t, time.Now(), recovery)
			test.disturb(way)
			disturbed := time.Now()
			await(t, 10*time.Second, func() bool { return len(l.since(disturbed)) > calls }, func() string { return "no load" })
			l.bounded(t, disturbed, test.maxFailed)
			if ok, failed, refused, _ := tally(l.since(disturbed)); test.used != (ok > refused+failed) {
				t.Errorf("%d calls succeeded, %d failed, %d were refused", ok, failed, refused)
			}
			if n := len(seen.list()); n > 10 {
				t.Errorf("found and lost %d times in two seconds", n)
			}
			way.roundTrip.Store(0)
			way.bytesPerSecond.Store(0)
			way.lost.Store(false)
			t.Logf("resumed %v after the link was well", l.resumed(t, time.Now(), 5*time.Second))
		})
	}
}
