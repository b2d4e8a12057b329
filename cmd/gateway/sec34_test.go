package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"iqgateway/auth"
	"iqgateway/internal/iqsim"
)

const (
	maxSeries     = 2000
	maxHeapGrowth = 10 << 20
)

// SEC-34: 10 000 distinct paths, hosts, methods, user agents, queries, keys and
// traces, and names in handshakes, make no series and take no memory.
func TestSEC34CallersMakeNoSeries(t *testing.T) {
	r := newRig(t, rigOptions{
		sim: iqsim.Options{Limits: map[string]int{"crm": 1_000_000}, LedgerSize: 10},
		flags: append(nativeEnvironment(t),
			"--set", "telemetry.logs.level=error", "--set", "cache.memory=4MiB", "--set", "callers.storefront.classes=[batch]",
			// Nobody takes the spans, of which there are as many as there can be.
			"--set", "telemetry.traces.exporter=otlp", "--set", "telemetry.traces.endpoint=http://127.0.0.1:1", "--set", "telemetry.traces.sample=100%"),
		access: `{"*": write}}
      - {credential: native, services: {"*": write}`,
	})
	r.distinct(t, 0, 2000) // whatever is bounded fills up
	before, heapBefore := r.seriesNow(t), liveHeap()
	r.distinct(t, 2000, 10_000)
	after, heapAfter := r.seriesNow(t), liveHeap()
	grown := int64(heapAfter) - int64(heapBefore)
	t.Logf("%d series, before %d; heap %d KiB, %+d KiB", len(after), len(before), heapAfter>>10, grown>>10)
	if len(after) > maxSeries {
		t.Errorf("%d series, at most %d", len(after), maxSeries)
	}
	// A window that rolls meanwhile adds some, callers would add thousands.
	if len(after) > len(before)+100 {
		t.Errorf("%d series, before %d", len(after), len(before))
	}
	for series := range after {
		if strings.Contains(series, "distinct") || strings.Contains(series, "native.test:") {
			t.Errorf("a caller's text is a label: %s", series)
		}
	}
	if grown > maxHeapGrowth {
		t.Errorf("the heap grew by %d bytes", grown)
	}
}

// nativeEnvironment is one whose services have hosts of their own, through an
// egress proxy: the names need not resolve.
func nativeEnvironment(t *testing.T) []string {
	t.Helper()
	_, _, url := newSim(t, iqsim.Options{Limits: map[string]int{"crm": 1_000_000}, LedgerSize: 10})
	var flags []string
	for _, set := range []string{
		"environments.native.url=http://{service}.native.test", "environments.native.allow_plaintext=true", "environments.native.proxy_url=" + url,
		"credentials.native.environment=native", "credentials.native.token_url=" + url + "/accounts/v1/oauth2/token",
		"credentials.native.client_id=${env:RIG_CLIENT}", "credentials.native.client_secret=${env:RIG_SECRET}",
		"credentials.native.username=${env:RIG_USER}", "credentials.native.password=${env:RIG_PASSWORD}",
		"callers.storefront.environment=sim", "services.crm.quota.assume=1000000/60s",
	} {
		flags = append(flags, "--set", set)
	}
	return flags
}

// distinct sends n requests of which no two are alike.
func (r *rig) distinct(t *testing.T, from, n int) {
	t.Helper()
	var senders sync.WaitGroup
	const lanes = 4
	for lane := range lanes {
		senders.Go(func() {
			for i := from + lane; i < from+n; i += lanes {
				target := fmt.Sprintf("/crm/v1/distinct%d?distinct%d=1", i, i)
				if native(i) {
					target = target[len("/crm"):]
				}
				a, err := r.try(t.Context(), distinctMethod(i), target, "", distinctly(i))
				if err != nil {
					t.Error(err)
					return
				}
				if goesUp(i) && a.StatusCode != http.StatusNotFound {
					t.Errorf("%s: %s, want the upstream's 404", target, a.Status)
				}
				if i%100 == 0 {
					r.shake(t, fmt.Sprintf("distinct%d.example", i))
				}
			}
		})
	}
	senders.Wait()
}

// native tells which requests come for a host of the upstream, the only one of its
// service: their hosts differ in the port.
func native(i int) bool { return i%4 == 3 }

// Of ten requests two come with the caller's key, and four with a method that
// nobody knows, which gets no further than that.
func hasKey(i int) bool { return i%10 < 2 }

// goesUp tells which requests nothing is wrong with: every third priority is none.
func goesUp(i int) bool { return hasKey(i) && i%3 > 0 }

func distinctMethod(i int) string {
	if i%10 > 5 {
		return fmt.Sprintf("DISTINCT%d", i)
	}
	known := []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
	return known[i%len(known)]
}

func distinctly(i int) func(*http.Request) {
	return func(req *http.Request) {
		req.Host = fmt.Sprintf("distinct%d.example", i)
		if native(i) {
			req.Host = fmt.Sprintf("crm.native.test:%d", i+1)
		}
		if !hasKey(i) {
			key, _ := auth.NewKey()
			req.Header.Set("X-Api-Key", key)
		}
		switch i % 3 {
		case 0:
			req.Header.Set("X-Request-Priority", fmt.Sprintf("distinct%d", i))
		case 1:
			req.Header.Set("X-Request-Priority", "batch")
		}
		req.Header.Set("User-Agent", fmt.Sprintf("distinct%d", i))
		req.Header.Set("X-Request-Id", fmt.Sprintf("distinct%d", i))
		req.Header.Set("Traceparent", fmt.Sprintf("00-%032x-%016x-01", i+1, i+1))
		req.Header.Set("Tracestate", fmt.Sprintf("distinct%d=1", i))
		req.Header.Set("Baggage", fmt.Sprintf("distinct%d=1", i))
	}
}

// shake names a host in a handshake.
func (r *rig) shake(t *testing.T, name string) {
	t.Helper()
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: 30 * time.Second}, Config: &tls.Config{ServerName: name, RootCAs: r.roots}}
	if conn, err := d.DialContext(t.Context(), "tcp", r.Server); err == nil {
		_ = conn.Close()
		t.Errorf("the gateway is %s", name)
	}
}

// seriesNow are the samples that a scraper gets, by name and labels.
func (r *rig) seriesNow(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for line := range strings.Lines(r.get(t, "http://"+r.Admin+"/metrics").text) {
		if at := strings.LastIndexByte(line, ' '); at > 0 && line[0] != '#' {
			all[line[:at]] = true
		}
	}
	return all
}

// liveHeap is what is in use.
func liveHeap() uint64 {
	runtime.GC()
	runtime.GC() // what finalizers held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
