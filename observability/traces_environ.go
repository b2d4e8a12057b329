package observability

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// TraceEnviron is what the OTEL_* variables of a process say of traces.
type TraceEnviron struct {
	Disabled bool   // OTEL_SDK_DISABLED
	Exporter string // otlp or none; "" = they name none
	// Collector has no URL where they name none, or Refused says why it cannot be
	// used.
	Collector Collector
	Refused   error
	// Sample and IgnoreParent are as in [TracingOptions]; they hold if Sampler is
	// true.
	Sampler      bool
	Sample       float64
	IgnoreParent bool
	// Warnings name variables that cannot be used, without their values: some hold
	// secrets.
	Warnings []string
}

// ReadTraceEnviron reads variables, each NAME=value, as the OpenTelemetry
// specification has them; the ones for traces alone go before those for all
// signals. An empty value is as none.
func ReadTraceEnviron(environ []string) TraceEnviron {
	r := traceEnvironReader{values: map[string]string{}}
	for _, v := range environ {
		if name, value, ok := strings.Cut(v, "="); ok && strings.HasPrefix(name, "OTEL_") {
			r.values[name] = strings.TrimSpace(value)
		}
	}
	r.Disabled = strings.EqualFold(r.values["OTEL_SDK_DISABLED"], "true")
	r.exporter()
	r.collector()
	r.resource()
	r.sampler()
	return r.TraceEnviron
}

type traceEnvironReader struct {
	TraceEnviron

	values map[string]string
}

func (r *traceEnvironReader) warn(name, way string) {
	r.Warnings = append(r.Warnings, name+" "+way)
}

// otlp returns an exporter's variable and its name.
func (r *traceEnvironReader) otlp(name string) (value, variable string) {
	for _, variable := range []string{"OTEL_EXPORTER_OTLP_TRACES_" + name, "OTEL_EXPORTER_OTLP_" + name} {
		if value := r.values[variable]; value != "" {
			return value, variable
		}
	}
	return "", ""
}

func (r *traceEnvironReader) exporter() {
	const name = "OTEL_TRACES_EXPORTER"
	switch value := r.values[name]; value {
	case "", "otlp", "none":
		r.Exporter = value
	default:
		r.warn(name, fmt.Sprintf("is %q: this gateway knows otlp and none, and exports no traces", value))
		r.Exporter = "none"
	}
}

// defaultCollector is where the specification has OTLP over HTTP go to.
const defaultCollector = "http://localhost:4318/v1/traces"

func (r *traceEnvironReader) collector() {
	c := &r.Collector
	c.URL = r.endpoint()
	if c.URL == "" && r.Exporter == "otlp" {
		c.URL = defaultCollector
	}
	if protocol, name := r.otlp("PROTOCOL"); protocol != "" && protocol != "http/protobuf" {
		r.Refused = fmt.Errorf("%s is %q: this gateway speaks http/protobuf alone, which collectors take at port 4318: set it to http/protobuf, and the endpoint to that port", name, protocol)
	}
	if headers, name := r.otlp("HEADERS"); headers != "" {
		c.Headers = r.pairs(name, headers)
	}
	if text, name := r.otlp("TIMEOUT"); text != "" {
		c.Timeout = r.milliseconds(name, text)
	}
	switch compression, name := r.otlp("COMPRESSION"); compression {
	case "", "none":
	case "gzip":
		c.Gzip = true
	default:
		r.warn(name, fmt.Sprintf("is %q: this gateway knows gzip and none", compression))
	}
	c.CAFile, _ = r.otlp("CERTIFICATE")
	c.CertificateFile, _ = r.otlp("CLIENT_CERTIFICATE")
	c.KeyFile, _ = r.otlp("CLIENT_KEY")
	r.batches()
}

// endpoint returns the whole URL of the collector. One for all signals has the path
// of traces below it.
func (r *traceEnvironReader) endpoint() string {
	text, name := r.otlp("ENDPOINT")
	if text == "" {
		return ""
	}
	if !strings.Contains(text, "://") {
		scheme := "https://"
		if insecure, _ := r.otlp("INSECURE"); strings.EqualFold(insecure, "true") {
			scheme = "http://"
		}
		text = scheme + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		r.Refused = errors.New(name + " is no http or https URL, as http://collector:4318")
		return ""
	}
	if name == "OTEL_EXPORTER_OTLP_ENDPOINT" {
		return CollectorURL(u)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return u.String()
}

// CollectorURL returns where a collector at base takes traces.
func CollectorURL(base *url.URL) string {
	if strings.HasSuffix(strings.TrimSuffix(base.Path, "/"), "/v1/traces") {
		return base.String()
	}
	return base.JoinPath("v1", "traces").String()
}

func (r *traceEnvironReader) batches() {
	for name, into := range map[string]*int{
		"OTEL_BSP_MAX_QUEUE_SIZE": &r.Collector.Queue, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": &r.Collector.Batch,
	} {
		if text := r.values[name]; text != "" {
			*into = r.positive(name, text, maxBatchSetting)
		}
	}
	for name, into := range map[string]*time.Duration{
		"OTEL_BSP_SCHEDULE_DELAY": &r.Collector.Delay, "OTEL_BSP_EXPORT_TIMEOUT": &r.Collector.ExportTimeout,
	} {
		if text := r.values[name]; text != "" {
			*into = r.milliseconds(name, text)
		}
	}
}

const (
	maxBatchSetting = 1 << 20 // spans
	maxMilliseconds = 3_600_000
)

func (r *traceEnvironReader) milliseconds(name, text string) time.Duration {
	return time.Duration(r.positive(name, text, maxMilliseconds)) * time.Millisecond
}

func (r *traceEnvironReader) positive(name, text string, most int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		r.warn(name, fmt.Sprintf("is %q: want a whole number from 1 to %d; the default holds", text, most))
		return 0
	}
	return n
}

func (r *traceEnvironReader) resource() {
	const name = "OTEL_RESOURCE_ATTRIBUTES"
	if text := r.values[name]; text != "" {
		r.Collector.Attributes = r.pairs(name, text)
		r.Collector.Service = r.Collector.Attributes["service.name"]
	}
	if service := r.values["OTEL_SERVICE_NAME"]; service != "" {
		r.Collector.Service = service
	}
}

// pairs reads a list as key=value,key=value with values that may be
// percent-encoded, as W3C Baggage has it. What cannot be read leaves out the
// whole list, as the specification asks.
func (r *traceEnvironReader) pairs(name, text string) map[string]string {
	all := map[string]string{}
	for part := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		key, value, ok := strings.Cut(part, "=")
		decoded, err := url.PathUnescape(strings.TrimSpace(value))
		if key = strings.TrimSpace(key); !ok || key == "" || err != nil {
			r.warn(name, "is no list of key=value with commas between: it is left out")
			return nil
		}
		all[key] = decoded
	}
	return all
}

func (r *traceEnvironReader) sampler() {
	const name, argument = "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"
	sampler := r.values[name]
	base, parent := strings.CutPrefix(sampler, "parentbased_")
	r.Sampler, r.IgnoreParent, r.Sample = sampler != "", !parent, 1
	switch base {
	case "":
	case "always_on":
	case "always_off":
		r.Sample = 0
	case "traceidratio":
		text := r.values[argument]
		if ratio, err := strconv.ParseFloat(text, 64); err == nil && ratio >= 0 && ratio <= 1 {
			r.Sample = ratio
		} else if text != "" {
			r.warn(argument, fmt.Sprintf("is %q: want a number from 0 to 1; all traces are kept", text))
		}
	default:
		r.warn(name, fmt.Sprintf("is %q: this gateway knows always_on, always_off and traceidratio, and each of them after parentbased_; telemetry.traces.sample holds", sampler))
		r.Sampler = false
	}
}
