package observability_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/observability"
)

// Callers and keys come and go for as long as the process lives: each scrape has
// those of its own time, none is short of room, and none that is gone stays.
func TestGaugesGiveTheirSeriesBack(t *testing.T) {
	const keys, generations = 500, 60 // fifteen times what there is room for
	m := newMetrics(t)
	generation := 0
	if err := m.ObserveKeys(func() []observability.KeyExpiry {
		var all []observability.KeyExpiry
		for i := range keys {
			all = append(all, observability.KeyExpiry{Caller: "storefront", KeyID: fmt.Sprintf("key-%d-%d", generation, i), Expires: time.Unix(1_900_000_000, 0)})
		}
		return all
	}); err != nil {
		t.Fatal(err)
	}
	for ; generation < generations; generation++ {
		series := seriesOf(scrape(t, m), "iqgw_caller_key_expiry_timestamp_seconds")
		if len(series) != keys {
			t.Fatalf("generation %d: %d series, want %d", generation, len(series), keys)
		}
		for name := range series {
			if !strings.Contains(name, fmt.Sprintf(`"key-%d-`, generation)) {
				t.Fatalf("generation %d: %s", generation, name)
			}
		}
	}
}

// Whatever is configured: all instruments together keep to the bound, what they
// counted stays whole, and counters do not fall when gauges make room again.
func TestAllSeriesAreBounded(t *testing.T) {
	const most = 5000 // in place of MaxSeries, which takes a configuration of its own size
	m, err := observability.NewMetricsWithin(observability.BuildInfo{}, most)
	if err != nil {
		t.Fatal(err)
	}
	e := estate{environments: 10, services: 20, callers: 10}
	if err := m.ObserveQuotas(e.quotas); err != nil {
		t.Fatal(err)
	}
	crowd := 2000
	if err := m.ObserveKeys(func() []observability.KeyExpiry {
		var all []observability.KeyExpiry
		for i := range crowd {
			all = append(all, observability.KeyExpiry{Caller: strconv.Itoa(i), KeyID: "1", Expires: time.Unix(1_900_000_000, 0)})
		}
		return all
	}); err != nil {
		t.Fatal(err)
	}
	scrape(t, m) // the gauges come first
	e.serve(t.Context(), m)
	before := scrape(t, m)
	crowd = 0
	scrape(t, m)
	scrape(t, m)
	e.serve(t.Context(), m)
	after := scrape(t, m)
	for when, text := range map[string]string{"with the keys": before, "without": after} {
		n := 0
		for series := range seriesOf(text, "") {
			if strings.HasPrefix(series, "iqgw_") || strings.HasPrefix(series, "http_") {
				n++
			}
		}
		rest := 0
		for _, i := range m.Instruments() {
			rest += i.Lines
		}
		t.Logf("%s: %d series", when, n)
		if n > most+rest || n < most/2 {
			t.Errorf("%s: %d series, want at most %d", when, n, most+rest)
		}
	}
	all := float64(e.environments * e.services * e.callers)
	for _, name := range []string{"iqgw_exchanges_total", "iqgw_quota_caller_tokens_total", "http_server_request_duration_seconds_count"} {
		if one, two := sumOf(t, before, name), sumOf(t, after, name); one != all || two != 2*all {
			t.Errorf("%s: %v, then %v; want %v each time", name, one, two-one, all)
		}
	}
	had, has := seriesOf(before, ""), seriesOf(after, "")
	for series, was := range had {
		if !strings.Contains(series, "_total{") {
			continue
		}
		one, _ := strconv.ParseFloat(was, 64)
		two, err := strconv.ParseFloat(has[series], 64)
		if err != nil || two < one {
			t.Errorf("%s fell from %s to %q", series, was, has[series])
		}
	}
}

// Many measure and many scrape while generations change.
func TestMeasuringAndScrapingWhileGenerationsChange(t *testing.T) {
	m := newMetrics(t)
	var generation atomic.Int64
	if err := m.ObserveCallers(func() []observability.CallerLoad {
		return []observability.CallerLoad{{Caller: "same", InFlight: 1}, {Caller: fmt.Sprint("caller", generation.Add(1)), InFlight: 1}}
	}); err != nil {
		t.Fatal(err)
	}
	const workers, each = 4, 500
	var crowd sync.WaitGroup
	for w := range workers {
		crowd.Go(func() {
			for i := range each {
				m.CallerRefused(t.Context(), fmt.Sprint("caller", w, "-", i), "rate")
			}
		})
		crowd.Go(func() {
			for range 10 {
				if !strings.Contains(scrape(t, m), `iqgw_caller_in_flight{caller="same"} 1`) {
					t.Error("a gauge that is told at every scrape is missing")
				}
			}
		})
	}
	crowd.Wait()
	text := scrape(t, m)
	if sum := sumOf(t, text, "iqgw_caller_limit_refused_total"); sum != workers*each {
		t.Errorf("%v counted, want %d", sum, workers*each)
	}
	if has := seriesOf(text, "iqgw_caller_in_flight"); len(has) != 2 {
		t.Errorf("series of two callers: %v", has)
	}
}
