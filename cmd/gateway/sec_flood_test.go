package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"iqgateway/internal/iqsim"
)

// flood is a client that speaks HTTP/2 as no good one does.
type flood struct {
	t      *testing.T
	conn   *tls.Conn
	frames *http2.Framer
	header bytes.Buffer
	pack   *hpack.Encoder
	ended  chan error // what ended the reading side: nil for GOAWAY
	pongs  chan struct{}

	sent    atomic.Int64 // bytes
	reset   atomic.Int64 // streams, by the server
	refused atomic.Int64 // of these, those that it never looked at
}

// Write implements io.Writer, for the frames.
func (f *flood) Write(p []byte) (int, error) {
	n, err := f.conn.Write(p)
	f.sent.Add(int64(n))
	return n, err
}

func newFlood(t *testing.T, r *rig, settings ...http2.Setting) *flood {
	t.Helper()
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: r.roots, NextProtos: []string{"h2"}}}
	conn, err := dialer.DialContext(t.Context(), "tcp", r.Server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	f := &flood{t: t, conn: conn.(*tls.Conn), ended: make(chan error, 1), pongs: make(chan struct{}, 1)}
	f.frames = http2.NewFramer(f, conn)
	f.frames.AllowIllegalWrites = true
	f.pack = hpack.NewEncoder(&f.header)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := f.frames.WriteSettings(settings...); err != nil {
		t.Fatal(err)
	}
	go f.read()
	return f
}

// read takes what comes until the server says goodbye or ends the connection.
func (f *flood) read() {
	for {
		frame, err := f.frames.ReadFrame()
		if err != nil {
			f.ended <- err
			return
		}
		switch frame := frame.(type) {
		case *http2.GoAwayFrame:
			if frame.ErrCode != http2.ErrCodeNo {
				f.ended <- nil
				return
			}
		case *http2.PingFrame:
			if frame.IsAck() {
				select {
				case f.pongs <- struct{}{}:
				default: // nobody waits for one
				}
			}
		case *http2.RSTStreamFrame:
			f.reset.Add(1)
			if frame.ErrCode == http2.ErrCodeRefusedStream {
				f.refused.Add(1)
			}
		}
	}
}

// headers is the block of a good read of the caller.
func (f *flood) headers(key string, more ...hpack.HeaderField) []byte {
	return f.block(http.MethodGet, key, more...)
}

func (f *flood) block(method, key string, more ...hpack.HeaderField) []byte {
	f.header.Reset()
	for _, h := range append([]hpack.HeaderField{
		{Name: ":method", Value: method},
		{Name: ":scheme", Value: "https"},
		{Name: ":authority", Value: f.conn.RemoteAddr().String()},
		{Name: ":path", Value: customers},
		{Name: "x-api-key", Value: key},
	}, more...) {
		_ = f.pack.WriteField(h)
	}
	return f.header.Bytes()
}

// wantEnd fails the test unless the server has ended the connection.
func (f *flood) wantEnd() {
	f.t.Helper()
	select {
	case err := <-f.ended:
		f.t.Logf("ended: %v", err)
	case <-time.After(30 * time.Second):
		f.t.Error("the connection goes on")
	}
}

// processed waits until the server has taken what was sent so far, and reports
// whether it still does.
func (f *flood) processed() bool {
	if f.frames.WritePing(false, [8]byte{}) != nil {
		return false
	}
	select {
	case <-f.pongs:
		return true
	case err := <-f.ended:
		f.ended <- err
		return false
	}
}

// resets opens streams and resets each, once it has begun or at once.
func (f *flood) resets(key string, n int, begun bool) (sent int) {
	for ; sent < n; sent++ {
		stream := uint32(2*sent + 1)
		block := f.headers(key)
		if f.frames.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block, EndHeaders: true, EndStream: true}) != nil ||
			begun && !f.processed() || f.frames.WriteRSTStream(stream, http2.ErrCodeCancel) != nil {
			break // the server has had enough
		}
	}
	return sent
}

// Streams that are reset as soon as they have begun have the server end their
// connection before they have cost the upstream much. Those that are reset before
// they begin never do.
func TestSEC56RapidReset(t *testing.T) {
	for name, begun := range map[string]bool{"as soon as they have begun": true, "at once": false} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, rigOptions{extra: "services: {crm: {cache: {mode: none}}}\n"})
			r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
			if _, err := r.AddFault(iqsim.Fault{Kind: iqsim.FaultStall, Service: "crm"}); err != nil {
				t.Fatal(err)
			}
			tokens := len(r.calls("accounts"))
			f := newFlood(t, r)
			sent := f.resets(r.key, 20_000, begun)
			if begun {
				f.wantEnd()
			}
			await(t, "nothing is under way", func() bool {
				return strings.Contains(r.get(t, "http://"+r.Admin+"/metrics").text, `iqgw_bulkhead_in_flight{environment="sim",service="crm"} 0`)
			})
			calls := len(r.calls("crm")) - 1
			t.Logf("%d streams, %d calls of the upstream", sent, calls)
			if calls > 100 || len(r.calls("accounts")) > tokens {
				t.Errorf("%d calls of the upstream, %d of the token endpoint; want at most 100 and none", calls, len(r.calls("accounts"))-tokens)
			}
			if spent := r.sum(t, "iqgw_quota_caller_tokens_total"); spent < 1 || spent > 100 {
				t.Errorf("%v tokens of the quota were spent", spent)
			}
			r.RemoveFaults(0)
			r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
		})
	}
}

// sum adds up the series of a metric.
func (r *rig) sum(t *testing.T, name string) (sum float64) {
	t.Helper()
	for _, line := range r.metric(t, name) {
		value, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += value
	}
	return sum
}

// Frames that cost the sender nothing end the connection.
func TestSEC56Floods(t *testing.T) {
	r := newRig(t, rigOptions{extra: "services: {crm: {cache: {mode: none}}}\n"})
	huge := strings.Repeat("x", 4000)
	for name, write := range map[string]func(f *flood, i int) error{
		"CONTINUATION without an end": func(f *flood, i int) error {
			if i == 0 {
				return f.frames.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.headers(r.key)})
			}
			f.header.Reset()
			_ = f.pack.WriteField(hpack.HeaderField{Name: "x-more", Value: huge, Sensitive: true})
			return f.frames.WriteContinuation(1, false, f.header.Bytes())
		},
		"a bomb of HPACK references": func(f *flood, i int) error {
			if i == 0 {
				return f.frames.WriteHeaders(http2.HeadersFrameParam{
					StreamID: 1, BlockFragment: f.headers(r.key, hpack.HeaderField{Name: "x-bomb", Value: huge}),
				})
			}
			return f.frames.WriteContinuation(1, false, bytes.Repeat([]byte{0xbe}, 16<<10)) // the newest entry, each time
		},
		"a header of one long host, referred to": func(f *flood, i int) error {
			if i == 0 {
				return f.frames.WriteHeaders(http2.HeadersFrameParam{
					StreamID: 1, BlockFragment: f.headers(r.key, hpack.HeaderField{Name: "host", Value: huge}),
				})
			}
			return f.frames.WriteContinuation(1, false, bytes.Repeat([]byte{0xbe}, 3000))
		},
		"DATA on an idle stream":   func(f *flood, _ int) error { return f.frames.WriteData(99, false, nil) },
		"WINDOW_UPDATE beyond all": func(f *flood, _ int) error { return f.frames.WriteWindowUpdate(0, 1<<31-1) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFlood(t, r)
			held := watchHeap()
			sent := 0
			for ; sent < 50_000; sent++ {
				if write(f, sent) != nil {
					break
				}
				held.look()
			}
			t.Logf("%d frames were taken", sent)
			f.wantEnd()
			held.want(f)
			r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
		})
	}
}

// A request of more than 100 lines of header, or of a header that is too large,
// is answered 431 over HTTP/2, or ends the connection; none reaches an upstream.
func TestSEC57LimitsOfHTTP2(t *testing.T) {
	r := newRig(t, rigOptions{})
	for name, edit := range map[string]func(*http.Request){
		"lines": func(req *http.Request) {
			for range 101 {
				req.Header.Add("X-Line", "a")
			}
		},
		"size": func(req *http.Request) { req.Header.Set("X-Long", strings.Repeat("a", 33<<10)) },
	} {
		a, err := r.try(t.Context(), http.MethodGet, customers, "", edit)
		if err != nil && !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", name, err)
		} else if err == nil && a.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%s: %s", name, a.Status)
		}
	}
	long := strings.Repeat("a", 17<<10)
	if a := r.do(t, http.MethodGet, "/crm/v1/"+long, ""); a.StatusCode != http.StatusRequestURITooLong {
		t.Errorf("target: %s", a.Status)
	}
	if got := len(r.calls("crm")); got != 0 {
		t.Errorf("%d requests reached the upstream", got)
	}
}
