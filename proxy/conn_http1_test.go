package proxy_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// overTLS turns an upstream into one that speaks HTTP/1 over TLS, and returns
// its certificate. What is written between two flushes leaves at once.
func overTLS(t *testing.T, serve func(c io.Writer, flush func(), r *bufio.Reader)) (up *rawUpstream, roots string) {
	t.Helper()
	certified := httptest.NewTLSServer(nil)
	t.Cleanup(certified.Close)
	up = newRawUpstream(t, func(_ int, c net.Conn, _ *bufio.Reader) {
		held := &heldConn{Conn: c}
		secure := tls.Server(held, &tls.Config{Certificates: certified.TLS.Certificates})
		if secure.Handshake() != nil {
			return
		}
		held.holding = true
		serve(secure, held.flush, bufio.NewReader(secure))
	})
	up.URL = strings.Replace(up.URL, "http://", "https://", 1)
	return up, certificatePEM(certified)
}

// heldConn collects what is written, so that several records of TLS arrive in
// one segment.
type heldConn struct {
	net.Conn
	holding bool
	out     bytes.Buffer
}

func (h *heldConn) Write(p []byte) (int, error) {
	if !h.holding {
		return h.Conn.Write(p)
	}
	return h.out.Write(p)
}

func (h *heldConn) flush() {
	_, _ = h.Conn.Write(h.out.Bytes()) // the next read tells
	h.out.Reset()
}

// answerWithLeftovers answers with the target of the request, sometimes with a
// second answer behind it, in the ways in which that can arrive.
func answerWithLeftovers(w io.Writer, flush func(), r *bufio.Reader) {
	const poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return
		}
		body := req.RequestURI
		switch rand.IntN(3) {
		case 0: // as long as one read of net/http, head included
			body += strings.Repeat(" ", 4096-len("HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n")-len(body))
		case 1: // read past its buffer
			body += strings.Repeat(" ", 20_000)
		}
		answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		if rand.IntN(2) == 0 {
			answer = fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)
		}
		switch rand.IntN(9) {
		case 0:
			answer += poison
		case 1: // a record of its own, where there are records
			_, _ = io.WriteString(w, answer)
			answer = poison
		case 2:
			answer += poison[:rand.IntN(len(poison))]
		}
		if _, err := io.WriteString(w, answer); err != nil {
			return
		}
		flush()
	}
}

// An upstream sends more than one answer to one request. What is left over is
// nobody's answer, and nobody notices.
func TestLeftoversReachNobody(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %v", secure), func(t *testing.T) {
			var up *rawUpstream
			var roots string
			if secure {
				up, roots = overTLS(t, answerWithLeftovers)
			} else {
				up = newRawUpstream(t, func(_ int, c net.Conn, r *bufio.Reader) {
					out := bufio.NewWriterSize(c, 64<<10)
					answerWithLeftovers(out, func() { _ = out.Flush() }, r)
				})
			}
			g := newGate(t, up.URL, func(g *gate) { g.Settings.Trust = trusting(t, roots) })
			askAll(t, g, 32, time.Second+time.Second/2)
		})
	}
}

// askAll has callers ask for different things, each for its own.
func askAll(t *testing.T, g *gate, callers int, during time.Duration) {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: callers}
	t.Cleanup(transport.CloseIdleConnections)
	ctx, cancel := context.WithTimeout(t.Context(), during)
	defer cancel()
	var asked, failed atomic.Int64
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for i := 0; ctx.Err() == nil && failed.Load() < 5; i++ {
				target := fmt.Sprintf("/%d/%d", caller, i)
				method, body := http.MethodGet, ""
				if i%2 == 1 {
					method, body = http.MethodPost, "abc"
				}
				status, got, err := ask(transport, method, g.URL+"/svc"+target, body)
				if err != nil || status != http.StatusOK || strings.TrimRight(got, " ") != target {
					failed.Add(1)
					t.Errorf("%s %s: %d %.300q, %v", method, target, status, got, err)
				}
				asked.Add(1)
				drain(g)
			}
		})
	}
	all.Wait()
	t.Logf("%d requests", asked.Load())
	if asked.Load() < int64(callers) {
		t.Error("nearly nothing was asked")
	}
}

func ask(transport http.RoundTripper, method, url, body string) (int, string, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = res.Body.Close() }()
	got, err := io.ReadAll(res.Body)
	return res.StatusCode, string(got), err
}

// What an upstream sends before it was asked is no answer either.
func TestAnswersBeforeTheRequest(t *testing.T) {
	up := newRawUpstream(t, func(_ int, c net.Conn, r *bufio.Reader) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
		readHead(r)
	})
	g := newGate(t, up.URL, nil)
	for range 20 {
		// On a fast machine the request may leave before the answer arrives:
		// then the two cannot be told apart.
		if _, body := g.do(t, http.MethodGet, "/svc/x", nil, nil); body != "poison" && !strings.Contains(body, "#upstream-") {
			t.Errorf("a caller got %q", body)
		}
	}
}

// A connection goes on being used where every answer ends as it should.
func TestCleanConnectionsAreReused(t *testing.T) {
	answers := []string{
		plainAnswer,
		"HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\nX-T: 1\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + plainAnswer,
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	}
	serve := func(w io.Writer, flush func(), r *bufio.Reader) {
		for i := 0; ; i++ {
			head := readHead(r)
			answer := answers[i%len(answers)]
			if strings.HasPrefix(head, "HEAD") {
				answer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
			}
			if _, err := io.WriteString(w, answer); head == "" || err != nil {
				return
			}
			flush()
		}
	}
	plain := newRawUpstream(t, func(_ int, c net.Conn, r *bufio.Reader) { serve(c, func() {}, r) })
	secure, roots := overTLS(t, serve)
	for _, up := range []*rawUpstream{plain, secure} {
		g := newGate(t, up.URL, func(g *gate) { g.Settings.Trust = trusting(t, roots) })
		for range 2 * len(answers) {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				if res, _ := g.do(t, method, "/svc/x", nil, nil); res.StatusCode >= 400 {
					t.Errorf("%s: %s: %s", up.URL, method, res.Status)
				}
			}
		}
		if n := len(up.conns); n != 1 {
			t.Errorf("%s: %d connections", up.URL, n)
		}
	}
}
