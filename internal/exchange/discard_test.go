package exchange

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// stalling is a body of which nothing comes after its head, until it is closed.
type stalling struct {
	head   io.Reader
	closed chan struct{}
	at     time.Time
	panics any // when closed a second time
}

func (s *stalling) Read(p []byte) (int, error) {
	if n, _ := s.head.Read(p); n > 0 {
		return n, nil
	}
	<-s.closed
	return 0, errors.New("closed")
}

func (s *stalling) Close() error {
	select {
	case <-s.closed:
		return nil
	default:
	}
	s.at = time.Now()
	close(s.closed)
	if s.panics != nil {
		panic(s.panics)
	}
	return nil
}

// An answer that is given up lets go of what it holds, even if it stalls, and
// even if it panics then.
func TestDiscardIsBoundedInTime(t *testing.T) {
	for name, panics := range map[string]any{"stalls": nil, "panics": "closed under a read"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stall := &stalling{head: strings.NewReader("beginning"), closed: make(chan struct{}), panics: panics}
				start := time.Now()
				Discard(&http.Response{Body: stall})
				if held := stall.at.Sub(start); held != drainTime || time.Since(start) != drainTime {
					t.Errorf("held for %s", held)
				}
			})
		})
	}
}

// A short answer is read to its end, so that its connection can be used again;
// of a long one no more is read than that is worth.
func TestDiscardIsBoundedInBytes(t *testing.T) {
	for _, tt := range []struct{ length, read int }{{0, 0}, {maxDrain, maxDrain}, {10 * maxDrain, maxDrain + 1}} {
		body := &countedBody{Reader: strings.NewReader(strings.Repeat("x", tt.length))}
		Discard(&http.Response{Body: body})
		if body.read != tt.read || body.ended != (tt.length <= maxDrain) || !body.closed {
			t.Errorf("of %d bytes %d were read; its end seen: %t; closed: %t", tt.length, body.read, body.ended, body.closed)
		}
	}
}

type countedBody struct {
	io.Reader
	read          int
	ended, closed bool
}

func (c *countedBody) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.read += n
	c.ended = c.ended || err != nil
	return n, err
}

func (c *countedBody) Close() error {
	c.closed = true
	return nil
}

func TestCloseBody(t *testing.T) {
	body := &countedBody{}
	CloseBody(&http.Request{Body: body})
	CloseBody(&http.Request{}) // has none
	if !body.closed {
		t.Error("left open")
	}
}
