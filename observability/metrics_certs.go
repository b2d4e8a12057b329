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
	expiry metric.Int64ObservableGauge
	loads  metric.Int64Counter
}

func newCertificateInstruments(meter metric.Meter) (certificateInstruments, error) {
	var c certificateInstruments
	var errs [2]error
	counter, gauge := counters(meter, "iqgw.tls."), gauges(meter, "iqgw.tls.")
	gauge(&c.expiry, &errs[0], "certificate.expiry_timestamp", "s", "When a certificate ends that is served now, in seconds since 1970, by its place in the configuration.")
	counter(&c.loads, &errs[1], "certificate.loads", "{load}", "Certificates and authorities of clients that were taken over, refused, obtained from the CA or not.")
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

// CertificateState is a certificate that is served at a moment.
type CertificateState struct {
	// Certificate is its place in the configuration: bounded.
	Certificate string
	NotAfter    time.Time
}

// ObserveCertificates has the gauge read from list, which is called at each
// scrape and must not block.
func (m *Metrics) ObserveCertificates(list func() []CertificateState) error {
	err := m.register(func(o metric.Observer) {
		for _, c := range list() {
			k := setKey{kind: 'E', service: c.Certificate}
			o.ObserveInt64(m.certificates.expiry, c.NotAfter.Unix(), m.set(k, func(k setKey) []attribute.KeyValue {
				return []attribute.KeyValue{attribute.String("certificate", k.service)}
			}))
		}
	}, m.certificates.expiry)
	if err != nil {
		return fmt.Errorf("observing certificates: %w", err)
	}
	return nil
}
