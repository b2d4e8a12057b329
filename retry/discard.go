package retry

import (
	"io"
	"net/http"
	"time"

	"iqgateway/internal/steady"
)

const (
	// maxDrain is how much of an answer is read so that its connection can be
	// used again; a longer one costs the connection.
	maxDrain = 4 << 10
	// drainTime is how long that may take.
	drainTime = 100 * time.Millisecond
)

// discard ends an answer that nobody will see, before the wait: what it holds
// (a connection, a permit, a slot) is free for others.
func discard(resp *http.Response) {
	// Closing under a read is what ends one that stalls, as net/http's own
	// bodies allow.
	late := time.AfterFunc(drainTime, func() {
		steady.Try(func() { _ = resp.Body.Close() }, nil) // the one below panics too, where the request's end is seen to
	})
	defer late.Stop()
	_, _ = io.CopyN(io.Discard, resp.Body, maxDrain+1) // one more, to see the end
	_ = resp.Body.Close()
}
