package iqsim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"syscall"
	"testing"
	"time"
)

// arm arms a fault for the crm service alone.
func (h *harness) arm(text string) {
	h.t.Helper()
	f, err := ParseFault(text + "&service=crm")
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.AddFault(f); err != nil {
		h.t.Fatal(err)
	}
}

// last returns the latest ledger entry once it is closed.
func (h *harness) last() LedgerEntry {
	h.t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for {
		all := h.Ledger(LedgerQuery{})
		if n := len(all); n > 0 && all[n-1].Done {
			return all[n-1]
		}
		if time.Now().After(deadline) {
			h.t.Fatal("no entry was closed")
		}
		<-time.After(time.Millisecond)
	}
}

// What the client sees and what the ledger says of each fault that breaks a
// connection.
func TestBrokenConnections(t *testing.T) {
	tests := []struct {
		fault       string
		answered    bool // the client got a header
		wantErr     error
		status      int // in the ledger
		executed    bool
		bytesAtMost int
	}{
		{"kind=reset&at=arrival", false, syscall.ECONNRESET, 0, false, 0},
		{"kind=reset&at=before", false, syscall.ECONNRESET, 0, false, 0},
		{"kind=reset&at=after", false, syscall.ECONNRESET, 0, true, 0},
		{"kind=reset&at=headers", true, syscall.ECONNRESET, 200, true, 0},
		{"kind=reset&at=body&bytes=100", true, syscall.ECONNRESET, 200, true, 100},
		{"kind=truncate", true, io.ErrUnexpectedEOF, 200, true, 60_000},
		{"kind=truncate&bytes=100", true, io.ErrUnexpectedEOF, 200, true, 100},
		{"kind=truncate&bytes=100&chunked=true", true, io.ErrUnexpectedEOF, 200, true, 100},
		{"kind=raw&body=HTTP/1.1 200 OK%0d%0aContent-Length: 5%0d%0a%0d%0aab", true, io.ErrUnexpectedEOF, 0, false, 2},
		{"kind=raw&at=after&body=nonsense", false, nil, 0, true, 0},
	}
	for _, tt := range tests {
		t.Run(tt.fault, func(t *testing.T) {
			h := startSim(t, Options{})
			h.arm(tt.fault)
			r, err := h.try(http.MethodGet, customers, "", "Accept-Encoding", "identity")
			if tt.answered != (err == nil) {
				t.Fatalf("status %d, error %v", r.status, err)
			}
			if err == nil {
				err = r.bodyErr
			}
			if err == nil || tt.wantErr != nil && !errors.Is(err, tt.wantErr) {
				t.Errorf("error %v, want %v", err, tt.wantErr)
			}
			if len(r.body) > tt.bytesAtMost {
				t.Errorf("%d bytes came, at most %d were allowed", len(r.body), tt.bytesAtMost)
			}
			if e := h.last(); e.Status != tt.status || e.Executed != tt.executed {
				t.Errorf("ledger: status %d, executed %v", e.Status, e.Executed)
			}
		})
	}
}

func TestAnsweringFaults(t *testing.T) {
	tests := []struct {
		fault    string
		status   int
		body     string
		fields   map[string]string
		executed bool
	}{
		{"kind=status", 503, "", map[string]string{"X-RateLimit-Remaining": "999"}, false},
		{"kind=status&status=500&body=Entity is not related", 500, "Entity is not related", map[string]string{"Content-Type": "text/plain"}, false},
		{"kind=status&status=502&at=arrival", 502, "", map[string]string{"X-RateLimit-Remaining": ""}, false},
		{"kind=status&status=504&at=after&body=late", 504, "late", nil, true},
		{"kind=status&status=303&field=Location: https://elsewhere.example/x", 303, "", map[string]string{"Location": "https://elsewhere.example/x"}, false},
		{"kind=status&status=429&field=Retry-After: 3", 429, "", map[string]string{"Retry-After": "3"}, false},
		{"kind=fields&field=Location: https://crm.iqmetrix.net/v1/x&field=Set-Cookie: a=b", 200, "*", map[string]string{"Location": "https://crm.iqmetrix.net/v1/x", "Set-Cookie": "a=b"}, true},
		{"kind=revoke", 401, "invalid token", nil, false},
		{"kind=latency&delay=1ms", 200, "*", nil, true},
		{"kind=latency&delay=1ms&at=after", 200, "*", nil, true},
		{"kind=latency&delay=1ms&at=headers", 200, "*", nil, true},
		{"kind=latency&delay=1ms&at=body", 200, "*", nil, true},
		{"kind=stall&delay=1ms&at=body", 200, "*", nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.fault, func(t *testing.T) {
			h := startSim(t, Options{})
			h.arm(tt.fault)
			r := h.get(customers)
			if r.status != tt.status || r.bodyErr != nil || tt.body != "*" && r.body != tt.body {
				t.Errorf("status %d, body %.60q, %v", r.status, r.body, r.bodyErr)
			}
			if tt.body == "*" && !strings.Contains(r.body, "CustomerTypeId") {
				t.Errorf("the body is not whole: %.60q", r.body)
			}
			for name, want := range tt.fields {
				if got := r.header.Get(name); got != want {
					t.Errorf("%s = %q, want %q", name, got, want)
				}
			}
			if e := h.last(); e.Executed != tt.executed || e.Status != tt.status || len(e.Faults) != 1 {
				t.Errorf("entry = %+v", e)
			}
		})
	}
}

func TestRevokeFaultEndsTheToken(t *testing.T) {
	h := startSim(t, Options{})
	h.arm("kind=revoke&at=after&count=1")
	if r := h.get(customers); r.status != http.StatusOK {
		t.Errorf("the call that carries the token: %d", r.status)
	}
	if r := h.get(customers); r.status != http.StatusUnauthorized {
		t.Errorf("the next call: %d", r.status)
	}
}

func TestLatencyTakesTime(t *testing.T) {
	h := startSim(t, Options{})
	h.arm("kind=latency&delay=60ms")
	begun := time.Now()
	h.get(customers)
	if d := time.Since(begun); d < 60*time.Millisecond {
		t.Errorf("took %s", d)
	}
}

// A stall ends when the client leaves, and with it the request.
func TestStallEndsWithTheClient(t *testing.T) {
	for _, at := range []string{AtArrival, AtBefore, AtAfter, AtHeaders, AtBody} {
		t.Run(at, func(t *testing.T) {
			h := startSim(t, Options{})
			h.arm("kind=stall&at=" + at)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url+customers, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", h.bearer)
			resp, err := h.client.Do(req)
			if err == nil {
				_, err = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the client saw %v", err)
			}
			executed := at != AtArrival && at != AtBefore
			if e := h.last(); e.Faults[0] != FaultStall || e.Executed != executed {
				t.Errorf("entry = %+v", e)
			}
		})
	}
}

func TestInterimAnswers(t *testing.T) {
	h := startSim(t, Options{})
	h.arm("kind=interim&times=3&field=Link: </x>%3B rel=preload")
	var seen []string
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			seen = append(seen, fmt.Sprint(code, header.Get("Link")))
			return nil
		},
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url+"/crm/ping", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := h.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if len(seen) != 3 || seen[0] != "103</x>; rel=preload" || resp.StatusCode != http.StatusOK || resp.Header.Get("Link") != "" {
		t.Errorf("interim %q, final %d, Link %q", seen, resp.StatusCode, resp.Header.Get("Link"))
	}
}

func TestFaultHeader(t *testing.T) {
	h := startSim(t, Options{})
	if r := h.get(customers, "X-Sim-Fault", "kind=status&status=500"); r.status != http.StatusOK {
		t.Errorf("the field worked while it is off: %d", r.status)
	}
	if err := h.Switch(func(s *Switches) { s.FaultHeader = true }); err != nil {
		t.Fatal(err)
	}
	if r := h.get(customers, "X-Sim-Fault", "kind=status&status=500"); r.status != http.StatusInternalServerError {
		t.Errorf("status %d", r.status)
	}
	if r := h.get(customers, "X-Sim-Fault", "kind=nonsense"); r.status != http.StatusNotImplemented || !strings.Contains(r.body, "kind") {
		t.Errorf("a fault that cannot be read: %d %q", r.status, r.body)
	}
}

// HTTP/2 resets the stream; the connection goes on.
func TestResetOverHTTP2(t *testing.T) {
	h := startSim(t, Options{})
	server := newHTTP2(t, h.Sim)
	h.url, h.client = server.URL, server.Client()
	h.arm("kind=reset&at=after&count=1")
	if r, err := h.try(http.MethodPost, "/crm/v1/Companies(14146)/Nothing", "{}"); err == nil {
		t.Errorf("status %d came through", r.status)
	}
	if r := h.get("/crm/ping"); r.status != http.StatusOK {
		t.Errorf("afterwards: %d", r.status)
	}
	if e := h.last(); e.Proto != "HTTP/2.0" {
		t.Errorf("proto %s", e.Proto)
	}
}

// A long body still reaches the service as a whole after a latency, and an
// answer does not wait for a request that is still being sent.
func TestLongBodiesAndFaults(t *testing.T) {
	h := startSim(t, Options{})
	h.arm("kind=latency&delay=1ms")
	var seen int64
	h.answerWith("crm", func(_ http.ResponseWriter, r *http.Request) { seen, _ = io.Copy(io.Discard, r.Body) })
	h.do(http.MethodPost, "/crm/v1/x", strings.Repeat("x", 2*peekLimit))
	if seen != 2*peekLimit {
		t.Errorf("the service saw %d bytes", seen)
	}

	body, more := io.Pipe()
	defer func() { _ = more.Close() }()
	go func() { _, _ = more.Write(make([]byte, peekLimit+1)) }() // and no end
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+"/crm/v1/x", body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := h.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("status %d", resp.StatusCode)
	}
}

// A streamed answer of unknown length is cut, too, and so ends without its
// last chunk.
func TestStreamedAnswerIsCut(t *testing.T) {
	h := startSim(t, Options{})
	h.arm("kind=truncate&bytes=5000")
	h.answerWith("crm", func(w http.ResponseWriter, _ *http.Request) {
		for range 100 {
			_, _ = io.WriteString(w, strings.Repeat("x", 1000))
			w.(http.Flusher).Flush()
		}
	})
	r := h.get("/crm/v1/x")
	if len(r.body) != 5000 || !errors.Is(r.bodyErr, io.ErrUnexpectedEOF) {
		t.Errorf("%d bytes, %v", len(r.body), r.bodyErr)
	}
}
