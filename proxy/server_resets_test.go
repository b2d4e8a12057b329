package proxy_test

import (
	"io"
	"net/http"
	"testing"

	"golang.org/x/net/http2"

	"iqgateway/proxy"
)

// A connection whose requests are reset as soon as they begin ends: asked first,
// then by a GOAWAY after which no stream is looked at. A write that was under way
// all the time gets its answer.
func TestHastyResetsEndTheConnectionByGoAway(t *testing.T) {
	serverTLS, clientTLS, _ := certificates(t)
	entered := make(chan struct{})
	d := newDrained(t, proxy.ServerOptions{TLS: serverTLS, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Reset") == "" {
			_, _ = io.Copy(w, r.Body)
			return
		}
		select {
		case entered <- struct{}{}:
		case <-r.Context().Done():
		}
		<-r.Context().Done()
	})})
	x := dialHTTP2(t, d.address, clientTLS)
	x.open(1)
	x.body(1)
	x.answered(1)
	x.open(3)
	var last []uint32
	told := make(chan struct{})
	go func() {
		defer close(told)
		last = x.goAways(2)
	}()
	stream := uint32(5)
	for resetOne(x, stream, entered, told) {
		stream += 2
	}
	if len(last) != 2 || last[0] != everyStream || last[1] == everyStream {
		t.Fatalf("GOAWAY up to %d", last)
	}
	x.body(3)
	x.answered(3)
	for {
		if _, err := x.framer.ReadFrame(); err != nil {
			if isTimeout(err) {
				t.Error("the connection goes on")
			}
			return
		}
	}
}

// resetOne resets a stream as soon as its handler runs. It reports whether none
// was told before.
func resetOne(x *h2, stream uint32, entered, told <-chan struct{}) bool {
	x.t.Helper()
	x.open(stream, "x-reset")
	select {
	case <-entered:
		x.must(x.framer.WriteRSTStream(stream, http2.ErrCodeCancel))
		return true
	case <-told:
		return false
	}
}

// goAways returns the last streams of the first n, or of fewer when reading fails.
func (x *h2) goAways(n int) (last []uint32) {
	for len(last) < n {
		f, err := x.framer.ReadFrame()
		if err != nil {
			return last
		}
		if g, ok := f.(*http2.GoAwayFrame); ok && g.ErrCode == http2.ErrCodeNo {
			last = append(last, g.LastStreamID)
		}
	}
	return last
}
