package cache

import (
	"testing"
	"time"
)

// TestUsableWhileTheLogIsHeardOf: a copy of what can be written is used for five
// seconds after the log was heard of, or after it came.
func TestUsableWhileTheLogIsHeardOf(t *testing.T) {
	for _, tt := range []struct {
		name            string
		writable, alone bool
		received, heard time.Duration // ago
		usable          bool
	}{
		{"heard of now", true, false, time.Hour, 0, true},
		{"heard of lately", true, false, time.Hour, contactless - time.Second, true},
		{"away too long", true, false, time.Hour, contactless + time.Second, false},
		{"came lately", true, false, contactless - time.Second, time.Hour, true},
		{"cannot be written", false, false, time.Hour, time.Hour, true},
		{"no other replica", true, true, time.Hour, time.Hour, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := time.Now()
			o := Options{Log: struct{ Log }{}}
			if tt.alone {
				o.Log = nil
			}
			c := New(o)
			defer c.Close()
			c.feed.began = now.Add(-tt.heard)
			c.feed.answers.Store(0)
			if got := c.usable(&Service{Writable: tt.writable}, &Object{Received: now.Add(-tt.received)}, now); got != tt.usable {
				t.Errorf("usable: %v", got)
			}
		})
	}
}
