package traces_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/test/rig"
	"iqgateway/test/traces"
)

// blockable has exports end soon, so that what hangs is told from what is lost.
func blockable() settings {
	return settings{
		services: "  productlibrary: {cache: {rules: [{path: /**, ttl: 1h}]}}\n",
		environ:  []string{"OTEL_EXPORTER_OTLP_TIMEOUT=200", "OTEL_BSP_EXPORT_TIMEOUT=400", "OTEL_BSP_MAX_QUEUE_SIZE=512", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=256"},
	}
}

// hit is what is stored. Its line in the log is long.
var hit = "/productlibrary/v1/ping?logged=" + strings.Repeat("x", 1000)

// hits sends n requests for a stored answer, a few at a time, and returns how long
// each took. All are answered.
func (s *subject) hits(t *testing.T, n int) []time.Duration {
	t.Helper()
	const workers = 4
	took := make([]time.Duration, n)
	var next atomic.Int64
	var crowd sync.WaitGroup
	for range workers {
		crowd.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				begin := time.Now()
				if a := s.try(t.Context(), ask{target: hit}); a.status != http.StatusOK || a.err != nil {
					t.Errorf("%d %v %s", a.status, a.err, a.text)
				}
				took[i] = time.Since(begin)
			}
		})
	}
	crowd.Wait()
	return took
}

// lost is how much of a signal was dropped, for whatever reason.
func (s *subject) lost(t *testing.T, signal string) int {
	t.Helper()
	metrics, err := s.gateway.Metrics(t.Context())
	rig.Must(t, err)
	n, err := metrics.Sum("iqgw_telemetry_dropped_total", fmt.Sprintf("signal=%q", signal))
	rig.Must(t, err)
	return int(n)
}

// TestCollectorInTrouble: whatever the collector does, callers are answered; what
// it does not get is counted; and it gets what comes once it is well.
func TestCollectorInTrouble(t *testing.T) {
	t.Parallel()
	s := newSubject(t, blockable())
	s.hits(t, 1)
	s.settle(t)
	well := func() { s.sink.Be(traces.Mood{}) }
	for name, trouble := range map[string]struct{ begin, end func() }{
		"hangs":   {func() { s.sink.Be(traces.Mood{Hang: true}) }, well},
		"refuses": {func() { s.sink.Be(traces.Mood{Status: http.StatusBadRequest}) }, well},
		"slow":    {func() { s.sink.Be(traces.Mood{Delay: 100 * time.Millisecond}) }, well},
		"stopped": {func() { rig.Must(t, s.sink.Stop()) }, func() { rig.Must(t, s.sink.Start(t.Context())) }},
	} {
		t.Run(name, func(t *testing.T) {
			s.settle(t)
			s.sink.Forget()
			before := s.lost(t, "traces")
			trouble.begin()
			const n, each = 150, 2 // the server's span, and that of the lookup
			s.hits(t, n)
			s.await(t, "all spans are accounted for, though none is taken", func() bool {
				return s.lost(t, "traces")-before+len(s.sink.Spans()) >= n*each
			})
			if name != "slow" && s.lost(t, "traces")-before < n*each {
				t.Errorf("%d spans are lost, want %d", s.lost(t, "traces")-before, n*each)
			}
			trouble.end()
			s.await(t, "it is heard again", func() bool {
				posts := s.sink.Posts()
				s.hits(t, 1)
				return s.sink.Posts() > posts && len(s.sink.Spans()) > 0
			})
		})
	}
}

// stuckPipe returns the end of a pipe that nobody reads until listen is called;
// written is how many access lines have come then.
func stuckPipe(t *testing.T) (end *os.File, listen func(), written func() int) {
	t.Helper()
	read, write, err := os.Pipe()
	rig.Must(t, err)
	t.Cleanup(func() {
		_ = write.Close()
		_ = read.Close()
	})
	var lines atomic.Int64
	return write, func() {
		go func() { // ends with the pipe
			for text := bufio.NewScanner(read); text.Scan(); {
				if strings.Contains(text.Text(), `"msg":"request"`) {
					lines.Add(1)
				}
			}
		}()
	}, func() int { return int(lines.Load()) }
}

// drain returns the end of a pipe that somebody reads, and does nothing else.
func drain(t *testing.T) *os.File {
	t.Helper()
	read, write, err := os.Pipe()
	rig.Must(t, err)
	t.Cleanup(func() {
		_ = write.Close()
		_ = read.Close()
	})
	go func() { _, _ = io.Copy(io.Discard, read) }() // ends with the pipe
	return write
}

// TestNobodyListens: while the collector hangs, nobody reads the log, and a
// scraper has stopped half way, all requests are answered, and what is lost is
// counted.
func TestNobodyListens(t *testing.T) {
	t.Parallel()
	n := 6_000 // lines of more than its buffers hold
	if *long {
		n = 40_000
	}
	o := blockable()
	end, listen, written := stuckPipe(t)
	o.stdout, o.sample = end, "1%"
	s := newSubject(t, o)
	s.sink.Be(traces.Mood{Hang: true})
	s.stoppedScrapers(t, 3)
	s.hits(t, n)
	metrics, err := s.gateway.Metrics(t.Context())
	rig.Must(t, err)
	answered, err := metrics.Sum("http_server_request_duration_seconds_count", `http_response_status_code="200"`)
	if err != nil || int(answered) != n {
		t.Errorf("%g requests are counted, want %d (%v)", answered, n, err)
	}
	lost := s.lost(t, "logs")
	if lost == 0 || lost > n {
		t.Errorf("%d lines are lost of %d requests", lost, n)
	}
	listen()
	s.await(t, "lines that are written and lines that are lost are all", func() bool { return written()+s.lost(t, "logs") >= n })
}

// stoppedScrapers ask for the metrics and read no further than the beginning.
func (s *subject) stoppedScrapers(t *testing.T, n int) {
	t.Helper()
	for range n {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.gateway.Admin)
		rig.Must(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		_, err = fmt.Fprintf(conn, "GET /metrics HTTP/1.1\r\nHost: %s\r\n\r\n", s.gateway.Admin)
		rig.Must(t, err)
		line, err := bufio.NewReaderSize(conn, 16).ReadString('\n')
		if err != nil || line != "HTTP/1.1 200 OK\r\n" {
			t.Fatalf("%q %v", line, err)
		}
	}
}

// TestTimesWhileNobodyListens (long form): the slowest hundredth takes at most half
// as long again, measured in turns.
func TestTimesWhileNobodyListens(t *testing.T) {
	if !*long {
		t.Skip("times are no matter of a busy machine")
	}
	o := blockable()
	o.stdout = drain(t)
	heard := newSubject(t, o)
	heard.sink.Be(traces.Mood{Discard: true}) // or those who listen would have the machine work more
	o = blockable()
	o.stdout, _, _ = stuckPipe(t)
	unheard := newSubject(t, o)
	unheard.sink.Be(traces.Mood{Hang: true})
	var well, blocked []time.Duration
	for range 10 {
		well = append(well, heard.hits(t, 2_000)...)
		blocked = append(blocked, unheard.hits(t, 2_000)...)
	}
	a, b := percentile(well, 99), percentile(blocked, 99)
	t.Logf("p99 %s, while nobody listens %s (%.2f)", a, b, float64(b)/float64(a))
	if b > a*3/2 {
		t.Errorf("more than half as long again")
	}
}

func percentile(all []time.Duration, p int) time.Duration {
	slices.Sort(all)
	return all[len(all)*p/100]
}
