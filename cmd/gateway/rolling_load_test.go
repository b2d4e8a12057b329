package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
)

const (
	rollingWrite    = "/crm/v1/Companies(1)/Customers"
	rollingSlow     = "/crm/v1/Companies(1)/CustomerFull"
	rollingBody     = `{"PrimaryName":"Ann"}`
	rollingProducts = "/productlibrary/v1/Products/GetBulk?Slugs=M1"
)

// unrepeatable is a body that no client library can send twice, so that what is
// lost shows.
type unrepeatable struct{ io.Reader }

// slowBody gives its text in pieces, with pauses.
type slowBody struct {
	done <-chan struct{}
	text string
	wait time.Duration
}

func (b *slowBody) Read(p []byte) (int, error) {
	if b.text == "" {
		return 0, io.EOF
	}
	pause := time.NewTimer(b.wait)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-b.done:
		return 0, context.Canceled
	}
	n := copy(p, b.text[:min(len(b.text), 5)])
	b.text = b.text[n:]
	return n, nil
}

// write makes one numbered write.
func (g *rolling) write(ctx context.Context, client http.RoundTripper, target, number string) (int, string, error) {
	return g.send(ctx, client, http.MethodPost, target+"?sim-nonce="+url.QueryEscape(number), unrepeatable{strings.NewReader(rollingBody)})
}

func (g *rolling) send(ctx context.Context, client http.RoundTripper, method, target string, body io.Reader) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("X-Api-Key", g.key)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := client.RoundTrip(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// direct is a client without a balancer in between: new connections go to the
// gateways that the orchestrator names.
func (g *rolling) direct(t *testing.T, http2 bool) *http.Transport {
	t.Helper()
	var turn atomic.Int64
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetHTTP2(http2)
	transport := &http.Transport{
		Protocols: protocols, DisableCompression: true,
		TLSClientConfig: &tls.Config{RootCAs: g.roots, ServerName: "127.0.0.1"},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			for range g.members {
				if m := g.members[int(turn.Add(1))%len(g.members)]; m.announced() {
					return (&net.Dialer{}).DialContext(ctx, network, m.server)
				}
			}
			return nil, errors.New("no gateway is ready")
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// rollingLoad is clients of several kinds that never pause.
type rollingLoad struct {
	g       *rolling
	stop    chan struct{}
	clients sync.WaitGroup
	number  atomic.Int64
	counts  map[string]*atomic.Int64 // by kind

	mu      sync.Mutex
	failed  []string
	numbers []string // that were answered
}

// load starts clients at the balancer and at the gateways themselves.
func (g *rolling) load(t *testing.T, balancer string) *rollingLoad {
	t.Helper()
	if _, err := g.AddFault(iqsim.Fault{Service: "crm", Path: "/v1/Companies({company})/CustomerFull", Kind: iqsim.FaultLatency, Delay: iqsim.Duration(2500 * time.Millisecond)}); err != nil {
		t.Fatal(err)
	}
	l := &rollingLoad{g: g, stop: make(chan struct{}), counts: map[string]*atomic.Int64{}}
	balanced := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 100}
	t.Cleanup(balanced.CloseIdleConnections)
	for way, client := range map[string]*http.Transport{"balanced": balanced, "direct h1": g.direct(t, false), "direct h2": g.direct(t, true)} {
		base := "https://gateways"
		if way == "balanced" {
			base = balancer
		}
		l.start(way+" writes", 3, l.writes(client, base))
		l.start(way+" reads", 2, l.reads(client, base+customers))
		l.start(way+" slow answers", 2, l.reads(client, base+rollingSlow))
		l.start(way+" uploads", 2, l.uploads(client, base))
	}
	return l
}

// start runs n clients that do one thing after the other.
func (l *rollingLoad) start(kind string, n int, do func(ctx context.Context) error) {
	count := &atomic.Int64{}
	l.counts[kind] = count
	for range n {
		l.clients.Go(func() {
			for pause := time.NewTicker(10 * time.Millisecond); ; {
				select {
				case <-l.stop:
					pause.Stop()
					return
				case <-pause.C:
				}
				ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
				if err := do(ctx); err != nil {
					l.fail(kind, err)
				}
				cancel()
				count.Add(1)
			}
		})
	}
}

func (l *rollingLoad) fail(kind string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = append(l.failed, time.Now().UTC().Format("15:04:05.000 ")+kind+": "+err.Error())
}

func (l *rollingLoad) reads(client http.RoundTripper, target string) func(context.Context) error {
	return func(ctx context.Context) error {
		return want(http.StatusOK)(l.g.send(ctx, client, http.MethodGet, target, nil))
	}
}

func (l *rollingLoad) writes(client http.RoundTripper, base string) func(context.Context) error {
	return l.numbered(func(ctx context.Context, number string) (int, string, error) {
		return l.g.write(ctx, client, base+rollingWrite, number)
	})
}

func (l *rollingLoad) uploads(client http.RoundTripper, base string) func(context.Context) error {
	return l.numbered(func(ctx context.Context, number string) (int, string, error) {
		return l.g.send(ctx, client, http.MethodPost, base+rollingWrite+"?sim-nonce="+number, &slowBody{ctx.Done(), rollingBody, 300 * time.Millisecond})
	})
}

// numbered gives each write a number of its own, and notes those that were
// answered.
func (l *rollingLoad) numbered(write func(ctx context.Context, number string) (int, string, error)) func(context.Context) error {
	return func(ctx context.Context) error {
		number := "n" + strconv.FormatInt(l.number.Add(1), 10)
		if err := want(http.StatusCreated)(write(ctx, number)); err != nil {
			return fmt.Errorf("%s: %w", number, err)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.numbers = append(l.numbers, number)
		return nil
	}
}

func want(status int) func(int, string, error) error {
	return func(got int, text string, err error) error {
		if err == nil && got != status {
			err = fmt.Errorf("%d %s", got, text)
		}
		return err
	}
}

// end stops the clients and wants nothing failed, every write executed at most
// once, and those that were answered exactly once.
func (l *rollingLoad) end(t *testing.T) {
	t.Helper()
	close(l.stop)
	l.clients.Wait()
	executed := map[string]int{}
	for _, e := range l.g.Ledger(iqsim.LedgerQuery{Service: "crm"}) {
		if e.Executed && e.Nonce != "" {
			executed[e.Nonce]++
		}
	}
	for number, n := range executed {
		if n > 1 {
			t.Errorf("%s was executed %d times", number, n)
		}
	}
	for _, number := range l.numbers {
		if executed[number] != 1 {
			t.Errorf("%s was answered and executed %d times", number, executed[number])
		}
	}
	for _, f := range l.failed[:min(len(l.failed), 20)] {
		t.Error(f)
	}
	for kind, count := range l.counts {
		t.Logf("%-24s %6d", kind, count.Load())
		if count.Load() == 0 {
			t.Errorf("no %s", kind)
		}
	}
	t.Logf("%d failed, %d of %d writes answered and executed once", len(l.failed), len(l.numbers), l.number.Load())
}
