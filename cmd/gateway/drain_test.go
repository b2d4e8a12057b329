package main

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
	"iqgateway/internal/redistest"
)

// reply is what came of a request that ran while the gateway drained.
type reply struct {
	status int
	err    error
}

// begin makes a request in the background.
func (g *rolling) begin(t *testing.T, client http.RoundTripper, method, path string, body io.Reader) <-chan reply {
	t.Helper()
	replies := make(chan reply, 1)
	ctx := context.WithoutCancel(t.Context())
	go func() {
		status, _, err := g.send(ctx, client, method, "https://gateways"+path, body)
		replies <- reply{status, err}
	}()
	return replies
}

// delay has the customers' full documents take so long.
func (g *rolling) delay(t *testing.T, d time.Duration) {
	t.Helper()
	if _, err := g.AddFault(iqsim.Fault{Service: "crm", Path: "/v1/Companies({company})/CustomerFull", Kind: iqsim.FaultLatency, Delay: iqsim.Duration(d)}); err != nil {
		t.Fatal(err)
	}
}

// upstream waits until so many requests have reached crm.
func (g *rolling) upstream(t *testing.T, n int) {
	t.Helper()
	await(t, "the requests are upstream", func() bool { return len(g.Ledger(iqsim.LedgerQuery{Service: "crm"})) >= n })
}

// From the signal on a gateway is not ready; it serves old and new connections
// through the lame duck and asks them to end, and finishes what runs.
func TestREL42Drain(t *testing.T) {
	t.Parallel()
	g := newRolling(t, 1)
	g.delay(t, 5*time.Second)
	m, h1, h2 := g.members[0], g.direct(t, false), g.direct(t, true)
	for _, client := range []http.RoundTripper{h1, h2} { // connections that are kept
		if status, text, err := g.send(t.Context(), client, http.MethodGet, "https://gateways"+customers, nil); status != http.StatusOK {
			t.Fatal(status, text, err)
		}
	}
	replies := map[string]<-chan reply{
		"slow answer h1": g.begin(t, h1, http.MethodGet, rollingSlow, nil),
		"slow answer h2": g.begin(t, h2, http.MethodGet, rollingSlow, nil),
		"upload h1":      g.begin(t, h1, http.MethodPost, rollingWrite, &slowBody{nil, rollingBody, 500 * time.Millisecond}),
		"upload h2":      g.begin(t, h2, http.MethodPost, rollingWrite, &slowBody{nil, rollingBody, 500 * time.Millisecond}),
	}
	g.upstream(t, 2+len(replies))

	m.process.signal(t, syscall.SIGTERM)
	begun := time.Now()
	await(t, "it is not ready", func() bool { return m.ready(t) == http.StatusServiceUnavailable })
	if took := time.Since(begun); took > rollingTimes.lameDuck/2 {
		t.Errorf("not ready %s after the signal", took)
	}
	fresh := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: g.roots}}
	defer fresh.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+m.server+customers, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", g.key)
	resp, err := fresh.RoundTrip(req)
	if err != nil {
		t.Fatalf("a new connection in the lame duck: %v", err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !resp.Close {
		t.Errorf("%s, close %v; want 200 and a connection that ends", resp.Status, resp.Close)
	}

	wanted := map[bool]int{false: http.StatusOK, true: http.StatusCreated}
	for name, replies := range replies {
		if r := <-replies; r.err != nil || r.status != wanted[strings.HasPrefix(name, "upload")] {
			t.Errorf("%s: %d %v", name, r.status, r.err)
		}
	}
	m.ended(t, exitOK)
}

// A second signal ends the lame duck, leaves what runs a second, and what is cut
// then says so in its access line; a token that is being fetched holds up
// nothing.
func TestREL42DrainHurries(t *testing.T) {
	t.Parallel()
	g := newRolling(t, 1)
	g.delay(t, time.Minute)
	m, h1, h2 := g.members[0], g.direct(t, false), g.direct(t, true)
	cut := map[string]<-chan reply{
		"h1": g.begin(t, h1, http.MethodGet, rollingSlow+"?n=1", nil),
		"h2": g.begin(t, h2, http.MethodGet, rollingSlow+"?n=2", nil),
	}
	g.upstream(t, len(cut))
	begun := time.Now()
	m.process.signal(t, syscall.SIGTERM)
	await(t, "it drains", func() bool { return strings.Contains(m.process.out.String(), `"msg":"draining"`) })
	m.process.signal(t, syscall.SIGTERM)
	for name, replies := range cut {
		if r := <-replies; r.err == nil {
			t.Errorf("%s: %d looks complete", name, r.status)
		}
	}
	m.ended(t, exitFailure)
	if took := time.Since(begun); took > 6*time.Second {
		t.Errorf("it hurried for %s", took)
	}
	log := m.process.out.String()
	if n := strings.Count(log, `"error":"aborted","aborted":"the gateway ended before the answer was complete"`); n != len(cut) {
		t.Errorf("%d requests tell that they were cut, want %d:\n%s", n, len(cut), tail(log))
	}
	if !strings.Contains(log, "requests were cut") {
		t.Errorf("the end does not tell:\n%s", tail(log))
	}
}

// Connections that ask for nothing, such as those of balancers that only look
// whether a port is open, are no requests that an end would cut.
func TestREL42DrainOfSilentConnections(t *testing.T) {
	t.Parallel()
	g := newRolling(t, 1)
	m := g.members[0]
	for _, address := range []string{m.server, m.status} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	if status, text, err := g.send(t.Context(), g.direct(t, false), http.MethodGet, "https://gateways"+customers, nil); status != http.StatusOK {
		t.Fatal(status, text, err)
	}
	m.process.signal(t, syscall.SIGTERM)
	await(t, "it drains", func() bool { return strings.Contains(m.process.out.String(), `"msg":"draining"`) })
	m.process.signal(t, syscall.SIGTERM)
	m.ended(t, exitOK)
	if log := m.process.out.String(); strings.Contains(log, "requests were cut") {
		t.Errorf("a request was cut:\n%s", tail(log))
	}
}

// A token fetch that nobody waits for any more does not keep a gateway alive.
func TestREL42DrainEndsFetches(t *testing.T) {
	t.Parallel()
	g := newRolling(t, 1)
	if _, err := g.AddFault(iqsim.Fault{Service: "accounts", Kind: iqsim.FaultStall}); err != nil {
		t.Fatal(err)
	}
	m := g.members[0]
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan struct{})
	go func() {
		defer close(left)
		_, _, _ = g.send(ctx, g.direct(t, false), http.MethodGet, "https://gateways"+customers, nil)
	}()
	await(t, "a token is fetched", func() bool { return g.tokenCalls() > 0 })
	leave()
	<-left
	m.process.signal(t, syscall.SIGTERM)
	if took := m.ended(t, exitOK); took > rollingTimes.lameDuck+4*time.Second {
		t.Errorf("it ended after %s", took)
	}
}

// A replica that ends leaves the fleet at once, before its silence would tell.
func TestREL42DrainLeavesTheFleet(t *testing.T) {
	t.Parallel()
	f := newFleet(t, redistest.Single(t), fleetOptions{replicas: 2})
	stays, goes := f.all[0], f.all[1]
	await(t, "they know each other", func() bool { return f.metric(t, stays, "iqgw_store_replicas{") == 2 })
	f.wantOK(t, goes) // holds quota now
	goes.signal(t, syscall.SIGTERM)
	if err := goes.command.Wait(); err != nil {
		t.Fatal(err, goes.out)
	}
	begun := time.Now()
	await(t, "one is left", func() bool { return f.metric(t, stays, "iqgw_store_replicas{") == 1 })
	if took := time.Since(begun); took > 2*time.Second { // it beats each second; silence takes three
		t.Errorf("it was missed after %s", took)
	}
}
