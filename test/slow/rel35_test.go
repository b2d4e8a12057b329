package slow_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"iqgateway/test/rig"
	"iqgateway/test/slow"
)

const mib = 1 << 20

// What clients may cost a gateway.
const (
	mostPerConnection = 40 << 10
	mostInAll         = 512 * mib
	mostForStreams    = 64 * mib
)

// patient is a gateway that closes no slow client, so that they can be counted.
const patient = "max_connections: 12000, max_body: none, read_header_timeout: 10m, body_idle_timeout: none, write_idle_timeout: none, idle_timeout: none"

const unhurried = "response_header: 10m, body_idle: 10m, total: none"

// mixed are n slow clients of every kind. One in fifty has a request under way:
// there limits.max_in_flight is the bound, not the number of connections.
func mixed(n int) []slow.Group {
	running := n / 200
	idle := n/4 - running
	var groups []slow.Group
	for kind, count := range map[string]int{slow.Silent: idle, slow.Header: idle, slow.Body: running, slow.Unread: running} {
		groups = append(groups, slow.Group{Kind: kind, Count: count}, slow.Group{Kind: kind, HTTP2: true, Count: count})
	}
	return groups
}

// REL-35: what slow clients and big bodies cost is little, and bounded.
func TestREL35Memory(t *testing.T) {
	binary := build(t)
	t.Run("slow connections", func(t *testing.T) { slowConnections(t, binary) })
	t.Run("big bodies", func(t *testing.T) { bigBodies(t, binary) })
	t.Run("short of max_memory", func(t *testing.T) { shortOfMemory(t, binary, "64MiB") })
	if *long {
		t.Run("short of GOMEMLIMIT", func(t *testing.T) { shortOfMemory(t, binary, "auto", "GOMEMLIMIT=64MiB") })
	}
}

// Slow clients cost little each, and ten thousand fit into a small container
// beside the callers who are served.
func slowConnections(t *testing.T, binary string) {
	t.Helper()
	clients, settle := 400, time.Second
	// So few that garbage would be most of what is measured.
	memory, allowance, environ := "none", int64(8*mib), "GOGC=25"
	if *long {
		clients, settle = 10_000, 10*time.Second
		memory, allowance, environ = "512MiB", 0, "GOGC="
	}
	s := newSubject(t, binary, settings{limits: patient + ", max_memory: " + memory, timeouts: unhurried, concurrency: "none"}, environ)
	s.warm(t, settle)
	before, _ := s.resident(t)
	s.crowded(t, s.crowd(t, mixed(clients)...), clients)
	s.warm(t, settle)
	with, most := s.resident(t)
	rig.Must(t, rig.Await(t.Context(), 10*time.Second, "all slow clients are still there", func() bool {
		return s.connections(t, crowdSource) == clients
	}))
	t.Logf("%d MiB before, %d MiB with %d slow clients (at most %d MiB): %.1f KiB each",
		before/mib, with/mib, clients, most/mib, float64(with-before)/float64(clients)/1024)
	if added, may := with-before, int64(clients)*mostPerConnection+allowance; added > may {
		t.Errorf("%d connections take %d bytes, more than %d", clients, added, may)
	}
	if most > mostInAll {
		t.Errorf("%d bytes of memory, more than %d", most, int64(mostInAll))
	}
}

// crowded waits until all slow clients are where they are slow.
func (s *subject) crowded(t *testing.T, crowd *slow.Process, clients int) {
	t.Helper()
	rig.Must(t, rig.Await(t.Context(), 3*time.Minute, fmt.Sprintf("%d slow clients", clients), func() bool {
		return crowd.Ready() == clients || crowd.Err() != nil
	}))
	rig.Must(t, crowd.Err())
}

// Bodies of any size go through buffers of a fixed one.
func bigBodies(t *testing.T, binary string) {
	t.Helper()
	size := int64(16 * mib)
	if *long {
		size = 1 << 30
	}
	s := newSubject(t, binary, settings{limits: patient, timeouts: unhurried, concurrency: "none"})
	s.warm(t, time.Second)
	before, _ := s.resident(t)
	began := time.Now()
	var streams sync.WaitGroup
	for number := range 20 {
		client := s.good().Client(number%2 == 1)
		defer client.CloseIdleConnections()
		streams.Go(func() {
			if err := s.down(t.Context(), client, size); err != nil {
				t.Errorf("down: %v", err)
			}
		})
		streams.Go(func() {
			if err := s.up(t.Context(), client, size); err != nil {
				t.Errorf("up: %v", err)
			}
		})
	}
	streams.Wait()
	_, most := s.resident(t)
	t.Logf("20 bodies of %d MiB up and 20 down in %s: at most %.1f MiB more than %d MiB",
		size/mib, time.Since(began).Round(time.Second/10), float64(most-before)/mib, before/mib)
	if most-before > mostForStreams {
		t.Errorf("they took %d bytes of memory, more than %d", most-before, mostForStreams)
	}
}

func (s *subject) down(ctx context.Context, client *http.Client, size int64) error {
	return s.transfer(ctx, client, http.MethodGet, fmt.Sprintf("%s?size=%d", download, size), http.NoBody, 0, func(body io.Reader) error {
		n, err := io.Copy(io.Discard, body)
		if err == nil && n != size {
			err = fmt.Errorf("%d bytes of %d", n, size)
		}
		return err
	})
}

func (s *subject) up(ctx context.Context, client *http.Client, size int64) error {
	return s.transfer(ctx, client, http.MethodPost, upload, io.LimitReader(zeros{}, size), size, func(body io.Reader) error {
		var n int64
		if _, err := fmt.Fscan(body, &n); err != nil {
			return err
		}
		if n != size {
			return fmt.Errorf("%d bytes of %d arrived", n, size)
		}
		return nil
	})
}

// transfer sends a request and has the body of its answer read.
func (s *subject) transfer(ctx context.Context, client *http.Client, method, target string, body io.Reader, length int64, read func(io.Reader) error) error {
	req, err := http.NewRequestWithContext(ctx, method, "https://"+s.gateway.Server+target, body)
	if err != nil {
		return err
	}
	req.ContentLength = length
	req.Header.Set("X-Api-Key", s.key)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", method, target, resp.Status)
	}
	return read(resp.Body)
}
