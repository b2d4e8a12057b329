package slow_test

import (
	"context"
	"fmt"
	"os/exec"
	"sync"
	"testing"
	"time"

	"iqgateway/test/rig"
	"iqgateway/test/slow"
)

// rules are the timeouts that end slow clients.
type rules struct{ header, body, write, idle, total time.Duration }

func (r rules) settings() settings {
	return settings{
		limits: fmt.Sprintf("max_body: none, read_header_timeout: %s, body_idle_timeout: %s, write_idle_timeout: %s, idle_timeout: %s",
			r.header, r.body, r.write, r.idle),
		timeouts: fmt.Sprintf("response_header: %s, body_idle: %s, total: %s", r.total, r.total, r.total), concurrency: "100",
	}
}

// attack is one way of keeping a gateway busy.
type attack struct {
	name  string
	tool  slow.Tool  // without a mode: a crowd's
	crowd slow.Group // without a kind: the tool's
	// within is when its last connection ends, by the rules.
	within time.Duration
}

// attacks has the four modes of the tool, and what it cannot do.
func attacks(r rules, connections, crowd, windows int) []attack {
	tool := func(mode, key string) slow.Tool {
		return slow.Tool{Mode: mode, Connections: connections, Rate: connections / 2, Length: 5 * time.Minute, Key: key, Humble: *long}
	}
	const caller = "a caller's" // stands for its key
	return []attack{
		{name: "slow headers", tool: tool("-H", ""), within: r.header},
		{name: "slow bodies of strangers", tool: tool("-B", ""), within: r.idle},
		{name: "slow bodies of a caller", tool: tool("-B", caller), within: r.total},
		{name: "slow reading", tool: tool("-X", caller), within: max(2*r.write, r.idle)},
		{name: "many ranges", tool: tool("-R", caller), within: r.idle},
		{name: "half a handshake", crowd: slow.Group{Kind: slow.OneByte, Count: crowd}, within: r.header},
		{name: "silence over HTTP/1", crowd: slow.Group{Kind: slow.Silent, Count: crowd}, within: r.header},
		{name: "silence over HTTP/2", crowd: slow.Group{Kind: slow.Silent, HTTP2: true, Count: crowd}, within: r.idle},
		{name: "slow headers over HTTP/2", crowd: slow.Group{Kind: slow.Header, HTTP2: true, Count: crowd}, within: r.idle},
		{name: "slow bodies over HTTP/2", crowd: slow.Group{Kind: slow.Body, HTTP2: true, Count: crowd}, within: r.total + r.idle},
		{name: "no window over HTTP/2", crowd: slow.Group{Kind: slow.NoWindow, HTTP2: true, Count: windows}, within: r.write + r.idle},
	}
}

// slack is what a busy machine may take longer.
const slack = 15 * time.Second

// unnoticed is a latency that a busy machine may have at any time.
const unnoticed = 20 * time.Millisecond

// SEC-55: slow clients are closed by the rules, and nobody else notices them.
func TestSEC55SlowClients(t *testing.T) {
	if _, err := exec.LookPath("slowhttptest"); err != nil {
		t.Fatal("slowhttptest is missing: make deps installs it")
	}
	r := rules{header: 2 * time.Second, body: 2 * time.Second, write: time.Second, idle: time.Second, total: 2 * time.Second}
	quietFor, connections, crowd, windows := 2*time.Second, 200, 50, 4
	if *long {
		r = rules{header: 5 * time.Second, body: 10 * time.Second, write: 10 * time.Second, idle: 15 * time.Second, total: 20 * time.Second}
		quietFor, connections, crowd, windows = 10*time.Second, 1000, 1000, 40
	}
	s := newSubject(t, build(t), r.settings())
	s.warm(t, time.Second)
	all := attacks(r, connections, crowd, windows)
	if *long {
		for _, a := range all {
			t.Run(a.name, func(t *testing.T) { s.suffer(t, quietFor, a) })
		}
	} else {
		s.suffer(t, quietFor, all...)
	}
	if _, most := s.resident(t); most > mostInAll {
		t.Errorf("%d bytes of memory, more than %d", most, int64(mostInAll))
	}
}

// suffer lets attackers in, all at once, beside the good callers. How these fare
// without is measured right before: the machine may have other work, too.
func (s *subject) suffer(t *testing.T, quietFor time.Duration, all ...attack) {
	t.Helper()
	quiet := s.warm(t, quietFor).Within(0.99)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var good sync.WaitGroup
	var met *slow.Experience
	good.Go(func() { met = s.good().Run(ctx) })
	began := time.Now()
	peak := s.attacked(t, all)
	gone := time.Since(began)
	cancel()
	good.Wait()
	if err := met.Err(); err != nil {
		t.Error(err)
	}
	now, _ := s.resident(t)
	p99 := met.Within(0.99)
	t.Logf("up to %d connections, gone after %s; %d good requests, p99 %s, %.1f times the quiet %s; %d MiB",
		peak, gone.Round(100*time.Millisecond), met.Requests(), p99, float64(p99)/float64(quiet), quiet, now/mib)
	if most := max(2*quiet, unnoticed); *long && p99 > most {
		t.Errorf("p99 %s, more than %s", p99, most)
	}
}

// attacked begins attacks and waits until the gateway has closed every
// connection of theirs. It returns how many there were at once.
func (s *subject) attacked(t *testing.T, all []attack) (peak int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var tools sync.WaitGroup
	defer tools.Wait()
	defer cancel()
	var within time.Duration
	var crowds []*slow.Process
	clients := 0
	for _, a := range all {
		within = max(within, a.within)
		if a.crowd.Kind != "" {
			crowds = append(crowds, s.crowd(t, a.crowd))
			clients += a.crowd.Count
			continue
		}
		tools.Go(func() {
			if out, err := s.aim(a.tool).Run(ctx); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	count := func() int {
		n := s.connections(t, toolSource) + s.connections(t, crowdSource)
		peak = max(peak, n)
		return n
	}
	rig.Must(t, rig.Await(ctx, 3*time.Minute, "the attacks begin", func() bool {
		count()
		tried := 0
		for _, c := range crowds {
			tried += c.Tried() // some may be closed before they are where they are slow
		}
		return tried == clients && peak > 0
	}))
	rig.Must(t, rig.Await(ctx, within+slack, "the slow connections are closed", func() bool { return count() == 0 }))
	return peak
}

// aim tells a tool whom to attack, and whose key it has stolen.
func (s *subject) aim(a slow.Tool) slow.Tool {
	a.URL = "https://" + s.gateway.Server + download
	if a.Key != "" {
		a.Key = s.slowKey
	}
	return a
}
