package proxy

import (
	"net"
	"testing"
	"time"
)

// deadlineConn notes that its reads were ended.
type deadlineConn struct {
	net.Conn
	ended bool
}

func (c *deadlineConn) SetReadDeadline(time.Time) error {
	c.ended = true
	return nil
}

func TestHastyResetsEndTheConnection(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	for name, tt := range map[string]struct {
		requests int
		every    time.Duration
		reset    func(i int) bool
		ended    bool
	}{
		"a flood":                   {maxHasty + 2, time.Millisecond, func(int) bool { return true }, true},
		"one page that is left":     {maxHasty, 0, func(int) bool { return true }, false},
		"every second one is reset": {10_000, time.Millisecond, func(i int) bool { return i%2 == 0 }, false},
		"two of three are reset":    {10_000, time.Millisecond, func(i int) bool { return i%3 != 0 }, true},
		"few, for long":             {10_000, time.Second / forgiven, func(int) bool { return true }, false},
		"all are answered":          {10_000, time.Microsecond, func(int) bool { return false }, false},
	} {
		t.Run(name, func(t *testing.T) {
			conn := &deadlineConn{}
			c := &resets{conn: conn}
			for i := range tt.requests {
				c.ended(start.Add(time.Duration(i)*tt.every), tt.reset(i))
			}
			if conn.ended != tt.ended {
				t.Errorf("ended %t, want %t", conn.ended, tt.ended)
			}
		})
	}
}
