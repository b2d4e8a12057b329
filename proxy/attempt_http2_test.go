package proxy_test

import (
	"cmp"
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"

	"iqgateway/internal/exchange"
	"iqgateway/proxy"
)

// newFrameUpstream is an HTTP/2 server that reacts to the end of each request
// with frames of the test's choice.
func newFrameUpstream(t *testing.T, settings []http2.Setting, react func(f *http2.Framer, stream uint32)) *httptest.Server {
	t.Helper()
	return newGreetingUpstream(t, func(f *http2.Framer) { _ = f.WriteSettings(settings...) }, react)
}

// newGreetingUpstream is one that begins each connection with greet.
func newGreetingUpstream(t *testing.T, greet func(f *http2.Framer), react func(f *http2.Framer, stream uint32)) *httptest.Server {
	t.Helper()
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
			greet(f)
			for {
				frame, err := f.ReadFrame()
				if err != nil {
					return
				}
				ended := false
				switch frame := frame.(type) {
				case *http2.HeadersFrame:
					ended = frame.StreamEnded()
				case *http2.DataFrame:
					ended = frame.StreamEnded()
				}
				if ended {
					react(f, frame.Header().StreamID)
				}
			}
		},
	}
	up.StartTLS()
	t.Cleanup(up.Close)
	return up
}

// :status 200, from the static table of HPACK (RFC 7541 appendix A).
const status200 = "\x88"

// frameFailure is one way in which an HTTP/2 upstream fails.
type frameFailure struct {
	settings []http2.Setting
	react    func(f *http2.Framer, stream uint32)
	timeouts func(*gate)
	outcome  exchange.Outcome // of a gateway-made answer; "" = cut in the middle
	kind     proxy.FailureKind
	race     bool   // the failure may also come before the request has left
	method   string // POST with a body; any other has none
}

func frameFailures() map[string]frameFailure {
	return map[string]frameFailure{
		"refused stream": {
			react:   func(f *http2.Framer, stream uint32) { _ = f.WriteRSTStream(stream, http2.ErrCodeRefusedStream) },
			outcome: exchange.NotExecuted, kind: proxy.FailedReset,
		},
		"GOAWAY before the request": {
			react:   func(f *http2.Framer, _ uint32) { _ = f.WriteGoAway(0, http2.ErrCodeNo, nil) },
			outcome: exchange.NotExecuted, kind: proxy.FailedReset,
		},
		"refused stream without a body": {
			react:   func(f *http2.Framer, stream uint32) { _ = f.WriteRSTStream(stream, http2.ErrCodeRefusedStream) },
			outcome: exchange.NotExecuted, kind: proxy.FailedReset, method: http.MethodDelete,
		},
		"GOAWAY before the request without a body": {
			react:   func(f *http2.Framer, _ uint32) { _ = f.WriteGoAway(0, http2.ErrCodeNo, nil) },
			outcome: exchange.NotExecuted, kind: proxy.FailedReset, method: http.MethodDelete,
		},
		"GOAWAY after the request": {
			react: func(f *http2.Framer, stream uint32) {
				_ = f.WriteGoAway(stream, http2.ErrCodeNo, nil)
				_ = f.WriteRSTStream(stream, http2.ErrCodeCancel)
			},
			outcome: exchange.OutcomeUnknown, kind: proxy.FailedReset, method: http.MethodPut,
		},
		"reset": {
			react:   func(f *http2.Framer, stream uint32) { _ = f.WriteRSTStream(stream, http2.ErrCodeInternal) },
			outcome: exchange.OutcomeUnknown, kind: proxy.FailedReset,
		},
		"reset that blames the request": {
			react:   func(f *http2.Framer, stream uint32) { _ = f.WriteRSTStream(stream, http2.ErrCodeProtocol) },
			outcome: exchange.OutcomeUnknown, kind: proxy.FailedProtocol,
		},
		"no answer": {
			react:    func(*http2.Framer, uint32) {},
			timeouts: func(g *gate) { g.Settings.ResponseHeader = short },
			outcome:  exchange.OutcomeUnknown, kind: proxy.FailedHeaderTime,
		},
		"frames of no size": {
			settings: []http2.Setting{{ID: http2.SettingMaxFrameSize, Val: 0}},
			react:    func(*http2.Framer, uint32) {},
			timeouts: func(g *gate) { g.Service.Total = patience },
			outcome:  exchange.OutcomeUnknown, kind: proxy.FailedProtocol, race: true,
		},
		"reset in the body": {
			react: func(f *http2.Framer, stream uint32) {
				_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: []byte(status200), EndHeaders: true})
				_ = f.WriteData(stream, false, []byte("some"))
				_ = f.WriteRSTStream(stream, http2.ErrCodeInternal)
			},
			kind: proxy.FailedBody,
		},
		"stall in the body": {
			react: func(f *http2.Framer, stream uint32) {
				_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: []byte(status200), EndHeaders: true})
				_ = f.WriteData(stream, false, []byte("some"))
			},
			timeouts: func(g *gate) { g.Service.BodyIdle = short },
			kind:     proxy.FailedBodyIdle,
		},
	}
}

// Whatever an HTTP/2 upstream does, one attempt sends a request once, and says
// truly whether it may have been executed.
func TestREL05HTTP2Upstream(t *testing.T) {
	for name, tt := range frameFailures() {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int32
			up := newFrameUpstream(t, tt.settings, func(f *http2.Framer, stream uint32) {
				requests.Add(1)
				tt.react(f, stream)
			})
			g := newGate(t, up.URL, func(g *gate) {
				g.Settings.Trust = trusting(t, certificatePEM(up))
				if tt.timeouts != nil {
					tt.timeouts(g)
				}
			})
			method, text := cmp.Or(tt.method, http.MethodPost), "abc"
			if method != http.MethodPost {
				text = "" // which net/http could send again by itself
			}
			req, err := http.NewRequestWithContext(t.Context(), method, g.URL+"/svc/x", strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			res, err := g.client().Do(req)
			var body []byte
			if err == nil {
				body, err = io.ReadAll(res.Body)
				_ = res.Body.Close()
			}
			if info := receive(t, g.attempts, "attempt"); info.Kind != tt.kind {
				t.Errorf("attempt ended as %q (%v), want %q", info.Kind, g.finished(t).Problem, tt.kind)
			}
			up.CloseClientConnections()
			if n := requests.Load(); n > 1 {
				t.Errorf("the upstream saw the request %d times", n)
			}
			if tt.outcome == "" {
				if err == nil {
					t.Error("a broken answer ended cleanly")
				}
				return
			}
			var problem struct{ Outcome exchange.Outcome }
			err = json.Unmarshal(body, &problem)
			early := tt.race && problem.Outcome == exchange.NotExecuted
			if err != nil || problem.Outcome != tt.outcome && !early {
				t.Errorf("%v, outcome %q, want %q", err, problem.Outcome, tt.outcome)
			}
		})
	}
}
