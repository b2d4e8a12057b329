//go:build unix

package proxy_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// An upstream that lets no request begin, or ends every connection as soon as
// there is one, is neither hammered nor waited for beyond the deadline.
func TestREL05HTTP2NoSpin(t *testing.T) {
	const callers, deadline = 20, 2 * time.Second
	answer := func(f *http2.Framer, stream uint32) {
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: []byte(status200), EndHeaders: true, EndStream: true})
	}
	silent := func(*http2.Framer, uint32) {}
	for name, tt := range map[string]struct {
		greet func(f *http2.Framer)
		react func(f *http2.Framer, stream uint32)
		conns int32 // that it may open
		ok    bool  // all are answered
	}{
		"GOAWAY at once, for ever": {
			greet: func(f *http2.Framer) { _ = f.WriteSettings(); _ = f.WriteGoAway(0, http2.ErrCodeNo, nil) },
			react: silent, conns: 2 * callers,
		},
		"GOAWAY for every request": {
			greet: func(f *http2.Framer) { _ = f.WriteSettings() },
			react: func(f *http2.Framer, _ uint32) { _ = f.WriteGoAway(0, http2.ErrCodeNo, nil) }, conns: 2 * callers,
		},
		"no stream may be opened": {
			greet: func(f *http2.Framer) {
				_ = f.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 0})
			},
			react: silent, conns: 2 * callers,
		},
		"one stream at a time": {
			greet: func(f *http2.Framer) {
				_ = f.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
			},
			react: answer, conns: 2 * callers, ok: true,
		},
		"frames of no size": {
			greet: func(f *http2.Framer) { _ = f.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 0}) },
			react: silent, conns: 2 * callers,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var conns atomic.Int32
			up := newGreetingUpstream(t, func(f *http2.Framer) { conns.Add(1); tt.greet(f) }, tt.react)
			g := newGate(t, up.URL, func(g *gate) {
				g.Settings.Trust = trusting(t, certificatePEM(up))
				g.Service.Total = deadline
			})
			before, start := cpuTime(t), time.Now()
			var wait sync.WaitGroup
			var failed atomic.Int32
			for i := range callers {
				method, body := http.MethodGet, ""
				if i%2 == 0 {
					method, body = http.MethodPost, "abc"
				}
				wait.Go(func() {
					status, text, err := g.send(t, method, body)
					if err != nil || status != http.StatusOK {
						failed.Add(1)
					}
					if tt.ok && status != http.StatusOK {
						t.Errorf("%s: %d %s, %v", method, status, text, err)
					}
				})
			}
			wait.Wait()
			took, used := time.Since(start), cpuTime(t)-before
			up.CloseClientConnections()
			t.Logf("%d of %d failed within %s, %d connections, %s of processor time", failed.Load(), callers, took.Round(time.Millisecond), conns.Load(), used)
			if took > deadline+patience/2 || (failed.Load() == 0) != tt.ok {
				t.Errorf("%d failed after %s", failed.Load(), took)
			}
			if n := conns.Load(); n > tt.conns {
				t.Errorf("%d connections for %d requests", n, callers)
			}
			if used > time.Second { // a loop that spins would use one for each that passes
				t.Errorf("used the processor for %s", used)
			}
		})
	}
}

func (g *gate) send(t *testing.T, method, body string) (status int, text string, err error) {
	req, err := http.NewRequestWithContext(t.Context(), method, g.URL+"/svc/x", strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	res, err := g.client().Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	return res.StatusCode, string(answer), err
}

// cpuTime is what the process has used of the processors so far.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
