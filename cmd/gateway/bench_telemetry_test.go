package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"iqgateway/auth"
	"iqgateway/config"
	"iqgateway/observability"
)

// leastOfSilent is the throughput that all telemetry leaves of that without any.
const leastOfSilent = 0.85

// BenchmarkTelemetry answers hits and forwards misses with an access log, metrics
// and traces, 1 % of which are kept and exported, beside the same stages that
// observe and measure nothing, in turns. The ratio of throughput, and that of
// processor time, are metrics.
func BenchmarkTelemetry(b *testing.B) {
	for name, path := range map[string]string{
		"hit":  "/catalogs/v1/Companies(14146)/Catalog/Items/ByVendorSku?vendorSku=1",
		"miss": "/crm/v1/Companies(14146)/Nothing",
	} {
		b.Run(name, func(b *testing.B) {
			origin, _ := benchOrigin(b, oneKiB)
			key, digest := auth.NewKey()
			ask := func(h http.Handler) *turns {
				server := httptest.NewServer(h)
				b.Cleanup(server.Close)
				return newTurns(b, strings.TrimPrefix(server.URL, "http://"), []byte("GET "+path+" HTTP/1.1\r\nHost: gateway.example\r\nX-Api-Key: "+key+"\r\n\r\n"))
			}
			told, silent := ask(toldStages(b, origin.URL, digest)), ask(silentStages(b, origin.URL, digest))
			told.run(b, turn/10)
			silent.run(b, turn/10)
			told.took, told.used, silent.took, silent.used = 0, 0, 0, 0
			inTurns(b, told, silent)
			ratio := float64(silent.took) / float64(told.took)
			b.ReportMetric(ratio, "of-silent")
			b.ReportMetric(float64(silent.used)/float64(told.used), "of-silent-cpu")
			if b.N > 10_000 && ratio < leastOfSilent {
				b.Errorf("telemetry leaves %.3f of the throughput, want at least %.2f", ratio, leastOfSilent)
			}
		})
	}
}

// toldStages are those of a gateway with all its telemetry.
func toldStages(b *testing.B, origin, digest string) http.Handler {
	b.Helper()
	nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = nowhere.Close() })
	log, err := openLog(nowhere, config.Logs{Level: "info", Format: "json"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(log.run(os.Stderr))
	g := gatewayOf(b, telemetryConfig(b, origin, digest, "{traces: {exporter: otlp, endpoint: '"+newSpanSink(b).URL+"', sample: 1%}}"), log.Logger)
	runUntilEnd(b, g)
	return g.current.Load().server
}

// silentStages are those of a gateway that measures and observes nothing; the
// first of them only makes the exchange and its ids.
func silentStages(b *testing.B, origin, digest string) http.Handler {
	b.Helper()
	g := gatewayOf(b, telemetryConfig(b, origin, digest, "{audit: {output: none}}"), slog.New(slog.DiscardHandler))
	var metrics *observability.Metrics
	metrics, g.stores.metrics = g.stores.metrics, nil
	silent, err := newGeneration(g.cfg, g.stores, pipelineOptions{replica: g.replica, now: time.Now, handlers: silently(g.replica)})
	g.stores.metrics = metrics // its end closes them
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(silent.close)
	runUntilEnd(b, g)
	return silent.server
}

func telemetryConfig(b *testing.B, origin, digest, telemetry string) string {
	b.Helper()
	return strings.NewReplacer("SIM", origin, "DIGEST", digest, "DIR", b.TempDir(), "ACCESS", `{"*": write}`,
		"{mode: self_signed}", "{mode: none}", "lame_duck: 0s", "limits: {max_memory: 1GiB}",
		"{logs: {level: debug}}", telemetry).Replace(rigConfig) +
		"services: {crm: {quota: {assume: 100000000/60s, max: none}}}\n"
}

// silently has the first stage observe nothing.
func silently(replica string) between[http.Handler] {
	return func(stages []func(http.Handler) http.Handler) []func(http.Handler) http.Handler {
		return append([]func(http.Handler) http.Handler{observability.Observe(observability.ObserveOptions{Replica: replica})}, stages[1:]...)
	}
}
