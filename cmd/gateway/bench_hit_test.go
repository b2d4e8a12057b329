package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"iqgateway/auth"
)

// BenchmarkHit answers 1 KiB over loopback from the cache, through every stage
// with access log and metrics, beside a bare net/http handler that gets and
// writes the same bytes, in turns. The client is a few lines over TCP, so that it
// does not hide what the servers cost. The ratio is a metric.
func BenchmarkHit(b *testing.B) {
	upstream, asked := benchOrigin(b, oneKiB)
	key, digest := auth.NewKey()
	dir := b.TempDir()
	text := strings.NewReplacer("SIM", upstream.URL, "DIGEST", digest, "DIR", dir, "ACCESS", `{"*": write}`,
		"{mode: self_signed}", "{mode: none}", "level: debug", "level: info",
		"lame_duck: 0s", "limits: {max_memory: 1GiB}").Replace(rigConfig) // as in a container
	file := filepath.Join(dir, "gateway.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	gateway := startProgram(b, io.Discard, rigEnviron(), "run", "-c", file)

	const path = "/catalogs/v1/Companies(14146)/Catalog/Items/ByVendorSku?vendorSku=1"
	ask := func(address, fields string) []byte {
		return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", path, address, fields)
	}
	bare := httptest.NewServer(sameAnswer(b, "http://"+gateway.Server+path, key))
	defer bare.Close()
	plain := strings.TrimPrefix(bare.URL, "http://")
	field := "X-Api-Key: " + key + "\r\n"
	hits, bares := newTurns(b, gateway.Server, ask(gateway.Server, field)), newTurns(b, plain, ask(plain, field))
	inTurns(b, hits, bares)
	b.ReportMetric(float64(bares.took)/float64(hits.took), "of-bare")
	b.ReportMetric(float64(bares.used)/float64(hits.used), "of-bare-cpu")
	b.ReportMetric(float64(bares.took.Nanoseconds())/float64(b.N), "bare-ns/op")
	if n := asked.Load(); n > 10 {
		b.Errorf("the upstream was asked %d times", n)
	}
}

// sameAnswer returns a handler that writes what a hit has brought, and does
// nothing else.
func sameAnswer(b *testing.B, address, key string) http.Handler {
	b.Helper()
	var header http.Header
	var body []byte
	for range 2 { // the second is a hit
		req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, address, nil)
		if err != nil {
			b.Fatal(err)
		}
		req.Header.Set("X-Api-Key", key)
		resp, err := (&http.Transport{DisableKeepAlives: true, DisableCompression: true}).RoundTrip(req)
		if err != nil {
			b.Fatal(err)
		}
		body, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			b.Fatal(resp.Status, err)
		}
		header = resp.Header
	}
	if !strings.Contains(header.Get("Cache-Status"), "hit") {
		b.Fatalf("no hit: %v", header)
	}
	delete(header, "Date") // net/http writes it
	delete(header, "Connection")
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), header)
		_, _ = w.Write(body)
	})
}

// cpuTime is what this process has used of the processors: it does not count
// what others on the machine do meanwhile.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// turn is how many requests one side serves before the other has its turn:
// both see the same weather of the machine.
const turn = 4000

// turns sends the same request again and again over connections of its own, and
// adds up what that took.
type turns struct {
	request    []byte
	conns      []turnConn
	took, used time.Duration // wall clock; processors, of the whole process
}

type turnConn struct {
	net.Conn
	in *bufio.Reader
}

func newTurns(b *testing.B, address string, request []byte) *turns {
	b.Helper()
	p := &turns{request: request, conns: make([]turnConn, 16)}
	for i := range p.conns {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.Close() })
		p.conns[i] = turnConn{Conn: conn, in: bufio.NewReaderSize(conn, 8<<10)}
	}
	return p
}

// inTurns sends b.N requests to each of both sides. The benchmark's own time is that
// of one.
func inTurns(b *testing.B, one, other *turns) {
	b.Helper()
	b.ResetTimer()
	for left := b.N; left > 0; left -= turn {
		n := min(left, turn)
		one.run(b, n)
		b.StopTimer()
		other.run(b, n)
		b.StartTimer()
	}
}

// run sends n requests, from all connections at once.
func (p *turns) run(b *testing.B, n int) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(n))
	var all sync.WaitGroup
	began, used := time.Now(), cpuTime(b)
	for _, c := range p.conns {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				if _, err := c.Write(p.request); err != nil {
					b.Error(err)
					return
				}
				if err := readAnswer(c.in); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	p.took += time.Since(began)
	p.used += cpuTime(b) - used
}

// readAnswer reads a 200 with 1024 bytes.
func readAnswer(in *bufio.Reader) error {
	status, err := in.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200")) {
		return fmt.Errorf("answered %q", status)
	}
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) == 2 {
			break
		}
	}
	_, err = in.Discard(1024)
	return err
}
