package main

import (
	"bufio"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"iqgateway/internal/exchange"
)

// rawService is the service behind which the tests of delivery have an upstream
// of their own. Its breaker stays closed: these upstreams fail by design.
const rawService = `services:
  raw:
    host: raw
    timeouts: {connect: 2s, response_header: 400ms, body_idle: 5s, total: 20s}
    retry: {max_attempts: 3, budget: 100%}
    breaker: {min_requests: 1000000}
    throttle_breaker: {consecutive: 1000}
    quota: {kind: none}
    cache: {mode: none}
    headers: {forward: [Idempotency-Key, X-Idempotency-Key]}
    side_effects: [{path: /effect/**}]
    replayable: [{path: "/lists({list})", method: PUT}]
`

// newRawRig is a whole gateway in front of an upstream of the test's own. extra
// stands beside the settings of the service, and replaces one of them.
func newRawRig(t *testing.T, origin string, extra map[string]string, environ ...string) *rig {
	t.Helper()
	var settings strings.Builder
	for line := range strings.Lines(rawService) {
		key, _, _ := strings.Cut(strings.TrimSpace(line), ":")
		if value, replaced := extra[key]; replaced {
			line = "    " + key + ": " + value + "\n"
		}
		settings.WriteString(line)
	}
	return newRig(t, rigOptions{extra: settings.String(), environ: append(environ,
		"IQGW_ENVIRONMENTS__SIM__SERVICES__RAW__URL="+origin,
		"IQGW_SERVER__LIMITS__BODY_IDLE_TIMEOUT=500ms", // of uploads that stall
	)})
}

// rawListener is an upstream down to its connections.
type rawListener struct {
	URL   string
	inner net.Listener
	all   sync.WaitGroup
}

// listenRaw hands each connection to serve, and closes it afterwards.
func listenRaw(t *testing.T, serve func(c net.Conn, r *bufio.Reader)) *rawListener {
	t.Helper()
	inner, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &rawListener{URL: "http://" + inner.Addr().String(), inner: inner}
	t.Cleanup(l.all.Wait)
	t.Cleanup(l.close)
	l.all.Go(func() {
		for {
			conn, err := inner.Accept()
			if err != nil {
				return
			}
			l.all.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(time.Minute))
				serve(conn, bufio.NewReader(conn))
			})
		}
	})
	return l
}

func (l *rawListener) close() { _ = l.inner.Close() }

// verdict is what the gateway says of a request that it could not finish.
type verdict struct {
	Type    string           `json:"type"`
	Outcome exchange.Outcome `json:"outcome"`
}

// verdict reads the problem of an answer; it fails on any other answer.
func (a answer) verdict(t *testing.T) verdict {
	t.Helper()
	var v verdict
	if err := json.Unmarshal([]byte(a.text), &v); err != nil || !strings.HasPrefix(a.Header.Get("Content-Type"), "application/problem+json") {
		t.Errorf("%s is no problem: %.200q", a.Status, a.text)
	}
	_, v.Type, _ = strings.Cut(v.Type, "#")
	return v
}

// tally counts what an upstream has executed, by path.
type tally struct {
	mu   sync.Mutex
	runs map[string]int
}

func (c *tally) run(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.runs == nil {
		c.runs = map[string]int{}
	}
	c.runs[name]++
}

func (c *tally) of(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.runs[name]
}

func setHeader(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}
