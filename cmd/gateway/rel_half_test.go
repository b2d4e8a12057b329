package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/exchange"
)

// Half a request is not a request, however it stops and whatever carries it: the
// upstream sees a message that breaks off, nothing is executed, nobody sends it
// again, and what it held is free.
func TestREL04HalfARequest(t *testing.T) {
	begun, ends := make(chan struct{}, 100), make(chan string, 10)
	up := listenRaw(t, func(_ net.Conn, r *bufio.Reader) {
		if _, err := r.Peek(1); err != nil {
			return // a connection without a request
		}
		begun <- struct{}{}
		all, _ := io.ReadAll(r) // to the end of the connection
		ends <- string(all)
	})
	g := newRawRig(t, up.URL, nil)
	half := strings.Repeat("!", 40)
	for name, message := range map[string]string{
		"Content-Length": "Content-Length: 100\r\n\r\n" + half,
		"chunked":        "Transfer-Encoding: chunked\r\n\r\n28\r\n" + half + "\r\n",
	} {
		for end, stop := range map[string]func(*tls.Conn){
			"reset": func(c *tls.Conn) {
				_ = c.NetConn().(*net.TCPConn).SetLinger(0)
				_ = c.NetConn().Close()
			},
			"close":       func(c *tls.Conn) { _ = c.NetConn().Close() },
			"goodbye":     func(c *tls.Conn) { _ = c.Close() },
			"half-closed": func(c *tls.Conn) { _ = c.CloseWrite() },
			"stall":       func(*tls.Conn) {},
		} {
			for _, method := range []string{http.MethodPost, http.MethodPut} { // PUT is replayable here
				t.Run(fmt.Sprintf("%s %s %s", name, end, method), func(t *testing.T) {
					conn := g.dial(t)
					_, err := fmt.Fprintf(conn, "%s /raw/lists(7f) HTTP/1.1\r\nHost: %s\r\nX-Api-Key: %s\r\n%s", method, g.Server, g.key, message)
					if err != nil {
						t.Fatal(err)
					}
					<-begun
					stop(conn)
					wantHalf(t, ends)
				})
			}
		}
	}
	t.Run("HTTP/2", func(t *testing.T) {
		source, rest := io.Pipe()
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, g.base+"/raw/lists(7f)", source)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Api-Key", g.key)
		done := make(chan error, 1)
		go func() {
			resp, err := g.client.Do(req)
			if err == nil {
				err = fmt.Errorf("answered: %s", resp.Status)
				_ = resp.Body.Close()
			}
			done <- err
		}()
		if _, err := io.WriteString(rest, half); err != nil {
			t.Fatal(err)
		}
		<-begun
		leave() // RST_STREAM
		wantHalf(t, ends)
		if err := <-done; err == nil || strings.HasPrefix(err.Error(), "answered") {
			t.Error(err)
		}
	})
	await(t, "no slot is held", func() bool {
		return strings.Contains(g.get(t, "http://"+g.Admin+"/metrics").text, `iqgw_bulkhead_in_flight{environment="sim",service="raw"} 0`)
	})
	for line := range strings.Lines(g.get(t, "http://"+g.Admin+"/metrics").text) {
		if strings.HasPrefix(line, "iqgw_breaker_") && strings.Contains(line, "fail") && strings.Contains(line, `"raw"`) && !strings.HasSuffix(line, " 0\n") {
			t.Errorf("the breaker counted: %s", line)
		}
	}
	if n := len(ends); n != 0 {
		t.Errorf("%d more messages reached the upstream: half a request was sent again", n)
	}
}

// dial opens a connection to the gateway, for HTTP/1.1.
func (r *rig) dial(t *testing.T) *tls.Conn {
	t.Helper()
	d := tls.Dialer{Config: &tls.Config{RootCAs: r.roots, NextProtos: []string{"http/1.1"}}}
	conn, err := d.DialContext(t.Context(), "tcp", r.Server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn.(*tls.Conn)
}

// wantHalf checks that the next message at the upstream breaks off.
func wantHalf(t *testing.T, ends <-chan string) {
	t.Helper()
	select {
	case got := <-ends:
		if strings.HasSuffix(got, "0\r\n\r\n") || strings.Count(got, "!") > 40 || strings.Count(got, "HTTP/1.1\r\n") > 1 {
			t.Errorf("the upstream saw a whole message:\n%s", got)
		}
	case <-time.After(10 * time.Second):
		t.Error("the upstream waits for the rest for ever")
	}
}

// answersBadly returns an upstream that reads a whole request, notes it as
// executed, and answers as its path says; by default not at all.
func answersBadly(executed *tally) func(net.Conn, *bufio.Reader) {
	return func(c net.Conn, r *bufio.Reader) {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return
		}
		executed.run(req.Method + req.URL.Path)
		answer, hold := "", false
		switch what, _, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), "/"); what {
		case "silent":
			hold = true
		case "half-header":
			answer, hold = "HTTP/1.1 200 OK\r\nContent-Le", true
		case "garbage":
			answer = "SSH-2.0-banana\r\n\r\n"
		case "half-body":
			answer = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome"
		case "503":
			answer = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
		}
		_, _ = io.WriteString(c, answer)
		if hold {
			_, _ = io.Copy(io.Discard, r) // until the gateway gives up
		}
	}
}

// Whatever becomes of a request on its way, its caller learns the truth: it may
// be repeated, or nobody knows; and a read needs no word.
func TestFateOfRequests(t *testing.T) {
	var executed tally
	up := listenRaw(t, answersBadly(&executed))
	g := newRawRig(t, up.URL, nil)
	deadline := setHeader("X-Request-Timeout-Ms", "300")
	for _, c := range []struct {
		path   string
		edit   func(*http.Request)
		status int // 0 = the answer breaks off
		write  exchange.Outcome
		reads  int // times that a read is sent at most
		passed bool
	}{
		{path: "/reset", status: 502, write: exchange.OutcomeUnknown, reads: 3},
		{path: "/silent", status: 504, write: exchange.OutcomeUnknown, reads: 3},
		{path: "/silent/deadline", edit: deadline, status: 504, write: exchange.OutcomeUnknown, reads: 1},
		{path: "/half-header", status: 504, write: exchange.OutcomeUnknown, reads: 3},
		{path: "/garbage", status: 502, write: exchange.OutcomeUnknown, reads: 3},
		{path: "/half-body", reads: 1},
		{path: "/503", status: 503, reads: 3, passed: true},
	} {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodGet} {
			t.Run(method+c.path, func(t *testing.T) {
				t.Parallel() // with each other only
				body := ""
				if method == http.MethodPost || method == http.MethodPut {
					body = "abc"
				}
				var edits []func(*http.Request)
				if c.edit != nil {
					edits = append(edits, c.edit)
				}
				a, err := g.try(t.Context(), method, "/raw"+c.path, body, edits...)
				runs := executed.of(method + c.path)
				if method != http.MethodGet && runs != 1 || runs < 1 || runs > c.reads {
					t.Errorf("sent %d times", runs)
				}
				if c.status == 0 {
					if err == nil {
						t.Errorf("a broken answer ended cleanly: %s %q", a.Status, a.text)
					}
					return
				}
				if err != nil || a.StatusCode != c.status {
					t.Fatalf("%v, %v, want %d", a.Response, err, c.status)
				}
				if c.passed {
					return
				}
				want := c.write
				if method == http.MethodGet {
					want = exchange.OutcomeNone
				}
				if v := a.verdict(t); v.Outcome != want {
					t.Errorf("%d %+v, want outcome %q", a.StatusCode, v, want)
				}
			})
		}
	}
}

// What ends before anything was sent says so, also if it is only time that ran
// out.
func TestFateOfWhatWasNeverSent(t *testing.T) {
	silent := listenRaw(t, func(_ net.Conn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, r) })
	closed := listenRaw(t, func(net.Conn, *bufio.Reader) {})
	closed.close()
	for name, c := range map[string]struct {
		origin string
		extra  map[string]string
		edit   func(*http.Request)
		status int
		kind   exchange.ProblemType
	}{
		"connection refused": {origin: closed.URL, status: 502, kind: exchange.UpstreamUnreachable},
		"the handshake takes longer than the caller waits": {
			origin: strings.Replace(silent.URL, "http:", "https:", 1), edit: setHeader("X-Request-Timeout-Ms", "200"),
			status: 504, kind: exchange.UpstreamTimeout,
		},
		"no quota before the caller's deadline": {
			origin: silent.URL, extra: map[string]string{"quota": "{kind: window, assume: 1/60s, max: 1}"}, edit: setHeader("X-Request-Timeout-Ms", "200"),
			status: 429, kind: exchange.QuotaExceeded,
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRawRig(t, c.origin, c.extra)
			if c.extra != nil { // spends the window
				_, _ = g.try(t.Context(), http.MethodPost, "/raw/first", "abc")
			}
			for _, write := range []struct{ method, path, body string }{
				{http.MethodPost, "/raw/x", "abc"},
				{http.MethodDelete, "/raw/x", ""},
				{http.MethodPut, "/raw/lists(7f)", "abc"},
			} {
				var edits []func(*http.Request)
				if c.edit != nil {
					edits = append(edits, c.edit)
				}
				a := g.do(t, write.method, write.path, write.body, edits...)
				if v := a.verdict(t); a.StatusCode != c.status || v.Outcome != exchange.NotExecuted || v.Type != string(c.kind) {
					t.Errorf("%s: %d %+v, want %d %s", write.method, a.StatusCode, v, c.status, c.kind)
				}
			}
		})
	}
}
