package main

import (
	"strings"
	"testing"
	"time"

	"iqgateway/config"
	"iqgateway/observability"
)

func tracesConfig(t *testing.T, traces string) *config.Config {
	t.Helper()
	cfg, _, err := config.Load(config.LoadOptions{
		Path: "gateway.yaml", Data: []byte("version: 1\ntelemetry: {traces: {" + traces + "}}\n"), Now: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// The configuration goes before the environment, and neither alone has anything
// dialled that it does not name.
func TestWhereTracesGo(t *testing.T) {
	const ours, theirs = "http://ours:4318/v1/traces", "http://theirs:4318/v1/traces"
	const written, env = "exporter: otlp, endpoint: 'http://ours:4318'", "OTEL_EXPORTER_OTLP_ENDPOINT=http://theirs:4318"
	for name, tt := range map[string]struct {
		traces, environ string
		url, err        string
	}{
		"nothing":                        {},
		"configured":                     {written, "", ours, ""},
		"with a path":                    {"exporter: otlp, endpoint: 'http://ours:4318/v1/traces'", "", ours, ""},
		"configured before environment":  {written, env + " OTEL_TRACES_EXPORTER=none OTEL_EXPORTER_OTLP_PROTOCOL=grpc", ours, ""},
		"an endpoint without exporter":   {"endpoint: 'http://ours:4318'", "", "", ""},
		"none before environment":        {"exporter: none", env, "", ""},
		"environment":                    {"sample: 5%", env, theirs, ""},
		"environment asks":               {"", "OTEL_TRACES_EXPORTER=otlp", "http://localhost:4318/v1/traces", ""},
		"environment asks not":           {"", env + " OTEL_TRACES_EXPORTER=none", "", ""},
		"environment asks for another":   {"", env + " OTEL_TRACES_EXPORTER=console", "", ""},
		"environment disables":           {written, env + " OTEL_SDK_DISABLED=true", "", ""},
		"grpc":                           {"", env + " OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "", "port 4318"},
		"grpc for nothing":               {"exporter: none", env + " OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "", ""},
		"nonsense":                       {"", "OTEL_EXPORTER_OTLP_ENDPOINT=ftp://x", "", "no http or https URL"},
		"authorities that are not there": {written, "OTEL_EXPORTER_OTLP_CERTIFICATE=/nowhere/ca.pem", "", "/nowhere/ca.pem"},
	} {
		c, err := collectorOf(tracesConfig(t, tt.traces), observability.ReadTraceEnviron(strings.Fields(tt.environ)))
		url := ""
		if c != nil {
			url = c.URL
		}
		if url != tt.url || (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %q, %v; want %q, %q", name, url, err, tt.url, tt.err)
		}
	}
}

func TestWhichTracesAreKept(t *testing.T) {
	const sampler = "OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=0.5"
	all := observability.TracingOptions{Sample: 0.01, Errors: true, Refused: true, Slow: 2 * time.Second, Exemplars: true}
	env := all
	env.Sample, env.IgnoreParent = 0.5, true
	few := observability.TracingOptions{Sample: 0.25, Slow: time.Second, URL: "https://ui.example/{trace_id}", Exemplars: true}
	for name, tt := range map[string]struct {
		traces, environ string
		want            observability.TracingOptions
	}{
		"defaults":    {"", "", all},
		"environment": {"", sampler, env},
		"configured":  {"sample: 25%, always: [slow], slow_after: 1s, trace_url: 'https://ui.example/{trace_id}'", sampler, few},
	} {
		if got := tracingOptions(tracesConfig(t, tt.traces), observability.ReadTraceEnviron(strings.Fields(tt.environ)), nil, false); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}
