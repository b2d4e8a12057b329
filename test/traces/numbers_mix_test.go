package traces_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"iqgateway/test/traces"
)

// kind is one way in which a request of the mix comes and ends.
type kind struct {
	name    string
	share   int    // of a hundred
	ask     ask    // a %d in its target is the request's number
	service string // "" = it gets to none
	leaves  bool
	half    bool // its caller goes away within the body
	outcome string
}

// mixSettings have a service for each trouble, so that it stays there.
func mixSettings() settings {
	return settings{
		quotas: map[string]int{"pricing": 20},
		services: `  crm: {headers: {forward: [X-Sim-Fault]}, breaker: {min_requests: 1000000}, cache: {mode: none}}
  order: {headers: {forward: [X-Sim-Fault]}, breaker: {min_requests: 1000000}, retry: {budget: 100%}, cache: {mode: none}}
  productlibrary: {cache: {rules: [{path: /**, ttl: 1h}]}}
  pricing: {quota: {assume: 20/60s}, cache: {mode: none}}
`,
	}
}

func mix() []kind {
	const ping, trouble = "/crm/v1/ping?sim-nonce=%d", "/order/v1/ping?sim-nonce=%d"
	return []kind{
		{name: "read", service: "crm", share: 20, ask: ask{target: ping}, outcome: "ok"},
		{name: "write", service: "crm", share: 10, ask: ask{method: http.MethodPost, target: ping, body: `{"a":1}`}, outcome: "ok"},
		{name: "hit", service: "productlibrary", share: 20, ask: ask{target: "/productlibrary/v1/ping"}, outcome: "ok"},
		{name: "stored", service: "productlibrary", share: 8, ask: ask{target: "/productlibrary/v1/ping?sim-nonce=%d"}, outcome: "ok"},
		{name: "not found", service: "crm", share: 5, ask: ask{target: "/crm/v1/nothing/%d"}, outcome: "ok"},
		{name: "unknown service", share: 3, ask: ask{target: "/nonsense/%d"}, outcome: "unknown-service"},
		{name: "unknown caller", share: 3, ask: ask{target: ping, header: map[string]string{"X-Api-Key": "wrong"}}, outcome: "caller-unauthenticated"},
		{name: "denied", share: 2, ask: ask{target: "/accounts/v1/oauth2/token?%d"}, outcome: "path-denied"},
		{name: "malformed", share: 2, ask: ask{target: "/crm/v1/%%5c?%d"}, outcome: "malformed-request"},
		{name: "over the quota", service: "pricing", share: 4, ask: ask{target: prices + "?%d", header: map[string]string{"X-Gateway-Wait": "0"}}, outcome: "quota-exceeded"},
		{name: "failure", service: "order", share: 3, ask: ask{method: http.MethodPost, target: trouble, fault: "kind=status&status=500"}, outcome: "upstream_error"},
		{name: "retried", service: "order", share: 4, ask: ask{target: trouble, fault: "kind=status&status=503"}, outcome: "ok"},
		{name: "reset", service: "order", share: 3, ask: ask{method: http.MethodPost, target: trouble, body: `{"a":1}`, fault: "kind=reset&at=after"}, outcome: "upstream-unreachable"},
		{name: "truncated", service: "order", share: 3, ask: ask{method: http.MethodPost, target: trouble, fault: "kind=truncate&bytes=5"}, outcome: "aborted"},
		{name: "garbage", service: "order", share: 2, ask: ask{target: trouble, fault: "kind=raw&body=what"}, outcome: "upstream-protocol-error"},
		{name: "left", service: "order", share: 5, ask: ask{target: trouble, fault: "kind=stall"}, leaves: true, outcome: "client_gone"},
		{name: "half", service: half, share: 3, half: true},
	}
}

// of returns the kind of the n-th request: each has its share of any hundred.
func of(all []kind, n int) *kind {
	at := n * 37 % 100 // so that the kinds come mixed
	for i := range all {
		if at -= all[i].share; at < 0 {
			return &all[i]
		}
	}
	return nil
}

func TestMixIsWhole(t *testing.T) {
	drawn := map[string]int{}
	for n := range 100 {
		k := of(mix(), n)
		if k == nil {
			t.Fatal("the shares are less than a hundred")
		}
		drawn[k.name]++
	}
	for _, k := range mix() {
		if drawn[k.name] != k.share {
			t.Errorf("%s comes %d times in a hundred, want %d", k.name, drawn[k.name], k.share)
		}
	}
}

// half is the service of requests whose number nobody knows for sure: a caller that
// goes away within the body cannot tell whether anybody has seen it.
const half = "availability"

// driven is what those know who sent the requests.
type driven struct {
	mu       sync.Mutex
	outcomes traces.Tally // by service, but for half
	statuses traces.Tally // by service, but for half
	halves   int
}

// note counts a request of a kind by its answer.
func (d *driven) note(k *kind, a answer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if k.half {
		d.halves++
		return
	}
	d.outcomes[keyOf(k.service, a.outcome())]++
	if k.leaves {
		a.status = 499 // as the gateway counts those who are told nothing
	}
	d.statuses[keyOf(k.service, a.status)]++
}

// outcome is how the gateway must have called it.
func (a answer) outcome() string {
	switch {
	case a.header.Get("Content-Type") == "application/problem+json":
		var problem struct{ Type string }
		_ = json.Unmarshal([]byte(a.text), &problem) // what is none has no type, which differs then
		_, name, _ := strings.Cut(problem.Type, "#")
		return name
	case a.status == 0:
		return "client_gone"
	case a.err != nil:
		return "aborted"
	case a.status >= http.StatusInternalServerError:
		return "upstream_error"
	default:
		return "ok"
	}
}

// send makes the n-th request.
func (s *subject) send(ctx context.Context, k *kind, n int) (answer, error) {
	if k.half {
		return answer{}, s.sendHalf(ctx)
	}
	a := k.ask
	if strings.Contains(a.target, "%") {
		a.target = fmt.Sprintf(a.target, n)
	}
	if !k.leaves {
		got := s.try(ctx, a)
		if got.status == 0 {
			return got, fmt.Errorf("%s: %w", k.name, got.err)
		}
		return got, nil
	}
	seen := s.gate.watch(a.target[len("/order"):])
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	go func() {
		<-seen
		leave()
	}()
	got := s.try(ctx, a)
	if got.status != 0 {
		return got, fmt.Errorf("%s was answered: %d", k.name, got.status)
	}
	return got, nil
}

// sendHalf begins a body and goes away.
func (s *subject) sendHalf(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.gateway.Server)
	if err != nil {
		return err
	}
	defer conn.Close()
	w := bufio.NewWriter(conn)
	fmt.Fprintf(w, "POST /"+half+"/v1/ping HTTP/1.1\r\nHost: %s\r\nX-Api-Key: %s\r\nContent-Length: 100\r\n\r\nhalf", s.gateway.Server, s.keys[usual])
	return w.Flush()
}
