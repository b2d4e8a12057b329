package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"iqgateway/proxy"
)

// echoes are answers of an upstream that repeats the token it got, in places
// where net/http's errors quote it.
func echoes() map[string]string {
	const ok, token = "HTTP/1.1 200 OK\r\n", "Bearer CAN_AT"
	return map[string]string{
		"no HTTP":             token + "\r\n\r\n",
		"version":             "HTTP/" + token + " 200 OK\r\n\r\n",
		"status":              "HTTP/1.1 " + token + "\r\n\r\n",
		"status code":         "HTTP/1.1 20CAN_AT OK\r\n\r\n",
		"line without colon":  ok + token + "\r\n\r\n",
		"name":                ok + token + ": x\r\n\r\n",
		"name with a space":   ok + "CAN_AT : x\r\n\r\n",
		"first line folded":   ok + " " + token + "\r\n\r\n",
		"length":              ok + "Content-Length: " + token + "\r\n\r\n",
		"two lengths":         ok + "Content-Length: 1\r\nContent-Length: " + token + "\r\n\r\n",
		"coding":              ok + "Transfer-Encoding: " + token + "\r\n\r\n",
		"two codings":         ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: " + token + "\r\n\r\n",
		"chunk size":          ok + "Transfer-Encoding: chunked\r\n\r\n" + token + "\r\n",
		"end of a chunk":      ok + "Transfer-Encoding: chunked\r\n\r\n1\r\na" + token + "\r\n",
		"trailer":             ok + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n" + token + "\r\n\r\n",
		"interim":             "HTTP/1.1 103 Hints\r\n" + token + "\r\n\r\n" + plainAnswer,
		"many interim":        strings.Repeat("HTTP/1.1 103 Hints\r\nX: "+token+"\r\n\r\n", 30),
		"switching":           "HTTP/1.1 101 " + token + "\r\nConnection: Upgrade\r\nUpgrade: CAN_AT\r\n\r\n",
		"odd status":          "HTTP/1.1 999 " + token + "\r\nContent-Length: 0\r\n\r\n",
		"refused credential":  "HTTP/1.1 401 No\r\nWWW-Authenticate: " + token + "\r\nContent-Length: 0\r\n\r\n",
		"refused proxy":       "HTTP/1.1 407 No\r\nProxy-Authenticate: " + token + "\r\nContent-Length: 0\r\n\r\n",
		"header without end":  ok + "X: " + token,
		"endless header":      ok + "X: " + strings.Repeat(token, 50_000) + "\r\n\r\n",
		"body breaks off":     ok + "Content-Length: 100\r\n\r\nabc",
		"behind the answer":   plainAnswer + token,
		"control byte":        ok + "X: \x00" + token + "\r\n\r\n",
		"length out of range": ok + "Content-Length: 99999999999999999999\r\n\r\n" + token,
	}
}

// What the log gets of a failed attempt are the gateway's own words.
func TestCausesRepeatNothingOfAnAnswer(t *testing.T) {
	for name, answer := range echoes() {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			up := newRawUpstream(t, func(_ int, c net.Conn, r *bufio.Reader) {
				readHead(r)
				_, _ = io.WriteString(c, answer)
			})
			g := newGate(t, up.URL, nil)
			got := g.raw(t, method+" /svc/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "")
			ex := g.finished(t)
			texts := []string{fmt.Sprint(ex.Aborted)}
			if ex.Problem != nil {
				texts = append(texts, ex.Problem.Error(), fmt.Sprintf("%v %+v", ex.Problem.Err, ex.Problem.Err), got)
				if ex.Problem.Status() != http.StatusBadGateway {
					t.Errorf("%s: %d", name, ex.Problem.Status())
				}
			} else if ex.Aborted == nil && !strings.Contains(got, " 200 OK\r\n") {
				t.Errorf("%s: nothing went wrong: %.200s", name, got)
			}
			for _, text := range texts {
				if strings.Contains(text, "CAN_AT") {
					t.Errorf("%s: the token got out: %.300s", name, text)
				}
			}
		}
	}
}

// An answer without a Content-Type reaches the caller without one.
func TestNoContentTypeIsMadeUp(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = nil
		if r.URL.Path == "/typed" {
			w.Header().Set("Content-Type", "x/y")
		}
		_, _ = io.WriteString(w, "<html>")
	}))
	t.Cleanup(up.Close)
	for _, http2 := range []bool{false, true} {
		g := newGate(t, up.URL, func(g *gate) { g.HTTP2 = http2 })
		if res, _ := g.do(t, http.MethodGet, "/svc/x", nil, nil); res.Header["Content-Type"] != nil {
			t.Errorf("HTTP/2 %v: made up %q", http2, res.Header["Content-Type"])
		}
		if res, _ := g.do(t, http.MethodGet, "/svc/typed", nil, nil); len(res.Header["Content-Type"]) != 1 || res.Header.Get("Content-Type") != "x/y" {
			t.Errorf("HTTP/2 %v: %q", http2, res.Header["Content-Type"])
		}
	}
}

// "none" is written as the longest duration there is.
func TestLongestDurations(t *testing.T) {
	const forever = time.Duration(math.MaxInt64)
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	t.Cleanup(up.Close)
	for _, http2 := range []bool{false, true} {
		g := newGate(t, up.URL, func(g *gate) {
			g.Service.Total, g.Service.BodyIdle = forever, forever
			g.Settings.Connect, g.Settings.ResponseHeader = forever, forever
			g.HTTP2 = http2
			g.Wrap = proxy.Sanitize(proxy.SanitizeOptions{
				BodyIdleTimeout: forever, WriteIdleTimeout: forever, MaxDeadline: forever, Refuse: refusal,
			})
			g.Limits = proxy.ServerOptions{ReadHeaderTimeout: forever, IdleTimeout: forever, WriteIdleTimeout: forever}
		})
		for range 3 {
			res, body := g.do(t, http.MethodPost, "/svc/x", io.MultiReader(strings.NewReader("abc")), http.Header{"X-Request-Timeout-Ms": {"4294967295"}})
			if res.StatusCode != http.StatusOK || body != "abc" {
				t.Errorf("HTTP/2 %v: %s %q", http2, res.Status, body)
			}
		}
		if res, _ := g.do(t, http.MethodGet, "/svc/x", nil, nil); res.StatusCode != http.StatusOK {
			t.Errorf("HTTP/2 %v: %s", http2, res.Status)
		}
	}
}
