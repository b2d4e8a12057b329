package proxy

import (
	"errors"
	"net"
	"net/netip"
	"strings"
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

// What a name gives in turn it has; what it gave a moment ago it may give again.
func TestREL32AddressesOfOneName(t *testing.T) {
	const a, b, c = "192.0.2.1", "192.0.2.2", "192.0.2.3"
	for name, tt := range map[string]struct {
		looks []string // addresses that the name has
		lost  int      // at which look that of a connection, to a or b, is; 0 = at none
	}{
		"both, always":   {[]string{a + " " + b, b + " " + a, a + " " + b}, 0},
		"in turn":        {[]string{a, b, a, b, a, b, a, b, a, b, a, b}, 0},
		"rarely":         {[]string{a, a, b, c, c, b, a, c, c, c, b, a}, 0},
		"one goes":       {[]string{a, b, a, a, a, a, a, a}, 7},
		"a move":         {[]string{c, c, c, c, c, c}, looksToMiss},
		"a short trip":   {[]string{c, c, c, c, a + " " + b, c, c, c, c, a + " " + b}, 0},
		"after the trip": {[]string{c, c, c, c, a + " " + b, c, c, c, c, c}, 10},
	} {
		open := &openConns{}
		open.add(&countedConn{Conn: leading{to: a}})
		open.add(&countedConn{Conn: leading{to: b}})
		lost := 0
		for i, look := range tt.looks {
			var has []netip.Addr
			for text := range strings.FieldsSeq(look) {
				has = append(has, netip.MustParseAddr(text))
			}
			if open.look(has) {
				lost = i + 1
				break
			}
		}
		if lost != tt.lost {
			t.Errorf("%s: lost at look %d, want %d", name, lost, tt.lost)
		}
	}
}

// A connection that was made between two looks tells as much as a look.
func TestREL32DiallingIsALook(t *testing.T) {
	open := &openConns{}
	other := []netip.Addr{netip.MustParseAddr("192.0.2.9")}
	for range 3 * looksToMiss {
		open.add(&countedConn{Conn: leading{to: "192.0.2.1"}})
		if open.look(other) {
			t.Fatal("an address that was just dialled is lost")
		}
	}
	for range looksToMiss - 2 {
		open.look(other)
	}
	if !open.look(other) {
		t.Error("an address that nobody gives any more is not lost")
	}
}

// leading is a connection to an address.
type leading struct {
	net.Conn
	to string
}

func (l leading) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(l.to)} }

// REL-31 and REL-32: a dead HTTP/2 connection is found within 20 s, and what the
// DNS says is used within 30, whatever the moment of the change.
func TestREL31And32Bounds(t *testing.T) {
	if found := pingAfter + pingTimeout; found > 20*time.Second {
		t.Errorf("a dead connection is found in %v", found)
	}
	if used := looksToMiss*lookEvery + lookTimeout; used > 30*time.Second || lookTimeout >= lookEvery {
		t.Errorf("a change is used in %v, looks of at most %v every %v", used, lookTimeout, lookEvery)
	}
}
