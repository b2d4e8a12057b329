package proxy

import (
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// noted counts the deadlines that reach the network.
type noted struct {
	net.Conn

	reads, writes int
}

func (c *noted) SetReadDeadline(t time.Time) error {
	c.reads++
	return c.Conn.SetReadDeadline(t)
}

func (c *noted) SetWriteDeadline(t time.Time) error {
	c.writes++
	return c.Conn.SetWriteDeadline(t)
}

func deadlines(t *testing.T, f func(c *drainConn, below *noted, peer net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer func() { _, _ = near.Close(), far.Close() }()
		below := &noted{Conn: near}
		f(&drainConn{Conn: below}, below, far)
	})
}

func set(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestReadDeadlinesThatAreMet(t *testing.T) {
	wantTimeout := func(t *testing.T, c *drainConn, after time.Duration) {
		t.Helper()
		begin := time.Now()
		_, err := c.Read(make([]byte, 1))
		if took := time.Since(begin); !errors.Is(err, os.ErrDeadlineExceeded) || took != after {
			t.Errorf("%v after %s, want a timeout after %s", err, took, after)
		}
	}
	t.Run("the last one before a read holds", func(t *testing.T) {
		deadlines(t, func(c *drainConn, below *noted, _ net.Conn) {
			for _, d := range []time.Time{time.Now(), {}, time.Now().Add(time.Minute)} {
				set(t, c.SetReadDeadline(d))
			}
			wantTimeout(t, c, time.Minute)
			wantTimeout(t, c, 0) // it stands
			if below.reads != 1 {
				t.Errorf("%d deadlines reach the network", below.reads)
			}
		})
	})
	t.Run("one set during a read ends it", func(t *testing.T) {
		deadlines(t, func(c *drainConn, _ *noted, _ net.Conn) {
			time.AfterFunc(time.Second, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })
			wantTimeout(t, c, time.Second)
			set(t, c.SetReadDeadline(time.Time{}))
			time.AfterFunc(time.Hour, func() { _ = c.SetReadDeadline(time.Now()) })
			wantTimeout(t, c, time.Hour)
		})
	})
	t.Run("that of a retiring connection comes first", func(t *testing.T) {
		deadlines(t, func(c *drainConn, _ *noted, peer net.Conn) {
			c.silent = true
			c.retire(nil)
			set(t, c.SetReadDeadline(time.Now().Add(time.Hour)))
			wantTimeout(t, c, lastLook)
			c.retiring, c.silent = false, true
			c.retire(nil)
			go func() { _, _ = peer.Write([]byte("x")) }()
			if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			wantTimeout(t, c, time.Hour-lastLook) // it speaks: net/http's holds again
		})
	})
	t.Run("of a closed connection", func(t *testing.T) {
		deadlines(t, func(c *drainConn, _ *noted, _ net.Conn) {
			set(t, c.Close())
			set(t, c.SetReadDeadline(time.Now()))
			if _, err := c.Read(make([]byte, 1)); err == nil {
				t.Error("it can be read")
			}
		})
	})
}

// Many short answers in a row need no deadline each, but none is later than
// asked, or much earlier.
func TestWriteDeadlinesInARow(t *testing.T) {
	deadlines(t, func(c *drainConn, below *noted, _ net.Conn) {
		begin := time.Now()
		for i := range 1000 {
			set(t, c.SetWriteDeadline(begin.Add(time.Minute+time.Duration(i)*time.Millisecond)))
		}
		if below.writes != 10 {
			t.Errorf("%d deadlines reach the network", below.writes)
		}
		_, err := c.Write([]byte("x"))
		if took := time.Since(begin); !errors.Is(err, os.ErrDeadlineExceeded) || took < time.Minute+900*time.Millisecond || took > time.Minute+999*time.Millisecond {
			t.Errorf("%v after %s", err, took)
		}
		begin = time.Now()
		set(t, c.SetWriteDeadline(begin.Add(time.Second)))
		set(t, c.SetWriteDeadline(begin.Add(500*time.Millisecond))) // earlier ones hold
		_, err = c.Write([]byte("x"))
		if took := time.Since(begin); !errors.Is(err, os.ErrDeadlineExceeded) || took != 500*time.Millisecond {
			t.Errorf("%v after %s", err, took)
		}
		set(t, c.SetWriteDeadline(time.Time{}))
		set(t, c.SetWriteDeadline(time.Now())) // after none
		if _, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
	})
}
