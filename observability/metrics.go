package observability

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"iqgateway/internal/steady"
)

// Metrics holds the instruments. A nil *Metrics measures nothing.
type Metrics struct {
	registry *prometheus.Registry
	provider *sdkmetric.MeterProvider

	server metric.Float64Histogram
	client metric.Float64Histogram
	panics metric.Int64Counter

	exchanges    exchangeInstruments
	tokens       tokenInstruments
	stores       storeInstruments
	audit        auditInstruments
	quotas       quotaInstruments
	cache        cacheInstruments
	load         loadInstruments
	callers      callerInstruments
	certificates certificateInstruments
	resilience   resilienceInstruments
	meter        metric.Meter // for what is observed at each scrape
	onPanic      steady.Panicked

	// Attribute sets are made once per combination: their values come from the
	// configuration, so there are few.
	sets sync.Map // of setKey, serverKey, quotaKey, cacheKey or resilienceKey to options
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
func NewMetrics(build BuildInfo) (*Metrics, error) {
	registry := prometheus.NewRegistry()
	exporter, err := otelprom.New(otelprom.WithRegisterer(registry), otelprom.WithoutScopeInfo(), otelprom.WithoutTargetInfo())
	if err != nil {
		return nil, fmt.Errorf("metrics exporter: %w", err)
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "iqgw_build_info",
		Help:        "Constant 1, labelled with what runs.",
		ConstLabels: prometheus.Labels{"version": build.Version, "revision": build.Revision, "goversion": build.GoVersion},
	})
	info.Set(1)
	registry.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	m := &Metrics{registry: registry, provider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter))}
	m.meter = m.provider.Meter("iqgateway")
	if err := m.instruments(m.meter); err != nil {
		return nil, err
	}
	if err := m.exchanges.open(m.meter); err != nil {
		return nil, err
	}
	if m.tokens, err = newTokenInstruments(m.meter); err != nil {
		return nil, err
	}
	if m.stores, err = newStoreInstruments(m.meter); err != nil {
		return nil, err
	}
	if m.audit, err = newAuditInstruments(m.meter); err != nil {
		return nil, err
	}
	if m.quotas, err = newQuotaInstruments(m.meter); err != nil {
		return nil, err
	}
	if m.load, err = newLoadInstruments(m.meter); err != nil {
		return nil, err
	}
	if m.callers, err = newCallerInstruments(m.meter); err != nil {
		return nil, err
	}
	if m.certificates, err = newCertificateInstruments(m.meter); err != nil {
		return nil, err
	}
	if m.resilience, err = newResilienceInstruments(m.meter); err != nil {
		return nil, err
	}
	m.cache, err = newCacheInstruments(m.meter)
	return m, err
}

func (m *Metrics) instruments(meter metric.Meter) error {
	var errs [3]error
	seconds, buckets := metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(durationBuckets()...)
	m.server, errs[0] = meter.Float64Histogram("http.server.request.duration", seconds, buckets,
		metric.WithDescription("Duration of caller requests, from the first byte read to the last byte written."))
	m.client, errs[1] = meter.Float64Histogram("http.client.request.duration", seconds, buckets,
		metric.WithDescription("Duration of upstream attempts until the end of the response body."))
	m.panics, errs[2] = meter.Int64Counter("iqgw.panics", metric.WithUnit("{panic}"),
		metric.WithDescription("Panics that were recovered: each cost one request, or one piece of work in the background."))
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("metrics instrument: %w", err)
		}
	}
	return nil
}

// Handler answers /metrics, with OpenMetrics when the scraper asks for it.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// Shutdown ends the collection.
func (m *Metrics) Shutdown(ctx context.Context) error { return m.provider.Shutdown(ctx) }

// setKey is one combination of label values, of the instrument kind.
type setKey struct {
	kind                             byte
	method, errorType                string
	status                           int
	environment, service, credential string
	server                           string
	port                             int
}

func (m *Metrics) set(k setKey, build func(setKey) []attribute.KeyValue) metric.MeasurementOption {
	return setOf(m, k, build)
}

func withError(errorType string, attrs []attribute.KeyValue) []attribute.KeyValue {
	if errorType != "" {
		attrs = append(attrs, attribute.String("error.type", errorType))
	}
	return attrs
}

// Attempt is one request sent upstream, as it ended.
type Attempt struct {
	Method      string
	Environment string
	Service     string
	Credential  string
	Host        string // of the configured upstream, without port
	Port        int
	Status      int    // 0 when there was no answer
	ErrorType   string // bounded; "" = none
	Duration    time.Duration
}

// Attempted records the end of an attempt.
func (m *Metrics) Attempted(ctx context.Context, a Attempt) {
	if m == nil {
		return
	}
	k := setKey{
		kind: 'c', method: knownMethod(a.Method), status: a.Status, errorType: a.ErrorType,
		environment: a.Environment, service: a.Service, credential: a.Credential, server: a.Host, port: a.Port,
	}
	m.client.Record(ctx, a.Duration.Seconds(), m.set(k, clientAttributes))
}

func clientAttributes(k setKey) []attribute.KeyValue {
	attrs := []attribute.KeyValue{
		attribute.String("http.request.method", k.method),
		attribute.String("server.address", k.server),
		attribute.Int("server.port", k.port),
		attribute.String("environment", k.environment),
		attribute.String("service", k.service),
		attribute.String("credential", k.credential),
	}
	if k.status != 0 {
		attrs = append(attrs, attribute.Int("http.response.status_code", k.status))
	}
	return withError(k.errorType, attrs)
}
