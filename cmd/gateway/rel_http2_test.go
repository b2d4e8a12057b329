package main

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"

	"iqgateway/internal/exchange"
)

// frames is an HTTP/2 upstream of frames: react is called at the end of each
// request, n counts them.
func frames(t *testing.T, react func(n int32, f *http2.Framer, stream uint32)) *httptest.Server {
	t.Helper()
	var seen atomic.Int32
	up := httptest.NewUnstartedServer(http.NotFoundHandler())
	up.Config.ErrorLog = log.New(io.Discard, "", 0)
	up.TLS = &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"}}
	up.Config.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
		"h2": func(_ *http.Server, c *tls.Conn, _ http.Handler) {
			defer func() { _ = c.Close() }()
			if _, err := io.CopyN(io.Discard, c, int64(len(http2.ClientPreface))); err != nil {
				return
			}
			f := http2.NewFramer(c, c)
			_ = f.WriteSettings()
			for {
				frame, err := f.ReadFrame()
				if err != nil {
					return
				}
				headers, _ := frame.(*http2.HeadersFrame)
				data, _ := frame.(*http2.DataFrame)
				if headers != nil && headers.StreamEnded() || data != nil && data.StreamEnded() {
					react(seen.Add(1), f, frame.Header().StreamID)
				}
			}
		},
	}
	up.StartTLS()
	t.Cleanup(func() {
		up.CloseClientConnections()
		up.Close()
	})
	return up
}

// newFramesRig is a gateway in front of up. extra is that of newRawRig.
func newFramesRig(t *testing.T, up *httptest.Server, extra map[string]string) *rig {
	t.Helper()
	roots := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: up.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return newRawRig(t, up.URL, extra, "IQGW_ENVIRONMENTS__SIM__UPSTREAM_TLS__CA_FILE="+roots)
}

// A read whose stream an HTTP/2 upstream resets before an answer is repeated as
// one whose connection ends, unless the upstream blames it; a write is not, as
// TestREL05HTTP2Upstream shows.
func TestREL05HTTP2ReadsAreRepeated(t *testing.T) {
	reset := func(code http2.ErrCode) func(*http2.Framer, uint32) {
		return func(f *http2.Framer, stream uint32) { _ = f.WriteRSTStream(stream, code) }
	}
	answered, attempts := accessLine{Attempts: 2, Retries: 1, Retry: "answered"}, accessLine{Attempts: 1}
	for name, c := range map[string]struct {
		first func(f *http2.Framer, stream uint32)
		want  accessLine
	}{
		"INTERNAL_ERROR":    {reset(http2.ErrCodeInternal), answered},
		"CANCEL":            {reset(http2.ErrCodeCancel), answered},
		"REFUSED_STREAM":    {reset(http2.ErrCodeRefusedStream), answered},
		"unknown":           {reset(0xfe), answered},
		"PROTOCOL_ERROR":    {reset(http2.ErrCodeProtocol), attempts},
		"ENHANCE_YOUR_CALM": {reset(http2.ErrCodeEnhanceYourCalm), attempts},
		"GOAWAY, then the end": {func(f *http2.Framer, stream uint32) {
			_ = f.WriteGoAway(stream, http2.ErrCodeNo, nil)
			f.SetMaxReadFrameSize(0) // of the answer to the ping: the upstream closes
			_ = f.WritePing(false, [8]byte{})
		}, answered},
	} {
		t.Run(name, func(t *testing.T) {
			up := frames(t, func(n int32, f *http2.Framer, stream uint32) {
				if n == 1 {
					c.first(f, stream)
					return
				}
				answerEmpty(f, stream)
			})
			g := newFramesRig(t, up, nil)
			status := http.StatusOK
			if c.want.Retry == "" {
				status = http.StatusBadGateway
			}
			line := g.line(t, g.do(t, http.MethodGet, "/raw/x", "").want(t, status))
			if got := (accessLine{Attempts: line.Attempts, Retries: line.Retries, Retry: line.Retry}); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func answerEmpty(f *http2.Framer, stream uint32) {
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: []byte("\x88"), EndHeaders: true, EndStream: true})
}

// What an HTTP/2 upstream has declared unprocessed is sent once more, of any
// method and with its body; what it may have looked at is not.
func TestREL05HTTP2Upstream(t *testing.T) {
	refuse := func(f *http2.Framer, stream uint32) { _ = f.WriteRSTStream(stream, http2.ErrCodeRefusedStream) }
	leave := func(f *http2.Framer, _ uint32) { _ = f.WriteGoAway(0, http2.ErrCodeNo, nil) }
	lose := func(f *http2.Framer, stream uint32) { _ = f.WriteRSTStream(stream, http2.ErrCodeInternal) }
	for name, c := range map[string]struct {
		first, second func(f *http2.Framer, stream uint32)
		seen          int32
		status        int
		fate          exchange.Outcome // of a write
	}{
		"refused once":               {refuse, answerEmpty, 2, http.StatusOK, ""},
		"GOAWAY once":                {leave, answerEmpty, 2, http.StatusOK, ""},
		"refused for ever":           {refuse, refuse, 2, http.StatusBadGateway, exchange.NotExecuted},
		"GOAWAY for ever":            {leave, leave, 2, http.StatusBadGateway, exchange.NotExecuted},
		"reset, nobody knows":        {lose, answerEmpty, 1, http.StatusBadGateway, exchange.OutcomeUnknown},
		"refused, then nobody knows": {refuse, lose, 2, http.StatusBadGateway, exchange.OutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			for _, ask := range []struct{ method, body string }{
				{http.MethodPost, "abc"}, {http.MethodPost, ""}, {http.MethodDelete, ""}, {http.MethodPatch, "abc"},
			} {
				var seen atomic.Int32
				up := frames(t, func(n int32, f *http2.Framer, stream uint32) {
					if seen.Store(n); n == 1 {
						c.first(f, stream)
						return
					}
					c.second(f, stream)
				})
				g := newFramesRig(t, up, nil)
				a := g.do(t, ask.method, "/raw/x", ask.body)
				if a.StatusCode != c.status || seen.Load() != c.seen {
					t.Errorf("%s %q: %s after %d requests, want %d after %d", ask.method, ask.body, a.Status, seen.Load(), c.status, c.seen)
				}
				if a.StatusCode != http.StatusOK && a.verdict(t).Outcome != c.fate {
					t.Errorf("%s %q: %+v, want outcome %q", ask.method, ask.body, a.verdict(t), c.fate)
				}
			}
		})
	}
}
