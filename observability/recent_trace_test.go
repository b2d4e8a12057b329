package observability_test

import (
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/observability"
)

// forwarding serves requests as most are that go upstream.
func forwarding() http.HandlerFunc {
	callers := map[string]*exchange.Caller{"pos": {Name: "pos"}, "web": {Name: "web"}}
	return func(w http.ResponseWriter, r *http.Request) {
		ex := exchange.From(r.Context())
		ex.Caller = callers[r.Header.Get("X-Caller")]
		ex.Waited(ex.Start, exchange.Wait{Kind: exchange.WaitToken, Result: exchange.WaitReady, Generation: 1})
		ex.Waited(ex.Start, exchange.Wait{Kind: exchange.WaitQuota, Result: "granted", Bucket: "sim/crm/authenticated"})
		ex.Tried(ex.Start, exchange.Try{Host: "crmdemo.iqmetrix.net", Status: http.StatusOK, Took: time.Millisecond, Body: &exchange.BodyEnd{}})
		ex.QuotaBucket, ex.QuotaResult = strings.Clone("sim/crm/authenticated"), exchange.QuotaGranted
		w.WriteHeader(http.StatusOK)
	}
}

func ofTrace(caller, parent string) *http.Request {
	r := plainGet()
	r.Header.Set("X-Caller", caller)
	r.Header.Set("Traceparent", parent)
	return r
}

func TestFindTrace(t *testing.T) {
	recent, h := remembered(forwarding())
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	id := exchange.TraceID{0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36}
	var ids []string
	for range 12 {
		ids = append(ids, sent(h, ofTrace("pos", parent)))
		sent(h, ofTrace("web", parent))
		sent(h, ofTrace("pos", ""))
	}
	mine := func(r *observability.Record) bool { return r.Caller != nil && r.Caller.Name == "pos" }
	for most, omitted := range map[int]int{20: 0, 12: 0, 5: 7} {
		found, over := recent.FindTrace(id, mine, most)
		var got []string
		for _, r := range found {
			got = append(got, r.ID)
		}
		if !slices.Equal(got, ids[omitted:]) || over != omitted {
			t.Errorf("most %d: %v, %d omitted", most, got, over)
		}
	}
	if found, _ := recent.FindTrace(exchange.TraceID{}, mine, 5); found != nil {
		t.Errorf("no trace is %+v", found)
	}
	if found, _ := (*observability.Recent)(nil).FindTrace(id, mine, 5); found != nil {
		t.Errorf("none finds %+v", found)
	}
}

// Of requests that went upstream a few thousand are remembered, too, within the
// memory.
func TestForwardedRequestsAreRemembered(t *testing.T) {
	before := heap()
	recent, h := remembered(forwarding())
	var ids []string
	for range 10_000 {
		ids = append(ids, strings.Clone(sent(h, ofTrace("pos", ""))))
	}
	for i, id := range ids[len(ids)-3000:] {
		if _, found := recent.Find(id); !found {
			t.Fatalf("%d requests later one is forgotten", 3000-i)
		}
	}
	if held := heap() - before; held > 6<<20 {
		t.Errorf("%d bytes are held", held)
	}
	runtime.KeepAlive(h)
}
