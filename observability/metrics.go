package observability

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"iqgateway/internal/steady"
)

// Metrics holds the instruments. A nil *Metrics measures nothing.
type Metrics struct {
	registry *prometheus.Registry
	provider *sdkmetric.MeterProvider
	meter    metric.Meter
	onPanic  steady.Panicked

	declared    []Instrument
	observables []metric.Observable // all that is read at scrapes
	room        *seriesRoom
	scrape      atomic.Int64 // counts them

	exchanges    exchangeInstruments
	attempts     attemptInstruments
	auth         authInstruments
	callers      callerInstruments
	cache        cacheInstruments
	quotas       quotaInstruments
	tokens       tokenInstruments
	breakers     breakerInstruments
	retries      retryInstruments
	load         loadInstruments
	stores       storeInstruments
	certificates certificateInstruments
	config       configInstruments
	audit        auditInstruments
	telemetry    telemetryInstruments
}

// BuildInfo names the running program in iqgw_build_info.
type BuildInfo struct {
	Version   string
	Revision  string
	GoVersion string
}

// durationBuckets are those that OpenTelemetry's HTTP conventions recommend,
// with longer ones for exports and slow order submits. Seconds.
func durationBuckets() []float64 {
	return []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 120, 600}
}

// NewMetrics returns instruments that [Metrics.Handler] exposes. Close the
// returned Metrics with [Metrics.Shutdown].
func NewMetrics(build BuildInfo) (*Metrics, error) { return newMetrics(build, MaxSeries) }

func newMetrics(build BuildInfo, series int) (*Metrics, error) {
	registry := prometheus.NewRegistry()
	exporter, err := otelprom.New(otelprom.WithRegisterer(registry), otelprom.WithoutScopeInfo(), otelprom.WithoutTargetInfo())
	if err != nil {
		return nil, fmt.Errorf("metrics exporter: %w", err)
	}
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m := &Metrics{
		registry: registry, room: newSeriesRoom(series),
		// Ours are lower: the SDK's limit counts the set for the rest, too, and should never be met.
		provider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter), sdkmetric.WithCardinalityLimit(maxSets+2)),
	}
	m.meter = m.provider.Meter("iqgateway")
	if err := m.declare(); err != nil {
		return nil, err
	}
	// The first of all, as the SDK calls them in order, one scrape after the other.
	if err := m.register("scrapes", func(metric.Observer) { m.scrape.Add(1) }); err != nil {
		return nil, err
	}
	if err := m.register("exchanges", m.observeExchanges); err != nil {
		return nil, err
	}
	return m, m.register("the build", func(o metric.Observer) {
		m.config.build.is(o, 1, build.Version, build.Revision, build.GoVersion)
	})
}

// declare makes all instruments, in the order of the reference.
func (m *Metrics) declare() error {
	for _, stage := range []struct {
		name    string
		declare func(*declarer)
	}{
		{"Requests of callers", m.exchanges.declare},
		{"Who calls", m.auth.declare},
		{"Limits of callers", m.callers.declare},
		{"Cache", m.cache.declare},
		{"Quota", m.quotas.declare},
		{"Upstream tokens", m.tokens.declare},
		{"Attempts upstream", m.attempts.declare},
		{"Repetitions", m.retries.declare},
		{"Circuit breakers", m.breakers.declare},
		{"Slots and memory", m.load.declare},
		{"Redis and the fleet", m.stores.declare},
		{"Certificates", m.certificates.declare},
		{"The process and its configuration", m.config.declare},
		{"Audit log", m.audit.declare},
		{"Traces and logs", m.telemetry.declare},
	} {
		d := &declarer{metrics: m, stage: stage.name}
		stage.declare(d)
		if err := d.err(); err != nil {
			return err
		}
	}
	return nil
}

// Instruments returns what there is to measure, by stage, whether or not anything
// has been measured yet.
func (m *Metrics) Instruments() []Instrument { return m.declared }

// maxScrapes at once: the status listener serves them to anyone.
const maxScrapes = 8

// Handler answers /metrics, with OpenMetrics when the scraper asks for it.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true, MaxRequestsInFlight: maxScrapes})
}

// Shutdown ends the collection.
func (m *Metrics) Shutdown(ctx context.Context) error { return m.provider.Shutdown(ctx) }
