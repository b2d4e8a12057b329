package exchange

import (
	"io"
	"net/http"
	"time"
)

const (
	// maxDrain is how much of an answer is read so that its connection can be
	// used again; a longer one costs the connection.
	maxDrain = 16 << 10
	// drainTime is how long that may take.
	drainTime = 100 * time.Millisecond
)

// Discard ends an answer that nobody will see, before its request waits or is
// sent again: what it holds (a connection, a permit, a slot) is free for others,
// at the latest after 100 ms.
func Discard(res *http.Response) {
	// Closing under a read is what ends one that stalls, as net/http's own
	// bodies allow.
	late := time.AfterFunc(drainTime, func() {
		defer func() { _ = recover() }() // the one below panics too, where the request's end is seen to
		_ = res.Body.Close()
	})
	defer late.Stop()
	_, _ = io.CopyN(io.Discard, res.Body, maxDrain+1) // one more, to see the end
	_ = res.Body.Close()
}

// CloseBody closes the body of a request that is not sent, as every
// [http.RoundTripper] must.
func CloseBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}
