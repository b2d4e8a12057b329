package main

import (
	"fmt"
	"log/slog"
	"slices"

	"go.opentelemetry.io/otel"

	"iqgateway/config"
	"iqgateway/internal/exchange"
	"iqgateway/observability"
)

const exporterNone = "none"

// openTraces prepares for traces; nothing is exported before a generation is in
// use that says where to.
func (s *stores) openTraces(environ []string, replica string) {
	s.otel = observability.ReadTraceEnviron(environ)
	s.traces = observability.NewTraces(observability.TracesOptions{Version: version, Replica: replica, Logger: s.log, Metrics: s.metrics, Recent: s.recent})
	for _, w := range s.otel.Warnings {
		s.event(slog.LevelWarn, "environment", slog.String("warning", w))
	}
}

// quietTelemetry keeps the OpenTelemetry libraries from writing to standard error
// by themselves: they have one logger for a process, and no other place to set it.
// They read OTEL_* too and show values that they cannot parse, headers with
// secrets among them; [observability.ReadTraceEnviron] warns of these without.
func quietTelemetry(log *slog.Logger) {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.Warn("telemetry", slog.String("error", err.Error()))
	}))
	discardLogs(otel.SetLogger)
}

// discardLogs sets the zero Logger, which writes nothing.
func discardLogs[Logger any](set func(Logger)) {
	var none Logger
	set(none)
}

// useTraces has spans sent to where g says.
func (s *stores) useTraces(g *generation) error {
	if err := s.traces.Use(g.collector); err != nil {
		return fmt.Errorf("telemetry.traces: %w", err)
	}
	s.traces.Follow(g.tracing)
	s.tracing.Store(g.tracing)
	return nil
}

// traceURL is where people see a trace, as the newest generation says.
func (s *stores) traceURL(id exchange.TraceID) string { return s.tracing.Load().URL(id) }

// openTracing decides what is traced and where traces go: what the configuration
// leaves open the OTEL_* variables say.
func (g *generation) openTracing(st *stores) error {
	collector, err := collectorOf(g.cfg, st.otel)
	if err != nil {
		return fmt.Errorf("telemetry.traces: %w", err)
	}
	g.collector = collector
	g.tracing = observability.NewTracing(tracingOptions(g.cfg, st.otel, st.traces, collector != nil))
	return nil
}

// collectorOf returns where traces go, nil = nowhere.
func collectorOf(cfg *config.Config, env observability.TraceEnviron) (*observability.Collector, error) {
	t, c := cfg.Telemetry.Traces, env.Collector
	switch written := cfg.Written("telemetry.traces.exporter"); {
	case env.Disabled:
		return nil, nil
	case written && t.Exporter == exporterNone, !written && env.Exporter == exporterNone:
		return nil, nil
	case written: // its protocol is ours
		c.URL = observability.CollectorURL(t.Endpoint)
	case env.Refused != nil:
		return nil, env.Refused
	case c.URL == "":
		return nil, nil
	}
	if err := c.Check(); err != nil {
		return nil, err
	}
	return &c, nil
}

func tracingOptions(cfg *config.Config, env observability.TraceEnviron, traces *observability.Traces, export bool) observability.TracingOptions {
	t := cfg.Telemetry.Traces
	o := observability.TracingOptions{
		Traces: traces, Export: export, Sample: float64(t.Sample),
		Errors: slices.Contains(t.Always, "error"), Refused: slices.Contains(t.Always, "refused"),
		URL: t.TraceURL, Exemplars: cfg.Telemetry.Metrics.Exemplars,
	}
	if slices.Contains(t.Always, "slow") {
		o.Slow = t.SlowAfter
	}
	if env.Sampler && !cfg.Written("telemetry.traces.sample") {
		o.Sample, o.IgnoreParent = env.Sample, env.IgnoreParent
	}
	return o
}
