package proxy_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/internal/dnstest"
	"iqgateway/proxy"
)

// places are upstreams that have one port, and each an address of its own.
type places struct {
	port      string
	addresses []string
	dns       *dnstest.Server
	open      []*atomic.Int32 // connections of each
	Trust     *proxy.Trust
}

// newPlaces starts upstreams that answer with their address. GET /stream goes on
// until release is closed.
func newPlaces(t *testing.T, http2 bool, release <-chan struct{}, addresses ...string) *places {
	t.Helper()
	ca := newAuthority(t)
	p := &places{addresses: addresses, dns: dnstest.Start(t), Trust: trusting(t, ca.PEM)}
	certificate := ca.issue(t, func(c *x509.Certificate) { c.DNSNames = []string{upstreamName} })
	for _, address := range addresses {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(address, p.port))
		if err != nil {
			t.Skipf("this machine lacks %s: %v", address, err)
		}
		_, p.port, _ = net.SplitHostPort(l.Addr().String())
		up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, address)
			if r.URL.Path == "/stream" {
				_ = http.NewResponseController(w).Flush()
				<-release
				_, _ = io.WriteString(w, ", to the end")
			}
		}))
		_ = up.Listener.Close()
		up.Listener, up.EnableHTTP2 = l, http2
		up.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}}
		up.Config.ErrorLog = log.New(io.Discard, "", 0)
		p.count(up)
		up.StartTLS()
		t.Cleanup(up.Close)
	}
	return p
}

func (p *places) count(up *httptest.Server) {
	open := new(atomic.Int32)
	p.open = append(p.open, open)
	up.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed, http.StateHijacked:
			open.Add(-1)
		default:
		}
	}
}

// gate returns a gate in front of the places' one name, whose connections are
// followed, and counts why they were left.
func (p *places) gate(t *testing.T) (*gate, *sync.Map) {
	t.Helper()
	moves := new(sync.Map)
	g := newGate(t, "https://"+upstreamName+":"+p.port, func(g *gate) {
		g.Settings.Resolver, g.Settings.Trust = p.dns.Addr, p.Trust
		g.Service.Total = 3 * patience
	})
	ctx, stop := context.WithCancel(context.Background())
	var following sync.WaitGroup
	following.Go(func() {
		g.Transports.Follow(ctx, proxy.FollowOptions{
			Every:  20 * time.Millisecond,
			Moved:  func(_ proxy.PoolKey, why proxy.MoveReason) { moves.Store(why, true) },
			Failed: func(k proxy.PoolKey, err error) { t.Errorf("%v: %v", k, err) },
		})
	})
	t.Cleanup(func() { stop(); following.Wait() })
	return g, moves
}

// await waits for what is bound to happen.
func await(t *testing.T, what string, happened func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(2 * patience); !happened(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within %v", what, 2*patience)
		}
	}
}

func forEachVersion(t *testing.T, f func(t *testing.T, http2 bool)) {
	t.Helper()
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) { f(t, http2) })
	}
}

// REL-32: what the DNS says is used while connections are never idle, no request
// fails of it, and what is under way ends where it is.
func TestREL32BusyConnectionsFollowTheDNS(t *testing.T) {
	forEachVersion(t, func(t *testing.T, http2 bool) {
		release := make(chan struct{})
		p := newPlaces(t, http2, release, "127.0.0.1", "127.0.0.2")
		p.dns.Set(upstreamName, "127.0.0.1")
		g, moves := p.gate(t)
		stop, ask := load(t, g)

		streamed := make(chan string, 1)
		go func() {
			_, text := g.do(t, http.MethodGet, "/svc/stream", nil, nil)
			streamed <- text
		}()
		await(t, "answers of the first", func() bool { return ask("127.0.0.1") > 20 })
		p.dns.Set(upstreamName, "127.0.0.2")
		await(t, "answers of the second", func() bool { return ask("127.0.0.2") > 0 })
		before := ask("127.0.0.1")
		await(t, "many more", func() bool { return ask("127.0.0.2") > 50 })
		stop()
		if after := ask("127.0.0.1"); after > before+8 { // those that were under way
			t.Errorf("%d more requests went to the first", after-before)
		}
		close(release)
		if text := receive(t, streamed, "end of the stream"); text != "127.0.0.1, to the end" {
			t.Errorf("the answer under way became %q", text)
		}
		await(t, "the end of the first's connections", func() bool { return p.open[0].Load() == 0 })
		if _, moved := moves.Load(proxy.MovedAddress); !moved {
			t.Error("nobody was told")
		}
	})
}

// REL-32: a name whose addresses are given in turn leads to all of them; one that
// is given no more is left.
func TestREL32RotatingAnswersMoveNothing(t *testing.T) {
	forEachVersion(t, func(t *testing.T, http2 bool) {
		p := newPlaces(t, http2, nil, "127.0.0.1", "127.0.0.2", "127.0.0.3")
		p.dns.Rotate(upstreamName, "127.0.0.1", "127.0.0.2", "127.0.0.3")
		g, moves := p.gate(t)
		stop, _ := load(t, g)
		before, _ := p.dns.Asked()
		await(t, "many looks", func() bool { now, _ := p.dns.Asked(); return now > before+40 })
		stop()
		if why, moved := moves.Load(proxy.MovedAddress); moved {
			t.Errorf("connections were left: %v", why)
		}
		used := ""
		for i, open := range p.open {
			if open.Load() > 0 {
				used = p.addresses[i]
			}
		}
		p.dns.Rotate(upstreamName, slices.DeleteFunc(slices.Clone(p.addresses), func(a string) bool { return a == used })...)
		await(t, "a move", func() bool { _, moved := moves.Load(proxy.MovedAddress); return moved })
	})
}

// load asks without pause, by several callers; each request must succeed. stop
// ends it, ask counts the answers of an address.
func load(t *testing.T, g *gate) (stop func(), ask func(address string) int) {
	t.Helper()
	var mu sync.Mutex
	answers := map[string]int{}
	done := make(chan struct{})
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				res, text := g.do(t, http.MethodPost, "/svc/x", nil, nil)
				if res.StatusCode != http.StatusOK {
					t.Errorf("%s %s", res.Status, text)
				}
				mu.Lock()
				answers[text]++
				mu.Unlock()
				<-g.exchanges
				<-g.attempts
			}
		})
	}
	stop = sync.OnceFunc(func() { close(done); callers.Wait() })
	t.Cleanup(stop)
	return stop, func(address string) int {
		mu.Lock()
		defer mu.Unlock()
		return answers[address]
	}
}

// A resolver that fails, and one that leads to nothing that may be dialled, leave
// connections that work alone.
func TestREL32FailedLooksMoveNothing(t *testing.T) {
	p := newPlaces(t, true, nil, "127.0.0.1")
	p.dns.Set(upstreamName, "127.0.0.1")
	g, moves := p.gate(t)
	g.do(t, http.MethodGet, "/svc/x", nil, nil)
	looks := func(n int) {
		before, _ := p.dns.Asked()
		await(t, "more looks", func() bool { now, _ := p.dns.Asked(); return now > before+2*n })
	}
	looks(7)
	p.dns.Be(dnstest.Failing)
	looks(7)
	p.dns.Be(dnstest.Well)
	p.dns.Set(upstreamName)
	looks(7)
	p.dns.Set(upstreamName, "169.254.169.254")
	looks(7)
	p.dns.Set(upstreamName, "127.0.0.9", "127.0.0.1")
	looks(7)
	if res, _ := g.do(t, http.MethodGet, "/svc/x", nil, nil); res.StatusCode != http.StatusOK || p.open[0].Load() != 1 {
		t.Errorf("%s on connection %d", res.Status, p.open[0].Load())
	}
	moves.Range(func(why, _ any) bool {
		t.Errorf("connections were left: %v", why)
		return true
	})
}

// New authorities and certificates are used by upstreams that are never idle.
func TestBusyConnectionsFollowTheTrust(t *testing.T) {
	forEachVersion(t, func(t *testing.T, http2 bool) {
		p := newPlaces(t, http2, nil, "127.0.0.1")
		p.dns.Set(upstreamName, "127.0.0.1")
		g, moves := p.gate(t)
		if res, text := g.do(t, http.MethodGet, "/svc/x", nil, nil); res.StatusCode != http.StatusOK {
			t.Fatalf("%s %s", res.Status, text)
		}
		if err := p.Trust.Replace(proxy.TrustPEM{Roots: newAuthority(t).PEM}); err != nil {
			t.Fatal(err)
		}
		await(t, "a move", func() bool { _, moved := moves.Load(proxy.MovedTrust); return moved })
		if res, text := g.do(t, http.MethodGet, "/svc/x", nil, nil); res.StatusCode != http.StatusBadGateway {
			t.Errorf("an authority that is not believed any more: %s %s", res.Status, text)
		}
		await(t, "the end of the connections", func() bool { return p.open[0].Load() == 0 })
	})
}
