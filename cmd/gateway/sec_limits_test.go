package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/internal/iqsim"
)

// speaking returns r with a client that speaks one version of HTTP alone, on
// connections of its own.
func (r *rig) speaking(t *testing.T, http2 bool) *rig {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetHTTP2(http2)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: r.roots}, Protocols: protocols, DisableCompression: true, ExpectContinueTimeout: time.Minute}
	t.Cleanup(transport.CloseIdleConnections)
	other := *r
	other.client = &http.Client{Transport: transport, Timeout: time.Minute}
	return &other
}

// wantUntouched fails the test if anything was spent: a call of an upstream, a
// token, quota.
func (r *rig) wantUntouched(t *testing.T) {
	t.Helper()
	if all := r.Ledger(iqsim.LedgerQuery{}); len(all) > 0 {
		t.Errorf("the upstream got %+v", all)
	}
	for _, metric := range []string{"iqgw_quota_caller_tokens_total", "iqgw_quota_acquire_duration_seconds_count", "iqgw_token_fetch_duration_seconds_count"} {
		if lines := r.metric(t, metric); len(lines) > 0 {
			t.Errorf("spent: %v", lines)
		}
	}
}

// limit is one request at or above a limit.
type limit struct {
	name   string
	edit   func(*http.Request)
	status int
	kind   exchange.ProblemType // "" = net/http answers itself, or ends the stream
}

func manyLines(n int) func(*http.Request) {
	return func(req *http.Request) {
		for range n {
			req.Header.Add("X-Line", "a")
		}
	}
}

func longPath(n int) func(*http.Request) {
	return func(req *http.Request) { req.URL.Path = "/crm/v1/" + strings.Repeat("a", n-len("/crm/v1/")) }
}

// declare announces a body of n bytes of which none comes.
func declare(n int64) func(*http.Request) {
	return func(req *http.Request) {
		req.Method, req.ContentLength, req.Body = http.MethodPost, n, io.NopCloser(neverRead{})
		req.Header.Set("Expect", "100-continue")
	}
}

// neverRead is a body that is not sent, because its length is refused first.
type neverRead struct{}

func (neverRead) Read([]byte) (int, error) { return 0, io.ErrNoProgress }

func defaultLimits() []limit {
	const kib = 1 << 10
	return []limit{
		{"header bytes", setHeader("X-Long", strings.Repeat("a", 33*kib)), http.StatusRequestHeaderFieldsTooLarge, exchange.HeaderTooLarge},
		{"header bytes beyond net/http's own limit", setHeader("X-Long", strings.Repeat("a", 200*kib)), http.StatusRequestHeaderFieldsTooLarge, ""},
		{"header lines", manyLines(101), http.StatusRequestHeaderFieldsTooLarge, exchange.HeaderTooLarge},
		{"40 000 header lines", manyLines(40_000), http.StatusRequestHeaderFieldsTooLarge, ""},
		{"target", longPath(16*kib + 1), http.StatusRequestURITooLong, exchange.URITooLong},
		{"query", func(req *http.Request) { req.URL.RawQuery = strings.Repeat("q", 17*kib) }, http.StatusRequestURITooLong, exchange.URITooLong},
		{"declared body", declare(32<<20 + 1), http.StatusRequestEntityTooLarge, exchange.BodyTooLarge},
	}
}

// What is above a limit is answered with its status and problem over both
// versions of HTTP, and costs nobody anything.
func TestSEC57LimitsGiveExactStatuses(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	small := newRig(t, rigOptions{environ: []string{
		"IQGW_SERVER__LIMITS__MAX_HEADER=2KiB", "IQGW_SERVER__LIMITS__MAX_URI=1KiB", "IQGW_SERVICES__CRM__LIMITS__MAX_BODY=4KiB",
	}})
	configured := []limit{
		{"header bytes", setHeader("X-Long", strings.Repeat("a", 2<<10)), http.StatusRequestHeaderFieldsTooLarge, exchange.HeaderTooLarge},
		{"target", longPath(1<<10 + 1), http.StatusRequestURITooLong, exchange.URITooLong},
		{"declared body", declare(4<<10 + 1), http.StatusRequestEntityTooLarge, exchange.BodyTooLarge},
	}
	for _, http2 := range []bool{false, true} {
		for _, c := range defaultLimits() {
			t.Run(fmt.Sprintf("HTTP/2 %v, %s", http2, c.name), func(t *testing.T) { r.speaking(t, http2).wantLimit(t, c) })
		}
		for _, c := range configured {
			t.Run(fmt.Sprintf("HTTP/2 %v, configured %s", http2, c.name), func(t *testing.T) { small.speaking(t, http2).wantLimit(t, c) })
		}
	}
	r.wantUntouched(t)
	small.wantUntouched(t)
	// At the limit is not above it.
	for name, edit := range map[string]func(*http.Request){"header bytes": setHeader("X-Long", strings.Repeat("a", 31<<10)), "header lines": manyLines(80)} {
		if a := r.do(t, http.MethodGet, customers, "", edit); a.StatusCode != http.StatusOK {
			t.Errorf("%s below the limit: %s", name, a.Status)
		}
	}
}

func (r *rig) wantLimit(t *testing.T, c limit) {
	t.Helper()
	a, err := r.try(t.Context(), http.MethodGet, customers, "", c.edit)
	switch {
	case err != nil && c.kind == "": // so large that net/http ends the connection while it is sent
		t.Logf("ended: %v", err)
	case err != nil:
		t.Error(err)
	case a.StatusCode != c.status:
		t.Errorf("%s, want %d\n%.300s", a.Status, c.status, a.text)
	case c.kind == "":
	default:
		v := a.verdict(t)
		if v.Type != string(c.kind) {
			t.Errorf("problem %+v, want %s", v, c.kind)
		}
		if c.kind == exchange.BodyTooLarge && v.Outcome != exchange.NotExecuted {
			t.Errorf("outcome %q of a write that was refused for its length", v.Outcome)
		}
	}
}

// plenty is a body of n bytes whose length is not announced.
func plenty(n int64) func(*http.Request) {
	return func(req *http.Request) {
		req.Body, req.ContentLength = io.NopCloser(io.LimitReader(letters{}, n)), -1
	}
}

type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

// A body whose length nobody has told is cut at the limit: the caller learns it,
// and the upstream never sees an end.
func TestSEC57BodyOfUnknownLength(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{environ: []string{"IQGW_SERVICES__CATALOGS__LIMITS__MAX_BODY=64KiB"}})
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %v", http2), func(t *testing.T) {
			r.ClearLedger()
			r.speaking(t, http2).wantCut(t, "/catalogs/v1/Companies(14146)/Catalog/Items", 64<<10)
			await(t, "the upstream sees it break off", func() bool {
				calls := r.calls("catalogs")
				return len(calls) == 1 && calls[0].Done
			})
			if call := r.calls("catalogs")[0]; call.Executed || call.BodyError == "" || call.BodyLength > 64<<10 {
				t.Errorf("the upstream got %+v", call)
			}
		})
	}
}

// The same with the limit that nobody has set, and an upstream that reads as fast
// as it can.
func TestSEC57BodyAboveTheDefaultLimit(t *testing.T) {
	t.Parallel()
	ends := make(chan string, 10)
	up := listenRaw(t, func(_ net.Conn, r *bufio.Reader) {
		var last lastBytes
		if n, _ := io.Copy(&last, r); n > 0 {
			ends <- string(last.kept)
		}
	})
	r := newRawRig(t, up.URL, map[string]string{"timeouts": "{response_header: 60s, total: 60s}"})
	for _, http2 := range []bool{false, true} {
		if http2 && !*long { // 32 MiB take their time under the race detector
			continue
		}
		t.Run(fmt.Sprintf("HTTP/2 %v", http2), func(t *testing.T) {
			r.speaking(t, http2).wantCut(t, "/raw/x", 32<<20)
			if end := <-ends; strings.HasSuffix(end, "0\r\n\r\n") {
				t.Errorf("the upstream saw a whole message: %q", end)
			}
		})
	}
}

// wantCut sends one byte more than the limit.
func (r *rig) wantCut(t *testing.T, target string, limit int64) {
	t.Helper()
	a, err := r.try(t.Context(), http.MethodPost, target, "", plenty(limit+1))
	if err != nil {
		t.Fatal(err)
	}
	v := a.want(t, http.StatusRequestEntityTooLarge).verdict(t)
	if v.Type != string(exchange.BodyTooLarge) || v.Outcome != exchange.OutcomeUnknown {
		t.Errorf("%+v", v)
	}
}

// lastBytes keeps the end of what is written to it.
type lastBytes struct{ kept []byte }

// Write implements io.Writer.
func (l *lastBytes) Write(p []byte) (int, error) {
	l.kept = append(l.kept, p[max(0, len(p)-16):]...)
	l.kept = l.kept[max(0, len(l.kept)-16):]
	return len(p), nil
}

// The caller that may have a hundred requests under way gets 429 for the next.
func TestSEC57ConcurrencyOfACaller(t *testing.T) {
	const may, more = 100, 20
	r := newRig(t, rigOptions{
		extra: "services: {crm: {cache: {mode: none}}}\n",
		flags: []string{"--set", fmt.Sprintf("callers.storefront.rate_limit.concurrency=%d", may)},
	})
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK) // the quota is known
	r.ClearLedger()
	r.arm(t, iqsim.Fault{Kind: iqsim.FaultStall, Service: "crm"})
	type result struct {
		answer
		err error
	}
	answers := make(chan result, may+more)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	for range may + more {
		go func() {
			a, err := r.try(ctx, http.MethodGet, customers, "")
			answers <- result{a, err}
		}()
	}
	for range more {
		a := <-answers
		if a.err != nil {
			t.Fatal(a.err)
		}
		v := a.want(t, http.StatusTooManyRequests).verdict(t)
		if v.Type != string(exchange.CallerBusy) || a.Header.Get("Retry-After") == "" {
			t.Errorf("%+v, Retry-After %q", v, a.Header.Get("Retry-After"))
		}
	}
	await(t, "the others are at the upstream", func() bool { return len(r.calls("crm")) == may })
	leave()
	for range may {
		if a := <-answers; a.err == nil && a.StatusCode == http.StatusTooManyRequests {
			t.Error("one more was refused")
		}
	}
}

// A token endpoint that answers too much is one that fails.
func TestSEC57TokenAnswerTooLarge(t *testing.T) {
	r := newRig(t, rigOptions{})
	answer := `{"access_token":"large","expires_in":3600,"pad":"` + strings.Repeat("a", 64<<10) + `"}`
	r.arm(t, iqsim.Fault{
		Kind: iqsim.FaultStatus, At: iqsim.AtArrival, Service: "accounts", Status: http.StatusOK, Body: answer,
		Fields: []iqsim.Field{{Name: "Content-Type", Value: "application/json"}},
	})
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		a := r.do(t, method, customers, "")
		v := a.want(t, http.StatusServiceUnavailable).verdict(t)
		if v.Type != string(exchange.TokenUnavailable) || v.Outcome != exchange.NotExecuted || a.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %+v, Retry-After %q", method, v, a.Header.Get("Retry-After"))
		}
	}
	if calls := r.calls("crm"); len(calls) > 0 {
		t.Errorf("sent without a token: %+v", calls)
	}
	if lines := r.metric(t, "iqgw_quota_caller_tokens_total"); len(lines) > 0 {
		t.Errorf("quota was spent: %v", lines)
	}
	if !strings.Contains(r.logs.String(), "larger than 64 KiB") {
		t.Error("the log does not say why")
	}
}
