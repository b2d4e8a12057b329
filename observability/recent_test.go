package observability_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/observability"
)

// remembered is an observe stage in front of next that remembers exchanges.
func remembered(next http.HandlerFunc) (*observability.Recent, http.Handler) {
	recent := observability.NewRecent()
	return recent, observability.Observe(observability.ObserveOptions{
		Replica: "r1", Recent: recent,
		Refuse: func(w http.ResponseWriter, r *http.Request, err error) {
			p := err.(*exchange.Problem) //nolint:errorlint // the test's own
			exchange.From(r.Context()).Problem = p
			w.WriteHeader(p.Status())
		},
	})(next)
}

// sent serves one request and returns its id.
func sent(h http.Handler, r *http.Request) string {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Header().Get("X-Request-Id")
}

func plainGet() *http.Request {
	return httptest.NewRequest(http.MethodGet, "/crm/v1/secret-path?secret=query", http.NoBody)
}

func TestRecordSaysWhatHappened(t *testing.T) {
	caller := &exchange.Caller{Name: "pos", Proof: "key", KeyID: "pos-1"}
	recent, h := remembered(func(w http.ResponseWriter, r *http.Request) {
		ex := exchange.From(r.Context())
		ex.Caller, ex.Credential, ex.Class = caller, "retail", "batch"
		ex.SetTarget(exchange.Target{Environment: "sim", Service: "crm", Route: "/sim/crm/v1/**", Path: "/v1/secret-path", RawQuery: "secret=query"})
		ex.Attempts, ex.Retries, ex.RetryResult, ex.Breaker = 2, 1, "answered", exchange.BreakerClosed
		ex.Tried(ex.Start, exchange.Try{Status: 503, Took: time.Millisecond})
		ex.Tried(ex.Start, exchange.Try{Status: 200, Took: 2 * time.Millisecond})
		ex.Dropped = []string{"X-Odd", "Referer"}
		ex.QuotaBucket, ex.QuotaResult, ex.QuotaWait = "sim/crm/authenticated", exchange.QuotaWaited, time.Second
		ex.QuotaView = func() exchange.QuotaView {
			return exchange.QuotaView{Known: true, Limit: 10, Remaining: 4, Opens: time.Minute}
		}
		ex.Cache = exchange.CacheView{Result: exchange.CacheMiss, Reason: "uri-miss"}
		_, _ = w.Write([]byte("hello"))
	})
	r := plainGet()
	r.Header.Set("X-Request-Id", "mine-7")
	id := sent(h, r)
	rec, found := recent.Find(id)
	if !found {
		t.Fatalf("%s is not remembered", id)
	}
	text := fmt.Sprintf("%+v", rec)
	for _, want := range []string{
		"CallerRequestID:mine-7", "Route:/sim/crm/v1/**", "Credential:retail", "Class:batch", "Status:200", "BytesOut:5",
		"Attempts:2", "RetryResult:answered", "Dropped:X-Odd, Referer", "QuotaLimit:10 QuotaRemaining:4", "Status:503",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if rec.Caller != caller || strings.Contains(text, "secret") {
		t.Errorf("%s", text)
	}
}

func TestWhatIsNotRemembered(t *testing.T) {
	recent, h := remembered(func(_ http.ResponseWriter, r *http.Request) {
		ex := exchange.From(r.Context())
		ex.Caller = &exchange.Caller{Name: "pos"}
		ex.SetTarget(exchange.Target{Route: "/-/me"})
		ex.Self = true
	})
	if _, found := recent.Find(sent(h, plainGet())); found {
		t.Error("a question about exchanges displaces them")
	}
	for _, id := range []string{"", "r1-", "r1-0000000000000000", "x"} {
		if rec, found := recent.Find(id); found {
			t.Errorf("%q is %+v", id, rec)
		}
	}
	if _, found := (*observability.Recent)(nil).Find("x"); found {
		t.Error("none finds one")
	}
}

// refusing lets requests with X-Fail fail, as a known caller's or nobody's, with
// texts of the longest kind.
func refusing() http.HandlerFunc {
	dropped := slices.Repeat([]string{strings.Repeat("h", 90)}, 20)
	problem := exchange.Refuse(exchange.QuotaExceeded, strings.Repeat("Ü", 500))
	caller := &exchange.Caller{Name: "pos"}
	return func(w http.ResponseWriter, r *http.Request) {
		ex := exchange.From(r.Context())
		if r.Header.Get("X-Nobody") == "" {
			ex.Caller = caller
		}
		ex.SetTarget(exchange.Target{Environment: "sim", Service: "crm", Route: "/sim/crm/**"})
		if r.Header.Get("X-Fail") == "" {
			w.WriteHeader(http.StatusOK)
			return
		}
		for range 50 {
			ex.Tried(ex.Start, exchange.Try{Status: 503, Took: time.Millisecond, Body: &exchange.BodyEnd{}})
			ex.Waited(ex.Start, exchange.Wait{Kind: exchange.WaitQuota, Result: "granted"})
		}
		ex.Dropped, ex.Problem = dropped, problem
		w.WriteHeader(problem.Status())
	}
}

func failing(more string) *http.Request {
	r := plainGet()
	r.Header.Set("X-Fail", "1")
	r.Header.Set("X-Request-Id", strings.Repeat("i", 128))
	r.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	r.Header["Tracestate"] = []string{"a=" + strings.Repeat("v", 250) + ",b=" + strings.Repeat("v", 250)}
	if more != "" {
		r.Header.Set(more, "1")
	}
	return r
}

// What failed outlives what went well; what nobody sent displaces neither.
func TestFailuresAreRememberedLonger(t *testing.T) {
	recent, h := remembered(refusing())
	failed, fine := sent(h, failing("")), sent(h, plainGet())
	nobodys := sent(h, failing("X-Nobody"))
	for range 6000 {
		sent(h, plainGet())
	}
	last := sent(h, plainGet())
	for range 5000 {
		sent(h, failing("X-Nobody"))
	}
	for id, want := range map[string]bool{failed: true, fine: false, last: true, nobodys: false} {
		if _, found := recent.Find(id); found != want {
			t.Errorf("%s: remembered %v, want %v", id, found, want)
		}
	}
	if rec, _ := recent.Find(failed); len(rec.Detail) > 520 || len(rec.Dropped) > 256 || !strings.HasSuffix(rec.Detail, "Ü…") {
		t.Errorf("%+v", rec)
	}
}

// 100 000 exchanges of the kinds that need most leave what the first have left.
func TestMemoryOfRecentIsBounded(t *testing.T) {
	const bound = 6 << 20
	before := heap()
	recent, h := remembered(refusing())
	requests := []*http.Request{failing("X-Nobody"), failing(""), plainGet()}
	var ids []string
	for i := range 100_000 {
		id := sent(h, requests[i%len(requests)].Clone(t.Context()))
		if i > 99_900 && i%len(requests) > 0 {
			ids = append(ids, id)
		}
	}
	if held := heap() - before; held > bound {
		t.Errorf("%d bytes are held, more than %d", held, bound)
	}
	for _, id := range ids {
		if _, found := recent.Find(id); !found {
			t.Errorf("%s, of the last hundred, is forgotten", id)
		}
	}
	runtime.KeepAlive(h)
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestRecentIsSafeForConcurrentUse(t *testing.T) {
	recent, h := remembered(refusing())
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			times := 0
			for range 500 {
				id := sent(h, failing(""))
				rec, found := recent.Find(id)
				if !found {
					continue // others have displaced it meanwhile
				}
				if times++; rec.ID != id || len(rec.Tries) != 8 {
					t.Errorf("%s: %+v", id, rec)
				}
			}
			if times < 250 {
				t.Errorf("found %d of 500", times)
			}
		})
	}
	all.Wait()
}

// A plain request costs no allocation more for being remembered.
func TestRememberingAllocatesNothing(t *testing.T) {
	caller := &exchange.Caller{Name: "pos"}
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		exchange.From(r.Context()).Caller = caller
		w.WriteHeader(http.StatusOK)
	})
	w, r := httptest.NewRecorder(), plainGet()
	count := func(recent *observability.Recent) float64 {
		h := observability.Observe(observability.ObserveOptions{Replica: "r1", Recent: recent})(next)
		return testing.AllocsPerRun(500, func() { h.ServeHTTP(w, r) })
	}
	if without, with := count(nil), count(observability.NewRecent()); with > without {
		t.Errorf("%.0f allocations, %.0f without", with, without)
	}
}

func BenchmarkRemember(b *testing.B) {
	_, h := remembered(func(w http.ResponseWriter, r *http.Request) {
		exchange.From(r.Context()).Caller = &exchange.Caller{Name: "pos"}
		w.WriteHeader(http.StatusOK)
	})
	w, r := httptest.NewRecorder(), plainGet()
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}
