package slow

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"iqgateway/test/rig"
)

// Good are callers that ask, read the answer, and ask again a little later. Half
// of them speak HTTP/2.
type Good struct {
	// URL is what they get, over TLS.
	URL string
	// Roots are the CAs that the gateway's certificate must chain to.
	Roots *x509.CertPool
	// Source is the IP address that they have.
	Source string
	// Key is a caller's.
	Key string
	// Count is how many there are, Pause how long each waits between requests.
	Count int
	Pause time.Duration
}

// Experience is what callers met with.
type Experience struct {
	mu        sync.Mutex
	latencies []time.Duration
	failed    int
	some      []string
}

// reconnectEvery is after how many requests a caller connects anew: who is in
// must be served, and who knocks must get in.
const reconnectEvery = 10

// Run sends requests until ctx ends; those under way then are waited for.
func (g Good) Run(ctx context.Context) *Experience {
	met := &Experience{}
	var all sync.WaitGroup
	for number := range g.Count {
		all.Go(func() {
			// Not all in the same moment.
			if !rig.Pass(ctx, g.Pause*time.Duration(number)/time.Duration(g.Count)) {
				return
			}
			client := g.Client(number%2 == 1)
			defer client.CloseIdleConnections()
			for n := 1; ; n++ {
				began := time.Now()
				err := g.get(context.WithoutCancel(ctx), client)
				met.note(time.Since(began), err)
				if n%reconnectEvery == 0 {
					client.CloseIdleConnections()
				}
				if !rig.Pass(ctx, g.Pause) {
					return
				}
			}
		})
	}
	all.Wait()
	return met
}

// patience is how long a good caller waits for its answer.
const patience = 30 * time.Second

// Client returns a client as these callers have.
func (g Good) Client(http2 bool) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(g.Source)}}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetHTTP2(http2)
	return &http.Client{Transport: &http.Transport{
		DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{RootCAs: g.Roots},
		Protocols: protocols, DisableCompression: true,
	}}
}

func (g Good) get(ctx context.Context, client *http.Client) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.URL, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("X-Api-Key", g.Key)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var text strings.Builder
	if _, err := io.Copy(&text, io.LimitReader(resp.Body, 1<<20)); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %.300s", resp.Status, text.String())
	}
	return nil
}

// someFailures is how many failures are kept word for word.
const someFailures = 5

func (e *Experience) note(took time.Duration, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.latencies = append(e.latencies, took)
	if err == nil {
		return
	}
	if e.failed++; len(e.some) < someFailures {
		e.some = append(e.some, err.Error())
	}
}

// Requests returns how many requests were made.
func (e *Experience) Requests() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.latencies)
}

// Err returns nil if every request was answered 200.
func (e *Experience) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failed == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d requests failed, such as %q", e.failed, len(e.latencies), e.some)
}

// Within returns the time in which this part of the requests, 0 to 1, was
// answered or failed; 0 without requests.
func (e *Experience) Within(part float64) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return within(e.latencies, part)
}

func within(latencies []time.Duration, part float64) time.Duration {
	if len(latencies) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(latencies))
	return sorted[min(len(sorted)-1, int(float64(len(sorted))*part))]
}
