package iqsim

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestLedgerEntry(t *testing.T) {
	h := startSim(t, Options{})
	body := `{"PrimaryName":"Ada"}`
	r := h.do(http.MethodPost, "/crm/v1/Companies(14146)/Customers?x=%24y&sim-nonce=n-1&z=a;b", body,
		"Content-Type", "application/json", "X-Custom", "kept")
	if r.status != http.StatusCreated {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if got := r.header.Get("X-Sim-Nonce"); got != "n-1" {
		t.Errorf("nonce %q", got)
	}
	e := h.last()
	sum := sha256.Sum256([]byte(body))
	if e.Target != "/crm/v1/Companies(14146)/Customers?x=%24y&sim-nonce=n-1&z=a;b" {
		t.Errorf("target %q", e.Target)
	}
	if e.BodyLength != int64(len(body)) || e.BodySHA256 != hex.EncodeToString(sum[:]) || e.BodyError != "" {
		t.Errorf("body %d %s %q", e.BodyLength, e.BodySHA256, e.BodyError)
	}
	if e.Header.Get("X-Custom") != "kept" || e.Header.Get("Authorization") != "" || e.Authorizations != 1 {
		t.Errorf("header %v, %d Authorization fields", e.Header, e.Authorizations)
	}
	if e.TokenSerial != 1 || e.Account != "sim@example.com" || e.ClientID != "sim-client" {
		t.Errorf("token %d of %s, %s", e.TokenSerial, e.Account, e.ClientID)
	}
	if !e.Executed || e.Status != 201 || e.ServiceStatus != 201 || e.Seq != 1 || e.Environment != "sandbox" || e.Service != "crm" {
		t.Errorf("entry %+v", e)
	}
}

func TestLedgerSaysWhatWasNotExecuted(t *testing.T) {
	h := startSim(t, Options{Limits: map[string]int{"crm": 2}})
	for i, tt := range []struct {
		target        string
		bearer        string
		status        int
		serviceStatus int
		executed      bool
	}{
		{"/crm/ping", h.bearer, 200, 200, true},
		{"/crm/v1/Companies(14146)/Customers(nope)", h.bearer, 404, 404, false},
		{"/crm/ping", h.bearer, 429, 0, false},
		{"/crm/ping", "Bearer x", 401, 0, false},
	} {
		r := h.get(tt.target, "Authorization", tt.bearer)
		e := h.last()
		if r.status != tt.status || e.Status != tt.status || e.ServiceStatus != tt.serviceStatus || e.Executed != tt.executed {
			t.Errorf("call %d: answer %d, entry %+v", i, r.status, e)
		}
	}
}

func TestNonceIsEchoed(t *testing.T) {
	h := startSim(t, Options{})
	if got := h.get("/crm/ping", "X-Sim-Nonce", "abc").header.Get("X-Sim-Nonce"); got != "abc" {
		t.Errorf("field: %q", got)
	}
	if got := h.get("/crm/ping?sim-nonce=d%20e").header.Get("X-Sim-Nonce"); got != "d e" {
		t.Errorf("parameter: %q", got)
	}
	if got := h.Ledger(LedgerQuery{Nonce: "d e"}); len(got) != 1 || got[0].Seq != 2 {
		t.Errorf("ledger: %+v", got)
	}
}

// A body that breaks off was never executed.
func TestBrokenBodyIsNotExecuted(t *testing.T) {
	for name, body := range map[string]string{
		"short":  "Content-Length: 100\r\n\r\n{\"PrimaryName\":",
		"chunks": "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"Pri\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			h := startSim(t, Options{})
			conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(t.Context(), "tcp", strings.TrimPrefix(h.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Type: application/json\r\n%s", customers, h.bearer, body)
			if err != nil {
				t.Fatal(err)
			}
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, bufio.NewReader(conn))
			_ = conn.Close()
			if e := h.last(); e.Executed || e.BodyError == "" || e.ServiceStatus != 0 {
				t.Errorf("entry %+v", e)
			}
		})
	}
}

// A body longer than what is read ahead reaches the service as a stream.
func TestLongBody(t *testing.T) {
	h := startSim(t, Options{})
	services := h.environments["sandbox"].services()
	var seen int64
	services["crm"] = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen, _ = io.Copy(io.Discard, io.LimitReader(r.Body, peekLimit+10))
	})
	body := strings.Repeat("x", 3*peekLimit)
	h.do(http.MethodPost, "/crm/v1/x", body)
	sum := sha256.Sum256([]byte(body))
	if e := h.last(); seen != peekLimit+10 || e.BodyLength != int64(len(body)) || e.BodySHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("service saw %d; entry: %d %s", seen, e.BodyLength, e.BodySHA256)
	}
}

func TestLedgerRing(t *testing.T) {
	l := newLedger(3)
	for i := range 5 {
		seq := l.begin(LedgerEntry{Service: "crm", Method: fmt.Sprint(i)})
		l.update(LedgerEntry{Seq: seq, Service: "crm", Executed: true, Status: 200}, true)
	}
	seqs := func(since int64) (out string, lost int64) {
		entries, lost := l.since(since, nil)
		for _, e := range entries {
			out += fmt.Sprint(e.Seq)
		}
		return out, lost
	}
	for _, tt := range []struct {
		since int64
		want  string
		lost  int64
	}{{0, "345", 2}, {1, "345", 1}, {3, "45", 0}, {5, "", 0}, {9, "", 0}} {
		if got, lost := seqs(tt.since); got != tt.want || lost != tt.lost {
			t.Errorf("since %d: %q, lost %d; want %q, %d", tt.since, got, lost, tt.want, tt.lost)
		}
	}
	l.update(LedgerEntry{Seq: 1, Service: "crm", Status: 401}, false) // long gone
	if got, _ := seqs(0); got != "345" {
		t.Errorf("a late end brought an entry back: %q", got)
	}
	if c := l.totals()[""]["crm"]; c.Requests != 5 || c.Executed != 5 {
		t.Errorf("counts %+v", c)
	}
	late := l.begin(LedgerEntry{Service: "crm"})
	l.clear()
	l.update(LedgerEntry{Seq: late, Service: "crm", Executed: true}, true)
	if got, lost := seqs(0); got != "" || lost != 0 || len(l.totals()) != 0 {
		t.Errorf("after clear: %q, lost %d, counts %v", got, lost, l.totals())
	}
	if l.begin(LedgerEntry{}) != 7 {
		t.Error("sequence numbers did not go on")
	}
}

func TestLedgerOff(t *testing.T) {
	h := startSim(t, Options{LedgerSize: -1})
	h.get("/crm/ping")
	if got := h.Ledger(LedgerQuery{}); len(got) != 0 {
		t.Errorf("%d entries", len(got))
	}
	if got := h.Counts()["sandbox"]["crm"].Executed; got != 1 {
		t.Errorf("executed %d", got)
	}
}

func TestLedgerQuery(t *testing.T) {
	h := startSim(t, Options{})
	h.get("/crm/ping")
	h.get("/catalogs/ping")
	h.do(http.MethodPut, "/catalogs/v1/nothing/here", "")
	h.get("/~production/crm/ping") // 401: a token of the sandbox
	for i, tt := range []struct {
		query LedgerQuery
		want  int
	}{
		{LedgerQuery{}, 4},
		{LedgerQuery{Service: "catalogs"}, 2},
		{LedgerQuery{Method: "PUT"}, 1},
		{LedgerQuery{Environment: "production"}, 1},
		{LedgerQuery{Environment: "production", Executed: true}, 0},
		{LedgerQuery{Since: 3}, 1},
		{LedgerQuery{Limit: 2}, 2},
	} {
		got := h.Ledger(tt.query)
		if len(got) != tt.want {
			t.Errorf("query %d: %d entries, want %d", i, len(got), tt.want)
		}
	}
}
