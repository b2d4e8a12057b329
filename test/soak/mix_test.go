package soak_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// kind is one way in which a request comes and ends.
type kind struct {
	name     string
	weight   int
	method   string
	target   string // %d is the request's number
	body     int    // bytes
	fault    string // that the upstream shall make of it
	key      string // "" = the caller's own
	leave    time.Duration
	statuses []int // that are right; none = an error or any
	traces   []trace
}

// trace is what requests of a kind leave in the gateway's metrics, so that a
// fault that strikes nobody is noticed.
type trace struct {
	metric string
	least  float64 // for each request, on average
	labels []string
}

const (
	attempts    = "http_client_request_duration_seconds_count"
	repetitions = "iqgw_retry_attempts_total"
)

// attempted is an attempt at the service of faults that ended so.
func attempted(least float64, method, label, value string) trace {
	return trace{attempts, least, []string{`service="order"`, label + `="` + value + `"`, `http_request_method="` + method + `"`}}
}

// kinds are what the soak is mixed of. Faults have a service of their own, so
// that its troubles stay there.
func kinds() []kind {
	const trouble, status, failure = "/order/v1/ping?sim-nonce=%d", "http_response_status_code", "error_type"
	return []kind{
		{name: "read", weight: 30, method: http.MethodGet, target: "/crm/v1/ping?sim-nonce=%d", statuses: []int{200}},
		{name: "write", weight: 20, method: http.MethodPost, target: "/crm/v1/ping?sim-nonce=%d", body: 2000, statuses: []int{200}},
		{name: "hit", weight: 20, method: http.MethodGet, target: "/productlibrary/v1/ping", statuses: []int{200}},
		{name: "stored", weight: 5, method: http.MethodGet, target: "/productlibrary/v1/ping?sim-nonce=%d", statuses: []int{200}},
		{name: "not found", weight: 4, method: http.MethodGet, target: "/crm/v1/nothing/%d", statuses: []int{404}},
		{name: "unknown service", weight: 2, method: http.MethodGet, target: "/nonsense/%d", statuses: []int{404}},
		{name: "unknown caller", weight: 2, method: http.MethodGet, target: "/crm/v1/ping?sim-nonce=%d", key: "wrong", statuses: []int{401}},
		{name: "malformed", weight: 2, method: http.MethodGet, target: "/crm/%%zz?%d", statuses: []int{400}},
		{
			name: "failure", weight: 2, method: http.MethodPost, target: trouble, fault: "kind=status&status=500",
			traces: []trace{attempted(0.9, http.MethodPost, status, "500")},
		},
		{
			name: "retried", weight: 2, method: http.MethodGet, target: trouble, fault: "kind=status&status=503",
			traces: []trace{attempted(2, http.MethodGet, status, "503"), {repetitions, 1, []string{`service="order"`, `reason="status"`}}},
		},
		{
			name: "reset", weight: 2, method: http.MethodPost, target: trouble, body: 100, fault: "kind=reset&at=after",
			traces: []trace{attempted(0.9, http.MethodPost, failure, "reset")},
		},
		{
			name: "truncated", weight: 2, method: http.MethodPost, target: trouble, fault: "kind=truncate&bytes=5",
			traces: []trace{attempted(0.9, http.MethodPost, failure, "body")},
		},
		{
			name: "garbage", weight: 1, method: http.MethodGet, target: trouble, fault: "kind=raw&body=what",
			traces: []trace{attempted(0.9, http.MethodGet, failure, "protocol")},
		},
		{
			name: "cancelled", weight: 3, method: http.MethodGet, target: trouble, fault: "kind=latency&delay=200ms", leave: 20 * time.Millisecond,
			traces: []trace{attempted(0.3, http.MethodGet, failure, "caller_gone")},
		},
		{
			name: "cancelled write", weight: 2, method: http.MethodPost, target: trouble, body: 50_000, fault: "kind=stall&delay=200ms", leave: 20 * time.Millisecond,
			traces: []trace{attempted(0.3, http.MethodPost, failure, "caller_gone")},
		},
		{name: "aborted", weight: 1, method: abort},
	}
}

// only returns the kind of that name.
func only(all []kind, name string) []kind {
	return slices.DeleteFunc(all, func(k kind) bool { return k.name != name })
}

// abort marks requests whose caller goes away within the body.
const abort = "ABORT"

// pick draws a kind by weight.
func pick(random *rand.Rand, all []kind) *kind {
	total := 0
	for _, k := range all {
		total += k.weight
	}
	at := random.IntN(total)
	for i := range all {
		if at -= all[i].weight; at < 0 {
			return &all[i]
		}
	}
	return &all[0]
}

// send makes one request; the error tells what is not as the kind wants it.
func (s *subject) send(ctx context.Context, k *kind, number int64) error {
	if k.method == abort {
		return s.sendHalf(ctx)
	}
	if k.leave > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, k.leave)
		defer cancel()
	}
	target := k.target
	if strings.Contains(target, "%d") {
		target = fmt.Sprintf(target, number)
	}
	req, err := http.NewRequestWithContext(ctx, k.method, "http://"+s.gateway.Server, strings.NewReader(strings.Repeat("x", k.body)))
	if err != nil {
		return err
	}
	req.URL.Opaque = target // as it stands, malformed or not
	if k.body == 0 {
		req.Body, req.ContentLength = http.NoBody, 0
	}
	req.Header.Set("X-Api-Key", s.key)
	if k.key != "" {
		req.Header.Set("X-Api-Key", k.key)
	}
	if k.fault != "" {
		req.Header.Set("X-Sim-Fault", k.fault)
	}
	return s.finish(req, k)
}

func (s *subject) finish(req *http.Request, k *kind) error {
	resp, err := s.client.Do(req)
	if err != nil {
		if len(k.statuses) == 0 {
			return nil
		}
		return fmt.Errorf("%s: %w", k.name, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if len(k.statuses) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", k.name, err)
	}
	if slices.Contains(k.statuses, resp.StatusCode) {
		return nil
	}
	return fmt.Errorf("%s: %s %.300s", k.name, resp.Status, text)
}

// sendHalf begins a body and goes away.
func (s *subject) sendHalf(ctx context.Context) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.gateway.Server)
	if err != nil {
		return err
	}
	defer conn.Close()
	w := bufio.NewWriter(conn)
	fmt.Fprintf(w, "POST /crm/v1/ping HTTP/1.1\r\nHost: %s\r\nX-Api-Key: %s\r\nContent-Length: 100\r\n\r\nhalf", s.gateway.Server, s.key)
	return w.Flush()
}
