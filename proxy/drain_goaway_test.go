package proxy_test

import (
	"bytes"
	"crypto/tls"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"iqgateway/proxy"
)

// h2 is an HTTP/2 client that repeats nothing.
type h2 struct {
	t      *testing.T
	framer *http2.Framer
	conn   *tls.Conn
}

func dialHTTP2(t *testing.T, address string, config *tls.Config) *h2 {
	t.Helper()
	config = config.Clone()
	config.NextProtos = []string{"h2"}
	c, err := tls.Dial("tcp", address, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	x := &h2{t: t, framer: http2.NewFramer(c, c), conn: c}
	x.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if _, err := c.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	x.must(x.framer.WriteSettings())
	return x
}

func (x *h2) must(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
	}
}

// open begins a write whose body is still to come, with more fields.
func (x *h2) open(stream uint32, more ...string) {
	x.t.Helper()
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	fields := [][2]string{{":method", "POST"}, {":scheme", "https"}, {":path", "/write"}, {":authority", gatewayHost}}
	for _, name := range more {
		fields = append(fields, [2]string{name, "1"})
	}
	for _, f := range fields {
		x.must(e.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}))
	}
	x.must(x.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true}))
}

func (x *h2) body(stream uint32) {
	x.t.Helper()
	x.must(x.framer.WriteData(stream, true, []byte("body")))
}

// until reads frames until want says so.
func (x *h2) until(what string, want func(http2.Frame) bool) {
	x.t.Helper()
	for {
		f, err := x.framer.ReadFrame()
		if err != nil {
			x.t.Fatalf("%s: %v", what, err)
		}
		if s, ok := f.(*http2.SettingsFrame); ok && !s.IsAck() {
			x.must(x.framer.WriteSettingsAck())
		}
		if want(f) {
			return
		}
	}
}

func (x *h2) answered(stream uint32) {
	x.t.Helper()
	x.until("an answer", func(f http2.Frame) bool {
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			if f.StreamID == stream && f.PseudoValue("status") != "200" {
				x.t.Fatalf("status %s", f.PseudoValue("status"))
			}
			return f.StreamID == stream && f.StreamEnded()
		case *http2.DataFrame:
			return f.StreamID == stream && f.StreamEnded()
		case *http2.RSTStreamFrame:
			x.t.Fatalf("stream %d was reset: %v", f.StreamID, f.ErrCode)
		case *http2.GoAwayFrame:
			x.t.Fatalf("GOAWAY up to %d", f.LastStreamID)
		}
		return false
	})
}

func (x *h2) goingAway(last uint32) {
	x.t.Helper()
	x.until("GOAWAY", func(f http2.Frame) bool {
		g, ok := f.(*http2.GoAwayFrame)
		if ok && (g.LastStreamID != last || g.ErrCode != http2.ErrCodeNo) {
			x.t.Fatalf("GOAWAY up to %d: %v; want %d", g.LastStreamID, g.ErrCode, last)
		}
		return ok
	})
}

const everyStream = 1<<31 - 1

// A client of HTTP/2 is told at once, while streams that it opens at that very
// moment are served, also those whose body it could not send again.
func TestDrainerServesStreamsThatCrossTheGoAway(t *testing.T) {
	serverTLS, clientTLS, _ := certificates(t)
	d := newDrained(t, proxy.ServerOptions{Handler: echo, TLS: serverTLS})
	idle, busy, unused := dialHTTP2(t, d.address, clientTLS), dialHTTP2(t, d.address, clientTLS), dialHTTP2(t, d.address, clientTLS)
	for _, x := range []*h2{idle, busy} {
		x.open(1)
		x.body(1)
		x.answered(1)
	}
	busy.open(3)
	d.LameDuck()
	for _, x := range []*h2{idle, busy} {
		x.goingAway(everyStream)
	}
	busy.open(5) // had not heard of it yet
	busy.body(5)
	busy.answered(5)
	busy.body(3)
	busy.answered(3)

	// One without an answer is spared, as is a new one, until it has had it.
	fresh := dialHTTP2(t, d.address, clientTLS)
	for _, x := range []*h2{unused, fresh} {
		x.open(1)
		x.body(1)
		x.until("headers", func(f http2.Frame) bool {
			if g, ok := f.(*http2.GoAwayFrame); ok {
				t.Fatalf("GOAWAY before the first answer: %v", g)
			}
			_, ok := f.(*http2.MetaHeadersFrame)
			return ok
		})
		x.goingAway(everyStream)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.shutdown(t)
	}()
	idle.goingAway(1)
	busy.goingAway(5)
	<-ended
}

// After a GOAWAY of net/http none may name a later stream (RFC 9113 section 6.8):
// clients would give up streams that are under way.
func TestDrainerAnnouncesNothingAfterTheEnd(t *testing.T) {
	serverTLS, clientTLS, _ := certificates(t)
	d := newDrained(t, proxy.ServerOptions{TLS: serverTLS, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Overload") != "" {
			w.Header().Set("Connection", "close") // net/http says GOAWAY then
			return
		}
		echo(w, r)
	})})
	x := dialHTTP2(t, d.address, clientTLS)
	x.open(1)
	x.body(1)
	x.answered(1)
	x.open(3) // under way meanwhile
	x.open(5, "overload")
	x.goingAway(5)
	d.LameDuck()
	for i := range 100 { // whatever it had to say comes before the last of these
		x.must(x.framer.WritePing(false, [8]byte{byte(i)}))
		x.until("an echo", func(f http2.Frame) bool {
			if g, ok := f.(*http2.GoAwayFrame); ok {
				t.Fatalf("one more GOAWAY, up to %d", g.LastStreamID)
			}
			p, ok := f.(*http2.PingFrame)
			return ok && p.IsAck()
		})
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.shutdown(t)
	}()
	x.body(3)
	x.answered(3) // fails at any GOAWAY
	<-ended
}

// A connection that is new when the listener closes has its first streams served:
// it is told that no more may come, and then the others are waited for.
func TestDrainerServesTheFirstStreamsOfNewConnections(t *testing.T) {
	serverTLS, clientTLS, _ := certificates(t)
	d := newDrained(t, proxy.ServerOptions{Handler: echo, TLS: serverTLS})
	fresh := dialHTTP2(t, d.address, clientTLS)
	fresh.until("settings", func(f http2.Frame) bool { _, ok := f.(*http2.SettingsFrame); return ok })
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.shutdown(t)
	}()
	fresh.goingAway(everyStream)
	for _, stream := range []uint32{1, 3} { // were on the way
		fresh.open(stream)
	}
	for _, stream := range []uint32{1, 3} {
		fresh.body(stream)
	}
	fresh.until("answers to both", func() func(f http2.Frame) bool {
		left := map[uint32]bool{1: true, 3: true}
		return func(f http2.Frame) bool {
			switch f := f.(type) {
			case *http2.MetaHeadersFrame:
				if f.StreamEnded() {
					delete(left, f.StreamID)
				}
			case *http2.DataFrame:
				if f.StreamEnded() {
					delete(left, f.StreamID)
				}
			case *http2.GoAwayFrame:
				if f.LastStreamID < 3 {
					t.Fatalf("GOAWAY up to %d", f.LastStreamID)
				}
			case *http2.RSTStreamFrame:
				t.Fatalf("stream %d was reset: %v", f.StreamID, f.ErrCode)
			}
			return len(left) == 0
		}
	}())
	<-ended
}

// A header that takes several frames is not cut apart by the announcement.
func TestDrainerKeepsHeaderBlocksWhole(t *testing.T) {
	serverTLS, clientTLS, _ := certificates(t)
	d := newDrained(t, proxy.ServerOptions{TLS: serverTLS, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, name := range []string{"X-A", "X-B", "X-C"} {
			w.Header().Set(name, strings.Repeat(name, 5000))
		}
	})})
	d.LameDuck()
	x := dialHTTP2(t, d.address, clientTLS)
	x.framer.MaxHeaderListSize = 1 << 20
	x.open(1)
	x.body(1)
	x.until("headers", func(f http2.Frame) bool {
		h, ok := f.(*http2.MetaHeadersFrame) // refuses whatever comes between
		return ok && len(h.RegularFields()) >= 3
	})
	x.goingAway(everyStream)
}
