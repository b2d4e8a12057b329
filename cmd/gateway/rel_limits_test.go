package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
)

// fewSlots lets three requests to crm be under way, and as many wait, briefly.
const fewSlots = `services:
  crm:
    timeouts: {connect: 300ms, response_header: 20s, total: 20s}
    limits: {max_in_flight: 3}
    cache: {mode: none}
    retry: {max_attempts: 1}
    breaker: {min_requests: 1000000}
`

// answerCount counts answers by their status and the type of their problem.
type answerCount struct {
	mu   sync.Mutex
	seen map[string]int
	slow time.Duration // the slowest
}

func (c *answerCount) add(a answer, err error, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slow = max(c.slow, took)
	if err != nil {
		c.seen["error: "+err.Error()]++
		return
	}
	var problem struct{ Type string }
	_ = json.Unmarshal([]byte(a.text), &problem) // an answer of the upstream is none
	c.seen[fmt.Sprint(a.StatusCode, strings.TrimPrefix(problem.Type, "urn:iqgateway:errors#"))]++
}

// crowd sends n requests at once, each with the deadline.
func (r *rig) crowd(t *testing.T, n int, deadline time.Duration, edit ...func(*http.Request)) *answerCount {
	t.Helper()
	c := &answerCount{seen: map[string]int{}}
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			start := time.Now()
			a, err := r.try(t.Context(), http.MethodGet, fmt.Sprintf("/crm/v1/Companies(14146)/Customers?n=%d", i), "", append(edit, func(req *http.Request) {
				req.Header.Set("X-Request-Timeout-Ms", fmt.Sprint(deadline.Milliseconds()))
			})...)
			c.add(a, err, time.Since(start))
		})
	}
	all.Wait()
	return c
}

// The queue for an upstream that answers nothing is bounded by length and by
// deadline, and is empty again once the upstream is well.
func TestREL33TransportLimits(t *testing.T) {
	r := newRig(t, rigOptions{extra: fewSlots})
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	if _, err := r.AddFault(iqsim.Fault{Kind: iqsim.FaultStall, Service: "crm"}); err != nil {
		t.Fatal(err)
	}
	got := r.crowd(t, 20, time.Second)
	// Three were sent, three have waited until their deadline (or got a slot just
	// before it), the rest was refused at once.
	refused, late := got.seen["503upstream-concurrency-exceeded"], got.seen["504upstream-timeout"]
	if refused+late != 20 || late < 3 || late > 6 || got.slow > 10*time.Second {
		t.Errorf("%v, the slowest after %s", got.seen, got.slow)
	}
	start := time.Now()
	done := make(chan *answerCount)
	go func() { done <- r.crowd(t, 3, 2*time.Second) }()
	await(t, "all slots are taken", func() bool {
		return strings.Contains(r.get(t, "http://"+r.Admin+"/metrics").text, `iqgw_bulkhead_in_flight{environment="sim",service="crm"} 3`)
	})
	a := r.do(t, http.MethodGet, customers, "", func(req *http.Request) { req.Header.Set("X-Gateway-Wait", "0") })
	if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") != "1" || !strings.Contains(a.text, "not_executed") {
		t.Errorf("%s, Retry-After %q\n%s", a.Status, a.Header.Get("Retry-After"), a.text)
	}
	<-done
	r.RemoveFaults(0)
	if got := r.crowd(t, 6, 20*time.Second); got.seen["200"] != 6 {
		t.Errorf("once it is well: %v", got.seen)
	}
	t.Logf("recovered within %s", time.Since(start))
}

// An upstream that accepts and never speaks TLS costs each request the connect
// timeout, and no more than its slots.
func TestREL33UpstreamThatNeverHandshakes(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // what waits in its queue is never accepted
	r := newRig(t, rigOptions{extra: fewSlots, flags: []string{"--set", "environments.sim.services.crm.url=https://" + l.Addr().String()}})
	got := r.crowd(t, 12, 10*time.Second)
	if got.seen["504upstream-timeout"]+got.seen["503upstream-concurrency-exceeded"] != 12 || got.seen["504upstream-timeout"] < 6 {
		t.Errorf("%v", got.seen)
	}
	if got.slow > 8*time.Second {
		t.Errorf("the slowest after %s", got.slow)
	}
}

// An upstream that ends the connection after every answer is served all the same.
func TestREL33ConnectionCloseOnAll(t *testing.T) {
	r := newRig(t, rigOptions{extra: fewSlots})
	if _, err := r.AddFault(iqsim.Fault{Kind: iqsim.FaultFields, Service: "crm", Fields: []iqsim.Field{{Name: "Connection", Value: "close"}}}); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if got := r.crowd(t, 6, 20*time.Second); got.seen["200"] != 6 {
			t.Fatalf("%v", got.seen)
		}
	}
}

// A caller meets its own limit, and nobody else does.
func TestCallersConcurrencyIsBounded(t *testing.T) {
	r := newRig(t, rigOptions{extra: "services: {crm: {cache: {mode: none}}}\n", flags: []string{"--set", "callers.storefront.rate_limit.concurrency=2"}})
	if _, err := r.AddFault(iqsim.Fault{Kind: iqsim.FaultLatency, Service: "crm", Delay: iqsim.Duration(time.Second)}); err != nil {
		t.Fatal(err)
	}
	got := r.crowd(t, 10, 20*time.Second)
	if got.seen["429caller-concurrency-exceeded"] != 8 || got.seen["200"] != 2 {
		t.Errorf("%v", got.seen)
	}
	r.RemoveFaults(0)
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	if text := r.get(t, "http://"+r.Admin+"/metrics").text; !strings.Contains(text, `iqgw_caller_limit_refused_total{caller="storefront",reason="concurrency"} 8`) {
		t.Error("the refusals are not counted")
	}
}

// portsEnv makes the test binary the inner half of the test below.
const portsEnv = "IQGW_TEST_FEW_PORTS"

// With no port left, requests fail at once with a problem that says that nothing
// was sent, and the next ones work once ports are back. It needs a network
// namespace of its own.
func TestREL33PortExhaustion(t *testing.T) {
	t.Parallel()
	if os.Getenv(portsEnv) != "" {
		exhaustPorts(t)
		return
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil || os.Geteuid() != 0 {
		t.Skip("NOT TESTED: ports run out only in a network namespace, which needs root and unshare")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	script := `ip link set lo up && echo "40000 40049" > /proc/sys/net/ipv4/ip_local_port_range && exec "$0" -test.run='^TestREL33PortExhaustion$' -test.v`
	cmd := exec.CommandContext(ctx, unshare, "--net", "sh", "-c", script, os.Args[0])
	cmd.Env = append(os.Environ(), portsEnv+"=1")
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "Operation not permitted") || strings.Contains(string(out), "Read-only file system") {
		t.Skipf("NOT TESTED: no network namespace can be made here: %s", out)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// exhaustPorts runs where there are fifty ports.
func exhaustPorts(t *testing.T) {
	t.Helper()
	r := newRig(t, rigOptions{extra: "services: {crm: {cache: {mode: none}, retry: {max_attempts: 1}, breaker: {min_requests: 1000000}}}\n"})
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	if _, err := r.AddFault(iqsim.Fault{Kind: iqsim.FaultStall, Service: "crm"}); err != nil {
		t.Fatal(err)
	}
	got := r.crowd(t, 80, 5*time.Second) // over one HTTP/2 connection of the caller's
	if got.seen["502upstream-unreachable"] == 0 || got.seen["502upstream-unreachable"]+got.seen["504upstream-timeout"] != 80 {
		t.Errorf("with 50 ports: %v", got.seen)
	}
	r.RemoveFaults(0)
	await(t, "ports are back", func() bool { return r.do(t, http.MethodGet, customers, "").StatusCode == http.StatusOK })
	t.Logf("with 50 ports: %v", got.seen)
}
