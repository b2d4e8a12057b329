package redisconn

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

func TestPausesAreJittered(t *testing.T) {
	for _, test := range []struct{ random, least, most float64 }{{0, 0.5, 0.5}, {0.5, 0.75, 0.75}, {0.999, 0.99, 1}} {
		synctest.Test(t, func(t *testing.T) {
			c, err := New(Options{Addresses: []string{"127.0.0.1:1"}, Random: func() float64 { return test.random }})
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			c.sleep(t.Context(), lastPause, nil)
			if part := float64(time.Since(began)) / float64(lastPause); part < test.least || part > test.most {
				t.Errorf("random %v: slept %v of the pause", test.random, part)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			early := make(chan struct{}, 1)
			early <- struct{}{}
			began = time.Now()
			c.sleep(ctx, lastPause, nil)
			c.sleep(t.Context(), lastPause, early)
			if time.Since(began) != 0 {
				t.Errorf("slept %v on", time.Since(began))
			}
		})
	}
}

// A dead address must not be asked in a tight loop, nor too seldom.
func TestLostServerIsLookedForInMeasure(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	knocks := make(chan struct{}, 1000)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			knocks <- struct{}{}
			conn.Close()
		}
	}()
	c, err := New(Options{Addresses: []string{listener.Addr().String()}, Mode: ModeSingle})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	c.Run(ctx)
	if n := len(knocks); n < 3 || n > 12 {
		t.Errorf("%d looks in 2 s, want about 6", n)
	}
	if err := c.Connect(t.Context()); !errors.Is(err, ErrAway) {
		t.Errorf("Connect to a server that hangs up: %v", err)
	}
}

// Losing a server that was just found is not a new loss: without growing pauses
// one that answers too late would be found and lost many times a second.
func TestUnsteadyServerIsTriedMoreAndMoreSeldom(t *testing.T) {
	want := []time.Duration{firstPause, 4 * firstPause, 16 * firstPause, 64 * firstPause, longPause, longPause}
	for unsteady, w := range want {
		if got := unsteadyPause(unsteady); got != w {
			t.Errorf("after %d times the pause is %v, want %v", unsteady, got, w)
		}
	}
	if got := unsteadyPause(1 << 40); got != longPause {
		t.Errorf("after very many times the pause is %v", got)
	}
}
