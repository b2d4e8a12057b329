package iqsim

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// harness is a simulation behind a real server, with a clock that tests turn.
type harness struct {
	*Sim
	t      testing.TB
	url    string
	client *http.Client
	clock  *testClock
	bearer string // the Authorization that [harness.do] sends; "" sends none
}

type testClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *testClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *testClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// startSim serves a simulation whose clock stands at 15:04:20.4 until a test
// moves it.
func startSim(t testing.TB, o Options) *harness {
	t.Helper()
	clock := &testClock{now: time.Date(2026, 3, 2, 15, 4, 20, 400_000_000, time.UTC)}
	o.Now = clock.Now
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	h := &harness{Sim: s, t: t, url: server.URL, client: client, clock: clock}
	text, err := s.Token("")
	if err != nil {
		t.Fatal(err)
	}
	h.bearer = "Bearer " + text
	return h
}

// simReply is an answer read to its end.
type simReply struct {
	status  int
	header  http.Header
	body    string
	bodyErr error // why the body ended early
}

// do sends a request; fields are name, value, name, value, … and "Host" sets
// the host.
func (h *harness) do(method, target, body string, fields ...string) simReply {
	h.t.Helper()
	r, err := h.try(method, target, body, fields...)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

// get is a GET that must come through.
func (h *harness) get(target string, fields ...string) simReply {
	h.t.Helper()
	return h.do(http.MethodGet, target, "", fields...)
}

// try is do for requests that may fail.
func (h *harness) try(method, target, body string, fields ...string) (simReply, error) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.url+target, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if h.bearer != "" {
		req.Header.Set("Authorization", h.bearer)
	}
	for i := 0; i < len(fields); i += 2 {
		if fields[i] == "Host" {
			req.Host = fields[i+1]
		} else {
			req.Header.Set(fields[i], fields[i+1])
		}
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return simReply{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return simReply{resp.StatusCode, resp.Header, string(text), err}, nil
}

// decode reads the body as JSON into v.
func (r simReply) decode(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.body), v); err != nil {
		t.Fatalf("status %d, body %q: %v", r.status, r.body, err)
	}
}

// grantForm returns a token request; changes are name, value, …, and a value
// "-" removes the parameter.
func formOf(changes ...string) string {
	form := url.Values{
		"grant_type": {"password"}, "client_id": {"sim-client"}, "client_secret": {"sim-secret"},
		"username": {"sim@example.com"}, "password": {"sim-password"},
	}
	for i := 0; i < len(changes); i += 2 {
		form.Set(changes[i], changes[i+1])
		if changes[i+1] == "-" {
			form.Del(changes[i])
		}
	}
	return form.Encode()
}

const formType = "application/x-www-form-urlencoded"

// login makes a password grant in an environment.
func (h *harness) login(environment string, changes ...string) (simReply, grantAnswer) {
	h.t.Helper()
	r := h.do(http.MethodPost, "/~"+environment+"/accounts/v1/oauth2/token", formOf(changes...), "Content-Type", formType)
	var g grantAnswer
	if r.status == http.StatusOK {
		r.decode(h.t, &g)
	}
	return r, g
}

const customers = "/crm/v1/Companies(14146)/Customers"

// newHTTP2 serves s over TLS with HTTP/2.
func newHTTP2(t testing.TB, s *Sim) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(s)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}
