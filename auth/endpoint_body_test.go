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

func TestTokenCallsAtOnce(t *testing.T) {
	rig, calls := newTokenRig(t, testCallers()), &TokenCalls{}
	stage := TokenEndpoint(TokenEndpointOptions{
		Callers: testCallers(), Tokens: rig.tokens, Refuse: rig.failed.refuse, Now: noon,
		Asks: func(*http.Request) bool { return true }, Calls: calls,
	})
	for range maxTokenCalls - 1 {
		calls.enter()
	}
	ask := func() int {
		r := tokenPost("", nil)
		body := strings.NewReader(passwordForm().Encode())
		r.Body = io.NopCloser(body)
		_, answer := serve(stage, r, &exchange.Exchange{})
		if answer.Code == http.StatusServiceUnavailable && body.Len() < len(passwordForm().Encode()) {
			t.Error("the body was read")
		}
		return answer.Code
	}
	for range 3 { // each gives its place back
		if status := ask(); status != http.StatusOK {
			t.Fatalf("answered %d while there is room", status)
		}
	}
	calls.enter()
	for range 3 {
		if status := ask(); status != http.StatusServiceUnavailable {
			t.Fatalf("answered %d while there is none", status)
		}
	}
	if p := rig.failed.problems[0]; p.Type != exchange.GatewayOverloaded || p.RetryAfter <= 0 {
		t.Errorf("refused with %v", p)
	}
	calls.leave()
	if status := ask(); status != http.StatusOK {
		t.Errorf("answered %d once there is room again", status)
	}
}
