package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"iqgateway/proxy"
)

// newEchoUpstream sets a cookie with its first answer, and gives the same
// unusual answer to every later request. The heads of those that bring a cookie
// go to asked.
func newEchoUpstream(t *testing.T, value, answer string, asked chan<- string) *rawUpstream {
	t.Helper()
	var first sync.Once
	return newRawUpstream(t, func(_ int, c net.Conn, r *bufio.Reader) {
		head := readHead(r)
		text := answer
		first.Do(func() {
			text = "HTTP/1.1 200 OK\r\nSet-Cookie: s=" + value + "; Path=/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
		})
		if strings.Contains(head, "Cookie:") {
			select {
			case asked <- head:
			default:
			}
		}
		_, _ = io.WriteString(c, text)
	})
}

// Cookies are found nowhere but in what goes to the upstream and to the store.
func TestSessionCookieCanary(t *testing.T) {
	const canary = "CAN_CK"
	var mu sync.Mutex
	var texts []string
	note := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		texts = append(texts, fmt.Sprintf(format, args...))
	}
	hooks := proxy.SessionHooks{
		Opened:      func(k proxy.SessionKey, host string) { note("%+v %s", k, host) },
		Ended:       func(k proxy.SessionKey, why proxy.SessionDrop) { note("%+v %s", k, why) },
		Refused:     func(k proxy.SessionKey, err error) { note("%+v %v", k, err) },
		Called:      func(k proxy.SessionKey, _ time.Duration, err error) { note("%+v %v %+v", k, err, err) },
		StoreFailed: func(k proxy.SessionKey, what string, err error) { note("%+v %s %v", k, what, err) },
	}
	for name, answer := range echoes() {
		answer = strings.ReplaceAll(answer, "CAN_AT", canary)
		sessions := proxy.NewSessions(proxy.SessionsOptions{Hooks: hooks, Store: &proxy.MemoryStore{}})
		t.Cleanup(sessions.Close)
		asked := make(chan string, 100)
		up := newEchoUpstream(t, canary, answer, asked)
		g := newGate(t, up.URL, func(g *gate) {
			g.Sessions = sessions
			g.Service.Session = proxy.ServiceSession{Cookies: true}
		})
		res, body := g.do(t, http.MethodGet, "/svc/first", nil, nil)
		note("%+v %s", res.Header, body)
		for _, path := range []string{"/svc/x", "/svc/session"} {
			note("%s", callerView(g.raw(t, "GET "+path+" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", ""), answer))
		}
		for range 3 {
			ex := g.finished(t)
			note("%+v %v", *ex, ex.Aborted)
			if ex.Problem != nil {
				note("%v %+v", ex.Problem, *ex.Problem)
			}
		}
		note("%s", sessions.Printed())
		if !strings.Contains(receive(t, asked, "request with the cookie"), "Cookie: s="+canary) {
			t.Errorf("%s: the upstream did not get its cookie back", name)
		}
	}
	for _, text := range texts {
		if strings.Contains(text, canary) {
			t.Errorf("a cookie got out: %.300s", text)
		}
	}
}

// callerView is what a caller got, "" when the upstream's bytes are an answer
// that passes as it is.
func callerView(got, answer string) string {
	if strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") && strings.Contains(answer, "HTTP/1.1 200 OK") {
		return ""
	}
	return got
}
