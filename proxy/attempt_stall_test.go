package proxy_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/proxy"
)

// stallBody is the body of each request.
const stallBody = "abc"

const short = 60 * time.Millisecond

// stall is one point at which an upstream stops, or resets the connection.
type stall struct {
	https    bool   // the connection never becomes TLS
	answer   string // what it sends before
	drip     bool   // then one byte per millisecond, for ever
	reset    bool
	timeouts func(*gate)

	whole   bool // the answer is complete all the same
	status  int  // of the gateway's answer; 200 = cut in the middle, unless whole
	proxy   string
	outcome exchange.Outcome
	kind    proxy.FailureKind
}

func stalls() map[string]stall {
	const (
		head  = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
		whole = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	)
	connect := func(g *gate) { g.Settings.Connect = short }
	header := func(g *gate) { g.Settings.ResponseHeader = short }
	idle := func(g *gate) { g.Service.BodyIdle = short }
	total := func(g *gate) { g.Service.Total, g.Service.BodyIdle = 2*short, patience }
	return map[string]stall{
		"before TLS":            {https: true, timeouts: connect, status: 504, proxy: "connection_timeout", outcome: exchange.NotExecuted, kind: proxy.FailedConnectTime},
		"reset before TLS":      {https: true, reset: true, timeouts: connect, status: 502, proxy: "tls_protocol_error", outcome: exchange.NotExecuted, kind: proxy.FailedTLS},
		"before header":         {timeouts: header, status: 504, proxy: "http_response_timeout", outcome: exchange.OutcomeUnknown, kind: proxy.FailedHeaderTime},
		"before header, total":  {timeouts: total, status: 504, proxy: "http_response_timeout", outcome: exchange.OutcomeUnknown, kind: proxy.FailedDeadline},
		"in header":             {answer: "HTTP/1.1 200 OK\r\nCont", timeouts: header, status: 504, proxy: "http_response_timeout", outcome: exchange.OutcomeUnknown, kind: proxy.FailedHeaderTime},
		"reset before header":   {reset: true, timeouts: header, status: 502, proxy: "connection_terminated", outcome: exchange.OutcomeUnknown, kind: proxy.FailedReset},
		"reset in header":       {answer: "HTTP/1.1 200 OK\r\nCont", reset: true, timeouts: header, status: 502, proxy: "http_protocol_error", outcome: exchange.OutcomeUnknown, kind: proxy.FailedProtocol},
		"after header":          {answer: head, timeouts: idle, status: 200, kind: proxy.FailedBodyIdle},
		"reset after header":    {answer: head, reset: true, timeouts: idle, status: 200, kind: proxy.FailedBody},
		"in body":               {answer: head + "some", timeouts: idle, status: 200, kind: proxy.FailedBodyIdle},
		"in chunked body":       {answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n", timeouts: idle, status: 200, kind: proxy.FailedBodyIdle},
		"reset in body":         {answer: head + "some", reset: true, timeouts: idle, status: 200, kind: proxy.FailedBody},
		"reset in chunked body": {answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n", reset: true, timeouts: idle, status: 200, kind: proxy.FailedBody},
		"after the last byte":   {answer: whole, whole: true, timeouts: idle, status: 200},
		"drip":                  {answer: "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", drip: true, timeouts: total, status: 200, kind: proxy.FailedDeadline},
	}
}

// However an upstream stops, the caller hears of it in time, and the connection
// to it ends.
func TestREL30StallMatrix(t *testing.T) {
	for name, tt := range stalls() {
		t.Run(name, func(t *testing.T) {
			closed := make(chan struct{}, 10)
			up := newRawUpstream(t, func(_ int, c net.Conn, r *bufio.Reader) {
				defer func() { closed <- struct{}{} }()
				tt.serve(c, r)
			})
			origin := up.URL
			if tt.https {
				origin = strings.Replace(origin, "http:", "https:", 1)
			}
			g := newGate(t, origin, tt.timeouts)
			tt.check(t, g)
			if tt.whole { // the connection is kept, and ends with the pool
				return
			}
			receive(t, closed, "end of the upstream connection")
		})
	}
}

func (s stall) serve(c net.Conn, r *bufio.Reader) {
	if s.https {
		_, _ = r.Peek(1)
	} else {
		readHead(r)
		_, _ = r.Discard(len(stallBody)) // else the end of the connection may meet it
	}
	_, _ = io.WriteString(c, s.answer)
	if s.reset {
		_ = c.(*net.TCPConn).SetLinger(0)
		return
	}
	if s.drip {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := io.WriteString(c, "x"); err != nil {
				return
			}
		}
	}
	_, _ = io.Copy(io.Discard, r) // until the gateway gives up
}

func (s stall) check(t *testing.T, g *gate) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.URL+"/svc/x", strings.NewReader(stallBody))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	res, err := g.client().Do(req)
	var body []byte
	if err == nil {
		body, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
	}
	if took := time.Since(start); took > patience/2 {
		t.Errorf("it took %v", took)
	}
	if info := receive(t, g.attempts, "attempt"); info.Kind != s.kind || info.Resends != 0 {
		t.Errorf("attempt ended as %q, want %q", info.Kind, s.kind)
	}
	ex := g.finished(t)
	if s.whole {
		if err != nil || string(body) != "ok" || ex.Aborted != nil {
			t.Errorf("%q, %v, aborted %v", body, err, ex.Aborted)
		}
		return
	}
	if s.status == http.StatusOK {
		if err == nil || ex.Aborted == nil || ex.Problem != nil {
			t.Errorf("a broken answer ended with %v, aborted %v, problem %v", err, ex.Aborted, ex.Problem)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	var document struct{ Outcome exchange.Outcome }
	if err := json.Unmarshal(body, &document); err != nil {
		t.Fatalf("%v in %q", err, body)
	}
	if res.StatusCode != s.status || document.Outcome != s.outcome || ex.Aborted != nil {
		t.Errorf("%d %s, want %d %s", res.StatusCode, document.Outcome, s.status, s.outcome)
	}
	if status := res.Header.Get("Proxy-Status"); !strings.HasPrefix(status, "iqgateway; error="+s.proxy+";") {
		t.Errorf("Proxy-Status %q, want %s", status, s.proxy)
	}
}

// An answer that is complete does not wait for the connection to end.
func TestCompleteAnswerNeedsNoClose(t *testing.T) {
	up := newRawUpstream(t, func(_ int, c net.Conn, r *bufio.Reader) {
		readHead(r)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
		_, _ = io.Copy(io.Discard, r)
	})
	g := newGate(t, up.URL, func(g *gate) { g.Service.BodyIdle = patience })
	if _, body := g.do(t, http.MethodGet, "/svc/x", nil, nil); body != "ok" {
		t.Errorf("body %q", body)
	}
	if info := receive(t, g.attempts, "attempt"); info.Kind != proxy.FailedNot {
		t.Errorf("attempt %+v", info)
	}
}
