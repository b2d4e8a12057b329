package proxy

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// A client that sends requests and resets them at once (CVE-2023-44487) keeps
// below every limit of concurrent streams, and yet each of its requests may have
// cost a call of an upstream, and quota.
const (
	// hasty is how soon after its beginning the end of a request is such a reset:
	// one who has waited longer has lost patience, which is no attack.
	hasty = time.Second
	// maxHasty is how many of them a connection may have above those that were
	// forgiven: one for each request that was answered, and forgiven a second.
	maxHasty = 50
	forgiven = 5
)

// resets are the hasty ones of one HTTP/2 connection.
type resets struct {
	conn net.Conn

	mu    sync.Mutex
	count float64
	at    time.Time // when count was right
}

type resetsKey struct{}

// watchResets has server end connections that reset more requests than they wait
// for. The count is made when a handler returns, which is soon after the reset:
// everything stops for a caller that left.
func watchResets(server *http.Server) {
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, resetsKey{}, &resets{conn: conn})
	}
	next := server.Handler
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor < 2 {
			next.ServeHTTP(w, r)
			return
		}
		began := time.Now()
		defer func() {
			if c, ok := r.Context().Value(resetsKey{}).(*resets); ok {
				now := time.Now()
				c.ended(now, r.Context().Err() != nil && now.Sub(began) < hasty)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// ended notes the end of a request.
func (c *resets) ended(now time.Time, reset bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count = max(0, c.count-forgiven*now.Sub(c.at).Seconds())
	c.at = now
	switch {
	case !reset:
		c.count = max(0, c.count-1)
	case c.count >= maxHasty:
		// The server's next read fails, and it ends the connection and every
		// stream of it.
		_ = c.conn.SetReadDeadline(passed())
	default:
		c.count++
	}
}
