package iqsim

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// chunkSize is how many bytes of a long answer are encoded at a time.
	chunkSize = 64 << 10
	// flushSize is the shortest write that is sent at once; the rest of a short
	// answer stays with net/http, which then can add a Content-Length.
	flushSize = 16 << 10
)

// dcSink writes an answer to the client, chunk by chunk.
type dcSink struct {
	w    http.ResponseWriter
	sent *atomic.Int64
	// ready is asked before each chunk; its error ends the answer.
	ready func() error
}

// Write sends one chunk. It fails as soon as the client has left.
func (s *dcSink) Write(chunk []byte) (int, error) {
	if err := s.ready(); err != nil {
		return 0, err
	}
	n, err := s.w.Write(chunk)
	s.sent.Add(int64(n))
	if err == nil && len(chunk) >= flushSize {
		// A writer that cannot flush holds the chunk back, which loses nothing.
		_ = http.NewResponseController(s.w).Flush()
	}
	return n, err
}

// pacer returns a dcSink.ready that pauses between chunks and ends with ctx.
func pacer(ctx context.Context, pause time.Duration) func() error {
	first := true
	return func() error {
		if first {
			first = false
			return context.Cause(ctx)
		}
		return dcWait(ctx, pause)
	}
}

// dcWait waits for d, or until ctx ends, which is then the error.
func dcWait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// writeRows encodes t into w in chunks, whatever its length in memory of one.
func writeRows(w io.Writer, enc dcEncoder, t dcTable) error {
	buf := enc.begin(make([]byte, 0, chunkSize+chunkSize/8), t)
	first := true
	for row := range t.rows {
		buf = enc.row(buf, t, row, first)
		first = false
		if len(buf) < chunkSize {
			continue
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
		buf = buf[:0]
	}
	_, err := w.Write(enc.end(buf, t))
	return err
}
