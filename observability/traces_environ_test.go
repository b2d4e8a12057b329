package observability_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"iqgateway/observability"
)

const localCollector = "http://localhost:4318/v1/traces"

func TestTraceEnviron(t *testing.T) {
	type environ = observability.TraceEnviron
	at := func(url string) environ { return environ{Collector: observability.Collector{URL: url}} }
	for text, want := range map[string]environ{
		"":                              {},
		"OTEL_SDK_DISABLED=TRUE":        {Disabled: true},
		"OTEL_TRACES_EXPORTER=none":     {Exporter: "none"},
		"OTEL_TRACES_EXPORTER=otlp":     {Exporter: "otlp", Collector: observability.Collector{URL: localCollector}},
		"OTEL_EXPORTER_OTLP_ENDPOINT= ": {},
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318":                                              at("http://c:4318/v1/traces"),
		"OTEL_EXPORTER_OTLP_ENDPOINT=https://c/otlp":                                             at("https://c/otlp/v1/traces"),
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=https://c/mine OTEL_EXPORTER_OTLP_ENDPOINT=http://d": at("https://c/mine"),
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=https://c":                                           at("https://c/"),
		"OTEL_EXPORTER_OTLP_ENDPOINT=c:4318":                                                     at("https://c:4318/v1/traces"),
		"OTEL_EXPORTER_OTLP_ENDPOINT=c:4318 OTEL_EXPORTER_OTLP_INSECURE=true":                    at("http://c:4318/v1/traces"),
		"OTEL_EXPORTER_OTLP_HEADERS=api-key=a%20b,x=1 OTEL_EXPORTER_OTLP_TIMEOUT=1500 OTEL_EXPORTER_OTLP_COMPRESSION=gzip OTEL_EXPORTER_OTLP_CERTIFICATE=/ca.pem": {
			Collector: observability.Collector{Headers: map[string]string{"api-key": "a b", "x": "1"}, Timeout: 1500 * time.Millisecond, Gzip: true, CAFile: "/ca.pem"},
		},
		"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=/c.pem OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY=/k.pem": {
			Collector: observability.Collector{CertificateFile: "/c.pem", KeyFile: "/k.pem"},
		},
		"OTEL_SERVICE_NAME=mine OTEL_RESOURCE_ATTRIBUTES=service.name=theirs,deployment.environment.name=a%2Cb": {
			Collector: observability.Collector{Service: "mine", Attributes: map[string]string{"service.name": "theirs", "deployment.environment.name": "a,b"}},
		},
		"OTEL_RESOURCE_ATTRIBUTES=service.name=theirs": {
			Collector: observability.Collector{Service: "theirs", Attributes: map[string]string{"service.name": "theirs"}},
		},
		"OTEL_BSP_MAX_QUEUE_SIZE=100 OTEL_BSP_MAX_EXPORT_BATCH_SIZE=10 OTEL_BSP_SCHEDULE_DELAY=200 OTEL_BSP_EXPORT_TIMEOUT=300": {
			Collector: observability.Collector{Queue: 100, Batch: 10, Delay: 200 * time.Millisecond, ExportTimeout: 300 * time.Millisecond},
		},
		"OTEL_TRACES_SAMPLER=always_on":                                              {Sampler: true, Sample: 1, IgnoreParent: true},
		"OTEL_TRACES_SAMPLER=always_off":                                             {Sampler: true, IgnoreParent: true},
		"OTEL_TRACES_SAMPLER=parentbased_always_on":                                  {Sampler: true, Sample: 1},
		"OTEL_TRACES_SAMPLER=parentbased_always_off":                                 {Sampler: true},
		"OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=0.25":              {Sampler: true, Sample: 0.25, IgnoreParent: true},
		"OTEL_TRACES_SAMPLER=parentbased_traceidratio":                               {Sampler: true, Sample: 1},
		"OTEL_TRACES_SAMPLER=parentbased_traceidratio OTEL_TRACES_SAMPLER_ARG=0.001": {Sampler: true, Sample: 0.001},
	} {
		got := observability.ReadTraceEnviron(append(strings.Fields(text), "PATH=/bin", "NONSENSE"))
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), sampleIfAny()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

// sampleIfAny leaves out what the sampler would be where none is named.
func sampleIfAny() cmp.Option {
	return cmp.Transformer("named", func(e observability.TraceEnviron) observability.TraceEnviron {
		if !e.Sampler {
			e.Sample, e.IgnoreParent = 0, false
		}
		return e
	})
}

// What cannot be used is told of with its name, and a value only where that holds no
// secret.
func TestTraceEnvironThatCannotBeUsed(t *testing.T) {
	for text, want := range map[string]string{
		"OTEL_TRACES_EXPORTER=zipkin":                                           "OTEL_TRACES_EXPORTER is \"zipkin\": this gateway knows otlp and none",
		"OTEL_EXPORTER_OTLP_HEADERS=CANARY":                                     "OTEL_EXPORTER_OTLP_HEADERS is no list",
		"OTEL_EXPORTER_OTLP_HEADERS=api-key=%zzCANARY":                          "OTEL_EXPORTER_OTLP_HEADERS is no list",
		"OTEL_EXPORTER_OTLP_TRACES_HEADERS==CANARY":                             "OTEL_EXPORTER_OTLP_TRACES_HEADERS is no list",
		"OTEL_EXPORTER_OTLP_TIMEOUT=10s":                                        "OTEL_EXPORTER_OTLP_TIMEOUT is \"10s\"",
		"OTEL_EXPORTER_OTLP_COMPRESSION=zstd":                                   "knows gzip and none",
		"OTEL_BSP_MAX_QUEUE_SIZE=-1":                                            "OTEL_BSP_MAX_QUEUE_SIZE is \"-1\"",
		"OTEL_TRACES_SAMPLER=xray":                                              "OTEL_TRACES_SAMPLER is \"xray\"",
		"OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=2":            "OTEL_TRACES_SAMPLER_ARG is \"2\"",
		"OTEL_EXPORTER_OTLP_ENDPOINT=ftp://user:CANARY@c":                       "OTEL_EXPORTER_OTLP_ENDPOINT is no http or https URL",
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://c OTEL_EXPORTER_OTLP_PROTOCOL=grpc": "http/protobuf alone, which collectors take at port 4318",
	} {
		e := observability.ReadTraceEnviron(strings.Fields(text))
		all := strings.Join(e.Warnings, "\n")
		if e.Refused != nil {
			all += e.Refused.Error()
		}
		if !strings.Contains(all, want) || strings.Contains(all, "CANARY") {
			t.Errorf("%s: %q, want %q", text, all, want)
		}
	}
}
