package proxy

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A client that sends requests and resets them at once (CVE-2023-44487) keeps
// below every limit of concurrent streams, and yet each of its requests may have
// cost a call of an upstream, and quota.
const (
	// hasty is how soon after its beginning the end of a request is such a reset.
	hasty = 50 * time.Millisecond
	// impatient is how soon it is one that has perhaps waited for its answer: it
	// weighs a hundredth, and so tells only where thousands come together.
	impatient       = time.Second
	impatientWeight = 0.01
	// A connection that has askedToEnd of them, above those that were forgiven, is
	// asked to open no more streams, and one that has madeToEnd may not. Forgiven
	// is one for each request that was answered, and some each second.
	askedToEnd        = 25
	madeToEnd         = 50
	forgivenPerSecond = 5
)

// resets are those of one HTTP/2 connection.
type resets struct {
	conn net.Conn
	over atomic.Bool // no new streams

	mu    sync.Mutex
	count float64
	at    time.Time // when count was right
	asked bool
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
		c, ok := r.Context().Value(resetsKey{}).(*resets)
		if r.ProtoMajor < 2 || !ok {
			next.ServeHTTP(w, r)
			return
		}
		if c.over.Load() {
			w.Header().Set("Connection", "close")
		}
		began := time.Now()
		defer func() {
			if now := time.Now(); r.Context().Err() != nil {
				c.reset(now, now.Sub(began))
				c.act(w)
			} else {
				c.answered(now)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// act ends the connection if it has to: by a GOAWAY, so that the streams under
// way get their answers. W belongs to a stream that was reset: nobody reads it.
func (c *resets) act(w http.ResponseWriter) {
	if c.over.Load() {
		// net/http makes it a GOAWAY, and looks at no stream that comes later. Where
		// the header was written before, the next answer has it.
		w.Header().Set("Connection", "close")
		_ = http.NewResponseController(w).Flush()
		return
	}
	if c.mustAsk() {
		if polite, ok := c.conn.(interface{ goAway() }); ok {
			polite.goAway()
		}
	}
}

// mustAsk reports once that the client is to be asked to open no more streams.
func (c *resets) mustAsk() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	must := c.count >= askedToEnd && !c.asked
	c.asked = c.asked || must
	return must
}

// reset notes the end of a request that its caller has reset at that age.
func (c *resets) reset(now time.Time, age time.Duration) {
	weight := 0.0
	switch {
	case age < hasty:
		weight = 1
	case age < impatient:
		weight = impatientWeight
	}
	if c.add(now, weight) >= madeToEnd {
		c.over.Store(true)
	}
}

// answered notes the end of any other.
func (c *resets) answered(now time.Time) { c.add(now, -1) }

// add forgives what time has, adds weight, and returns the count.
func (c *resets) add(now time.Time, weight float64) float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	passed := max(0, now.Sub(c.at).Seconds())
	c.count = max(0, max(0, c.count-forgivenPerSecond*passed)+weight)
	c.at = now
	return c.count
}
