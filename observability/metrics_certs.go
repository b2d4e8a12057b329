package observability

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// certificateInstruments measure the certificates that are served.
type certificateInstruments struct {
	expiry  metric.Int64ObservableGauge
	trouble metric.Int64ObservableGauge
	loads   metric.Int64Counter

	handshakes metric.Int64Counter
}

func newCertificateInstruments(meter metric.Meter) (certificateInstruments, error) {
	var c certificateInstruments
	var errs [4]error
	counter, gauge := counters(meter, "iqgw.tls."), gauges(meter, "iqgw.tls.")
	gauge(&c.expiry, &errs[0], "certificate.expiry_timestamp", "s", "When a certificate ends that is served now, in seconds since 1970, by its place in the configuration.")
	gauge(&c.trouble, &errs[2], "certificate.trouble", "", "1 while a certificate or a file of authorities that is configured is missing, expired, or cannot be renewed; 0 otherwise.")
	counter(&c.loads, &errs[1], "certificate.loads", "{load}", "Certificates and authorities that were taken over, refused, obtained from the CA or not, or that expired.")
	counter(&c.handshakes, &errs[3], "handshake_errors", "{handshake}", "TLS handshakes of callers and operators that failed: for the client's certificate, or else.")
	if err := errors.Join(errs[:]...); err != nil {
		return c, fmt.Errorf("certificate instruments: %w", err)
	}
	return c, nil
}

// CertificateLoaded records an attempt to renew a certificate. Both texts are
// bounded.
func (m *Metrics) CertificateLoaded(ctx context.Context, source, outcome string) {
	if m == nil {
		return
	}
	k := setKey{kind: 'L', service: source, errorType: outcome}
	m.certificates.loads.Add(ctx, 1, m.set(k, func(k setKey) []attribute.KeyValue {
		return []attribute.KeyValue{attribute.String("source", k.service), attribute.String("outcome", k.errorType)}
	}))
}

// Reasons of [Metrics.HandshakeFailed].
const (
	HandshakeCertificate = "client_certificate"
	HandshakeOther       = "other"
)

// HandshakeFailed counts a TLS handshake that failed, for one of the reasons.
func (m *Metrics) HandshakeFailed(ctx context.Context, reason string) {
	if m == nil {
		return
	}
	m.certificates.handshakes.Add(ctx, 1, m.set(setKey{kind: 'H', errorType: reason}, func(k setKey) []attribute.KeyValue {
		return []attribute.KeyValue{attribute.String("reason", k.errorType)}
	}))
}

// CertificateState is a certificate, or a file of authorities, at a moment.
type CertificateState struct {
	// Certificate is its place in the configuration: bounded.
	Certificate string
	// NotAfter is when it ends; zero = there is none.
	NotAfter time.Time
	// Trouble says that it is missing, expired, or cannot be renewed.
	Trouble bool
}

// ObserveCertificates has the gauges read from list, which is called at each
// scrape and must not block.
func (m *Metrics) ObserveCertificates(list func() []CertificateState) error {
	err := m.register(func(o metric.Observer) {
		for _, c := range list() {
			k := setKey{kind: 'E', service: c.Certificate}
			set := m.set(k, func(k setKey) []attribute.KeyValue {
				return []attribute.KeyValue{attribute.String("certificate", k.service)}
			})
			trouble := int64(0)
			if c.Trouble {
				trouble = 1
			}
			o.ObserveInt64(m.certificates.trouble, trouble, set)
			if !c.NotAfter.IsZero() {
				o.ObserveInt64(m.certificates.expiry, c.NotAfter.Unix(), set)
			}
		}
	}, m.certificates.expiry, m.certificates.trouble)
	if err != nil {
		return fmt.Errorf("observing certificates: %w", err)
	}
	return nil
}
