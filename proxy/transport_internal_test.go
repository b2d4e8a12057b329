package proxy

import (
	"errors"
	"net"
	"testing"
	"time"

	"iqgateway/internal/exchange"
)

// A connection that may be about to end is left to reads that may be repeated.
func TestWhoLeavesOldConnectionsAlone(t *testing.T) {
	for name, tt := range map[string]struct {
		grace, idle time.Duration
		distrusts   bool
	}{
		"a write soon":           {0, 100 * time.Millisecond, false},
		"a write later":          {0, 600 * time.Millisecond, true},
		"a last read soon":       {graceOfReads, 600 * time.Millisecond, false},
		"a last read much later": {graceOfReads, 2 * graceOfReads, true},
	} {
		now := time.Now()
		keep := &keepTime{}
		keep.ended(time.Second, now)
		c := &http1Conn{keep: keep, served: true, idle: now.Add(-tt.idle)}
		if c.distrust(tt.grace) != tt.distrusts || c.isSpoilt() != tt.distrusts {
			t.Errorf("%s: distrusts: %t", name, !tt.distrusts)
		}
	}
	for name, tt := range map[string]struct {
		ex   exchange.Exchange
		want bool
	}{
		"first attempt":       {exchange.Exchange{}, false},
		"a closed breaker":    {exchange.Exchange{Breaker: exchange.BreakerClosed}, false},
		"the breaker's probe": {exchange.Exchange{Breaker: exchange.BreakerHalfOpen}, true},
		"repetition":          {exchange.Exchange{Retries: 1, Breaker: exchange.BreakerClosed}, true},
	} {
		if isLastHope(exchange.With(t.Context(), &tt.ex)) != tt.want {
			t.Errorf("%s: want %t", name, tt.want)
		}
	}
}

// The end of a connection is hidden from net/http once, where a request waits for
// its answer and it is not we who ended it.
func TestHideSilence(t *testing.T) {
	for name, tt := range map[string]struct {
		unheard bool
		err     error
		room    int
		hidden  bool
	}{
		"a request waits":       {true, errDead, 10, true},
		"nobody waits":          {false, errDead, 10, false},
		"we have closed it":     {true, net.ErrClosed, 10, false},
		"nothing has gone awry": {true, nil, 10, false},
		"nowhere to put it":     {true, errDead, 0, false},
	} {
		c := &http1Conn{unheard: tt.unheard}
		n, err := c.hideSilence(make([]byte, tt.room), tt.err)
		if (n == 1) != tt.hidden || !errors.Is(err, tt.err) || (c.silence() != nil) != tt.hidden {
			t.Errorf("%s: %d, %v, silence %v", name, n, err, c.silence())
		}
		if n, _ := c.hideSilence(make([]byte, tt.room), tt.err); tt.hidden && n != 0 {
			t.Errorf("%s: hidden twice", name)
		}
	}
}

// REL-31 and REL-32: a dead HTTP/2 connection is found within 20 s, and what the
// DNS says is used within 30, whatever the moment of the change.
func TestREL31And32Bounds(t *testing.T) {
	if found := pingAfter + pingTimeout; found > 20*time.Second {
		t.Errorf("a dead connection is found in %v", found)
	}
	if used := 2 * (lookEvery + lookTimeout); used > 30*time.Second {
		t.Errorf("a change is used in %v", used)
	}
}
