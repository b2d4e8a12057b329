package observability

import (
	"cmp"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Collector is where spans are sent by OTLP over HTTP, and how. Zero values stand
// for the defaults of the OpenTelemetry specification.
type Collector struct {
	URL     string            // whole: http://collector:4318/v1/traces
	Headers map[string]string // may hold secrets: they are never printed
	Timeout time.Duration     // of one request; default 10 s
	Gzip    bool

	CAFile                   string // PEM of the authorities that are believed; "" = the system's
	CertificateFile, KeyFile string // PEM with which this gateway shows who it is; "" = it does not

	Service    string            // service.name; default iqgateway
	Attributes map[string]string // further ones of the resource

	Queue         int           // spans that may wait; default 2048
	Batch         int           // spans in one request; default 512
	Delay         time.Duration // between requests while there are fewer; default 5 s
	ExportTimeout time.Duration // of a batch with all its repetitions; default 30 s
}

// Defaults of the OpenTelemetry specification.
const (
	collectorTimeout = 10 * time.Second
	exportTimeout    = 30 * time.Second
	exportDelay      = 5 * time.Second
	exportQueue      = 2048
	exportBatch      = 512
	// leastQueue has room for all spans of any trace.
	leastQueue = 64
)

// Check reports what would keep spans from being sent to c, as far as that is known
// without asking it.
func (c Collector) Check() error {
	_, _, err := c.client()
	return err
}

// client returns what requests go out by. As all that this gateway sends, they go
// through no proxy of the environment, other than those of OpenTelemetry's own
// exporters; and they follow no redirect: their headers are for the collector alone.
// read is a digest of the files that c names.
func (c Collector) client() (client *http.Client, read [sha256.Size]byte, err error) {
	if u, err := url.Parse(c.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, read, errors.New("the collector's address is no http or https URL") // which may hold a password
	}
	var texts [3][]byte
	for i, name := range [...]string{c.CAFile, c.CertificateFile, c.KeyFile} {
		if name == "" {
			continue
		}
		if texts[i], err = os.ReadFile(name); err != nil {
			return nil, read, fmt.Errorf("the collector's authorities, or the certificate for it: %w", err)
		}
		sum := sha256.Sum256(texts[i])
		read = sha256.Sum256(append(read[:], sum[:]...))
	}
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		tlsConfig.RootCAs = x509.NewCertPool()
		if !tlsConfig.RootCAs.AppendCertsFromPEM(texts[0]) {
			return nil, read, fmt.Errorf("the collector's authorities: %s holds no certificate in PEM", c.CAFile)
		}
	}
	if c.CertificateFile != "" || c.KeyFile != "" {
		pair, err := tls.X509KeyPair(texts[1], texts[2])
		if err != nil {
			return nil, read, fmt.Errorf("the certificate for the collector: %w", err)
		}
		tlsConfig.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{
		Timeout: cmp.Or(c.Timeout, collectorTimeout),
		Transport: &http.Transport{
			TLSClientConfig: tlsConfig, ForceAttemptHTTP2: true,
			MaxIdleConns: 2, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: collectorTimeout,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, read, nil
}

// exporter opens the SDK's exporter. It dials nothing before there is something to
// send. What the options here do not say it takes from OTEL_* itself; all that
// matters is said.
func (c Collector) exporter(client *http.Client) sdktrace.SpanExporter {
	compression := otlptracehttp.NoCompression
	if c.Gzip {
		compression = otlptracehttp.GzipCompression
	}
	headers := c.Headers
	if headers == nil {
		headers = map[string]string{}
	}
	return otlptracehttp.NewUnstarted(
		otlptracehttp.WithTLSClientConfig(nil), // the client has it
		otlptracehttp.WithHTTPClient(client),
		otlptracehttp.WithEndpointURL(c.URL),
		otlptracehttp.WithHeaders(headers),
		otlptracehttp.WithTimeout(cmp.Or(c.Timeout, collectorTimeout)),
		otlptracehttp.WithCompression(compression),
		otlptracehttp.WithEncoding(otlptracehttp.EncodingProtobuf),
	)
}

// processor returns the SDK's queue in front of an exporter, and how many spans it
// has room for.
func (c Collector) processor(exporter sdktrace.SpanExporter) (sdktrace.SpanProcessor, int) {
	room := max(cmp.Or(c.Queue, exportQueue), leastQueue)
	return sdktrace.NewBatchSpanProcessor(exporter,
		sdktrace.WithMaxQueueSize(room),
		sdktrace.WithMaxExportBatchSize(min(cmp.Or(c.Batch, exportBatch), room)),
		sdktrace.WithBatchTimeout(cmp.Or(c.Delay, exportDelay)),
		sdktrace.WithExportTimeout(cmp.Or(c.ExportTimeout, exportTimeout)),
	), room
}

// resource says who sends.
func (c Collector) resource(o TracesOptions) []attribute.KeyValue {
	all := make([]attribute.KeyValue, 0, len(c.Attributes)+3)
	for name, value := range c.Attributes {
		all = append(all, attribute.String(name, value))
	}
	return append(all, // the last of equal names holds
		attribute.String("service.name", cmp.Or(c.Service, "iqgateway")),
		attribute.String("service.version", o.Version),
		attribute.String("service.instance.id", o.Replica))
}

// LogValue implements [slog.LogValuer]: headers and passwords stay here.
func (c Collector) LogValue() slog.Value {
	u, err := url.Parse(c.URL)
	if err != nil {
		return slog.StringValue("?")
	}
	return slog.StringValue(u.Redacted())
}
