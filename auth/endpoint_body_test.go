package auth

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/exchange"
)

// A body of nobody known is waited for shortly, all in all; one that is too long
// by its own account is not read at all.
func TestTokenCallBodyIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		length int
		status int
	}{
		"byte by byte": {1000, http.StatusRequestTimeout},
		"too long":     {maxTokenCall + 1, http.StatusRequestEntityTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			stage := TokenEndpoint(TokenEndpointOptions{
				Tokens: newTokens(t, tokenKey(1), testCallers()),
				Refuse: func(w http.ResponseWriter, _ *http.Request, err error) {
					p, ok := errors.AsType[*exchange.Problem](err)
					if !ok || !p.Close {
						t.Errorf("refused with %v", err)
						return
					}
					w.Header().Set("Connection", "close")
					w.WriteHeader(p.Status())
				},
				Asks: func(*http.Request) bool { return true }, BodyTimeout: 300 * time.Millisecond,
			})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				stage(http.NotFoundHandler()).ServeHTTP(w, r.WithContext(exchange.With(r.Context(), &exchange.Exchange{})))
			}))
			defer server.Close()
			resp := drip(t, server.Listener.Addr().String(), c.length)
			if resp.StatusCode != c.status || !resp.Close {
				t.Errorf("%s, close: %t", resp.Status, resp.Close)
			}
		})
	}
}

// drip announces a form of that length, sends a byte of it every 20 ms, and
// returns the answer.
func drip(t *testing.T, address string, length int) *http.Response {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // ends the drip
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	head := "POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: " + formType + "\r\nContent-Length: " + strconv.Itoa(length) + "\r\n\r\n"
	if _, err := io.WriteString(conn, head); err != nil {
		t.Fatal(err)
	}
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := io.WriteString(conn, "a"); err != nil {
				return
			}
		}
	}()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp
}

// Strangers who send no body take nobody's place: the call that has waited for
// the longest ends when there are too many.
func TestTokenCallsWhoseBodiesDoNotCome(t *testing.T) {
	calls := &TokenCalls{}
	stage := TokenEndpoint(TokenEndpointOptions{
		Callers: testCallers(), Tokens: newTokens(t, tokenKey(1), testCallers()), Now: noon, Calls: calls, BodyTimeout: time.Minute,
		Refuse: func(w http.ResponseWriter, _ *http.Request, err error) {
			p, ok := errors.AsType[*exchange.Problem](err)
			if !ok || !p.Close || p.RetryAfter <= 0 {
				t.Errorf("refused with %v", err)
				return
			}
			w.WriteHeader(p.Status())
		},
		Asks: func(*http.Request) bool { return true },
	})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stage(http.NotFoundHandler()).ServeHTTP(w, r.WithContext(exchange.With(r.Context(), &exchange.Exchange{})))
	}))
	server.EnableHTTP2 = true
	server.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: maxTokenCalls + 10}
	server.StartTLS()
	defer server.Close()
	answers := make(chan int, maxTokenCalls+1)
	var unsent []io.Closer
	for range maxTokenCalls + 1 {
		body, writer := io.Pipe()
		unsent = append(unsent, writer)
		go func() { answers <- postToken(t, server, body) }()
	}
	if status := <-answers; status != http.StatusServiceUnavailable { // and all others wait
		t.Errorf("the oldest was answered %d", status)
	}
	for range 3 {
		if status := postToken(t, server, strings.NewReader(passwordForm().Encode())); status != http.StatusOK {
			t.Errorf("a whole call was answered %d", status)
		}
	}
	if status := <-answers; status != http.StatusServiceUnavailable { // the first whole call has made room for all three
		t.Errorf("the oldest was answered %d", status)
	}
	for _, w := range unsent {
		_ = w.Close()
	}
	for range maxTokenCalls - 1 {
		if status := <-answers; status != http.StatusBadRequest { // an empty body at last
			t.Errorf("one that ended was answered %d", status)
		}
	}
}

func postToken(t *testing.T, server *httptest.Server, body io.Reader) int {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/token", body)
	if err != nil {
		t.Error(err)
		return 0
	}
	r.Header.Set("Content-Type", formType)
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Error(err)
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
