package proxy

import (
	"errors"
	"io"
	"sync"
	"syscall"
	"time"
)

const (
	// keepFloor is the shortest time that is told apart from none: an upstream
	// that closes so soon closes behind its answers, without a word.
	keepFloor = time.Millisecond
	// keepMemory is after how long an upstream is trusted with twice the time;
	// one that keeps connections for minutes shows it less often.
	keepMemory = 10 * time.Second
)

// keepTime learns for how long an upstream keeps a connection that nobody uses.
// One that it closes in the moment in which a request is written takes the
// request with it: a read is sent again, of a write nobody knows the fate. So a
// write stays well below the shortest time that was seen lately, as an idle
// timeout below the upstream's own would, and goes out on a new connection
// otherwise. After a restart of the upstream that costs handshakes for a minute
// or two.
//
// The zero value has seen nothing and trusts every connection.
type keepTime struct {
	mu       sync.Mutex
	shortest time.Duration // 0 = none was seen
	seen     time.Time
}

// ended books a connection that the upstream has closed after it was idle for
// that long. A nil keepTime learns nothing.
func (k *keepTime) ended(idle time.Duration, now time.Time) {
	if k == nil {
		return
	}
	idle = max(idle, keepFloor)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.shortest == 0 || idle < k.limit(now) {
		k.shortest, k.seen = idle, now
	}
}

// trusts reports whether a connection that was idle for that long is likely to
// live until a request has arrived on it.
func (k *keepTime) trusts(idle time.Duration, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.shortest == 0 { // nothing was seen, and the time of it is centuries ago
		return true
	}
	limit := k.limit(now)
	return limit > keepFloor && 2*idle < limit
}

// limit is the shortest time, longer the longer ago that was. There must be one;
// it needs the lock.
func (k *keepTime) limit(now time.Time) time.Duration {
	limit, step := k.shortest, max(keepMemory, 4*k.shortest)
	return limit << min(max(now.Sub(k.seen)/step, 0), 20)
}

// isClosedByPeer reports whether a read has shown that the other side has ended
// the connection, and not we.
func isClosedByPeer(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
}
