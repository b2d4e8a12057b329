package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/auth"
	"iqgateway/internal/redistest"
)

// worked are the metrics of everything that a request may cost beyond its own
// refusal.
func (r *rig) worked(t *testing.T) map[string]string {
	t.Helper()
	prefixes := []string{
		"iqgw_cache_", "iqgw_quota_", "iqgw_token_", "iqgw_breaker_", "iqgw_retry_", "iqgw_bulkhead_refused", "iqgw_bulkhead_wait",
		"iqgw_auth_key_set_", "iqgw_caller_", "http_client_",
	}
	found := map[string]string{}
	for line := range strings.Lines(r.get(t, "http://"+r.Admin+"/metrics").text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) && !strings.Contains(name, "_age_") && !strings.Contains(name, "remaining") {
			found[name] = value
		}
	}
	return found
}

// unauthenticated are requests without rights, each of another kind.
func unauthenticated(c *cluster, t *testing.T) map[string]func(*http.Request) {
	t.Helper()
	expired := c.token(t, "system:serviceaccount:shop:storefront", time.Now().Add(-time.Hour))
	strange := c.token(t, "system:serviceaccount:shop:other", time.Now().Add(time.Hour))
	unknown, _ := auth.NewKey()
	return map[string]func(*http.Request){
		"nothing":       withoutKey,
		"a wrong key":   setHeader("X-Api-Key", unknown),
		"a wrong user":  func(req *http.Request) { withoutKey(req); req.SetBasicAuth("storefront", unknown) },
		"a JWT":         bearer(strange),
		"an old JWT":    bearer(expired),
		"half a JWT":    bearer(strange[:len(strange)-9]),
		"a dotted text": bearer("a.b.c"),
	}
}

// SEC-35: whoever is not known gets 401, also for what the cache holds, and
// nothing is done for it: no store, token, quota, cache or upstream is touched,
// and no issuer is asked.
func TestSEC35UnauthenticatedCostsNothing(t *testing.T) {
	c := newCluster(t)
	r := clusterRig(t, c)
	for range 2 {
		r.do(t, http.MethodGet, catalogItems, "").want(t, http.StatusOK) // stored now
	}
	var before map[string]string
	await(t, "the issuer was asked, and that is counted", func() bool {
		before = r.worked(t)
		return c.asked.Load() == 1 && before[`iqgw_auth_key_set_keys{issuer="`+c.URL+`"}`] == "1"
	})
	r.ClearLedger()
	var sent atomic.Int64
	var group sync.WaitGroup
	for name, edit := range unauthenticated(c, t) {
		group.Go(func() {
			for range 150 {
				for _, target := range []string{catalogItems, customers} {
					a, err := r.try(t.Context(), http.MethodGet, target, "", edit)
					if err != nil || a.StatusCode != http.StatusUnauthorized {
						t.Errorf("%s: %v, %v", name, a.Response, err)
						return
					}
					sent.Add(1)
				}
			}
		})
	}
	group.Wait()
	if calls := len(r.calls("")) + len(r.calls("accounts")); calls > 0 || c.asked.Load() != 1 {
		t.Errorf("%d requests cost %d calls of upstreams; the issuer was asked %d times", sent.Load(), calls, c.asked.Load())
	}
	after := r.worked(t)
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if after[name] != before[name] {
			t.Errorf("%s was %q, is %q", name, before[name], after[name])
		}
	}
	if sent.Load() < 1000 || len(before) < 20 {
		t.Errorf("%d requests, %d metrics", sent.Load(), len(before))
	}
}

// SEC-35: nor is Redis asked: what runs in the background anyway is all it gets.
// That is measured right afterwards, under the same load of this machine.
func TestSEC35UnauthenticatedNeverReachesRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Single(t)
	f := newFleet(t, server, fleetOptions{replicas: 1})
	f.wantOK(t, f.all[0])
	const senders, each = 32, 125
	before, start := processed(t, server), time.Now()
	var all sync.WaitGroup
	for range senders {
		all.Go(func() {
			for range each {
				if err := f.refused(t, f.all[0]); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	busy, took := processed(t, server)-before, time.Since(start)
	before, start = processed(t, server), time.Now()
	<-time.After(min(took, 2*time.Second))
	idle := float64(processed(t, server)-before) * took.Seconds() / time.Since(start).Seconds()
	t.Logf("%d commands in %s, %.0f expected", busy, took, idle)
	if most := 1.5*idle + senders*each/2; float64(busy) > most {
		t.Errorf("%d requests cost %d commands in %s, want at most %.0f: the background makes %.0f", senders*each, busy, took, most, idle)
	}
}

// refused makes a call of nobody.
func (f *replicas) refused(t *testing.T, to *replica) error {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, to.server+customers, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("X-Api-Key", "iqgw_nobody")
	resp, err := f.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusUnauthorized {
		return errors.New(resp.Status)
	}
	return nil
}

func processed(t *testing.T, server *redistest.Server) (n int) {
	t.Helper()
	for line := range strings.Lines(server.CLI(t, "INFO", "stats")) {
		if _, err := fmt.Sscanf(line, "total_commands_processed:%d", &n); err == nil {
			return n
		}
	}
	t.Fatal("Redis does not count its commands")
	return 0
}

// SEC-35: a body that comes byte by byte is not waited for: the answer is there at
// once, and then the connection ends.
func TestSEC35BodyOfNobody(t *testing.T) {
	r := newRig(t, rigOptions{})
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: r.roots, NextProtos: []string{"http/1.1"}}}
	for name, header := range map[string]string{"a length": "Content-Length: 1073741824", "chunks": "Transfer-Encoding: chunked"} {
		t.Run(name, func(t *testing.T) {
			conn, err := dialer.DialContext(t.Context(), "tcp", r.Server)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			start := time.Now()
			_, err = io.WriteString(conn, "POST "+customers+" HTTP/1.1\r\nHost: "+r.Server+"\r\n"+header+"\r\n\r\n1")
			if err != nil {
				t.Fatal(err)
			}
			stop := dribble(conn)
			defer stop()
			wantRefusedAndClosed(t, conn)
			if took := time.Since(start); took > 20*time.Second { // the body would take 34 years
				t.Errorf("after %s", took)
			}
		})
	}
	if calls := len(r.calls("crm")) + len(r.calls("accounts")); calls != 0 {
		t.Errorf("%d calls of upstreams", calls)
	}
}

// dribble sends a byte each second until the connection ends, or stop is called.
func dribble(conn io.Writer) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if _, err := io.WriteString(conn, "1"); err != nil {
					return
				}
			case <-end:
				return
			}
		}
	}()
	return func() {
		close(end)
		<-ended
	}
}

func wantRefusedAndClosed(t *testing.T, conn net.Conn) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusUnauthorized || !resp.Close {
		t.Errorf("%s, close: %t", resp.Status, resp.Close)
	}
	if _, err := reader.ReadByte(); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("the connection goes on: %v", err)
	}
}

// SEC-35: a connection is ended only where a body is still coming: without one it
// serves on, and so does one of HTTP/2 in any case.
func TestSEC35ConnectionsStay(t *testing.T) {
	r := newRig(t, rigOptions{})
	for _, http2 := range []bool{false, true} {
		client := r.speaking(t, http2)
		connections := 0
		trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
			if !info.Reused {
				connections++
			}
		}}
		ask := func(method, body string, edit func(*http.Request), status int) {
			t.Helper()
			a, err := client.try(httptrace.WithClientTrace(t.Context(), trace), method, customers, body, edit)
			if err != nil || a.StatusCode != status {
				t.Fatalf("HTTP/2 %t: %v, %v", http2, a.Response, err)
			}
		}
		for range 20 {
			ask(http.MethodGet, "", withoutKey, http.StatusUnauthorized)
			ask(http.MethodGet, "", setHeader("X-Api-Key", "iqgw_nobody"), http.StatusUnauthorized)
		}
		if http2 {
			ask(http.MethodPost, "{}", withoutKey, http.StatusUnauthorized)
		}
		ask(http.MethodGet, "", func(*http.Request) {}, http.StatusOK)
		if connections != 1 {
			t.Errorf("HTTP/2 %t: %d connections", http2, connections)
		}
	}
}

// refusalAllocations is what a refusal may allocate in all stages together, the
// access line and the problem document included.
const refusalAllocations = 60

// SEC-35: a refusal is cheap.
func TestSEC35RefusalAllocations(t *testing.T) {
	unknown, _ := auth.NewKey()
	handler := runStages(t, strings.NewReplacer("SIM", "http://127.0.0.1:1", "DIGEST", strings.Repeat("ab", 32), "DIR", t.TempDir(), "ACCESS", `{"*": write}`,
		"{mode: self_signed}", "{mode: none}", "level: debug", "level: info").Replace(rigConfig))
	if raceDetector {
		t.Skip("under the race detector pools lose what is put into them")
	}
	w := &countingWriter{header: make(http.Header, 32)}
	r := httptest.NewRequest(http.MethodGet, "/catalogs/v1/Companies(14146)/Catalog", http.NoBody)
	r.Header = make(http.Header, 8)
	keys := []string{unknown}
	n := testing.AllocsPerRun(1000, func() {
		clear(w.header)
		w.status, w.bytes = 0, 0
		r.Header["X-Api-Key"] = keys
		handler.ServeHTTP(w, r)
	})
	t.Logf("%.0f allocations", n)
	if w.status != http.StatusUnauthorized || n > refusalAllocations {
		t.Errorf("%d with %.0f allocations, %d are enough", w.status, n, refusalAllocations)
	}
}
