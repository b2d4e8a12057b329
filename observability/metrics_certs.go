package observability

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// certificateInstruments measure the certificates that are served.
type certificateInstruments struct {
	expiry, trouble   observed
	loads, handshakes counter
}

func (c *certificateInstruments) declare(d *declarer) {
	c.expiry = d.gauge("iqgw.tls.certificate.expiry_timestamp", "s",
		"When a certificate ends that is served now, in seconds since 1970, by its place in the configuration. Renewal begins with a third of its life left: less than that is trouble.",
		"certificate")
	c.trouble = d.gauge("iqgw.tls.certificate.trouble", "",
		"1 while a certificate or a file of authorities that is configured is missing, expired, or cannot be renewed; 0 otherwise. The log says which and why.",
		"certificate")
	c.loads = d.counter("iqgw.tls.certificate.loads", "{load}",
		"Certificates and authorities that were taken over, refused, obtained from the CA or not, or that expired.",
		"source", "outcome")
	c.handshakes = d.counter("iqgw.tls.handshake_errors", "{handshake}",
		"TLS handshakes of callers and operators that failed: for the client's certificate, or else. A burst of client_certificate after a change: callers hold one that is not accepted any more.",
		"reason")
}

// CertificateLoaded records an attempt to renew a certificate. Both texts are
// bounded.
func (m *Metrics) CertificateLoaded(ctx context.Context, source, outcome string) {
	if m != nil {
		m.certificates.loads.add(ctx, 1, source, outcome)
	}
}

// Reasons of [Metrics.HandshakeFailed].
const (
	HandshakeCertificate = "client_certificate"
	HandshakeOther       = "other"
)

// HandshakeFailed counts a TLS handshake that failed, for one of the reasons.
func (m *Metrics) HandshakeFailed(ctx context.Context, reason string) {
	if m != nil {
		m.certificates.handshakes.add(ctx, 1, reason)
	}
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
	return m.register("certificates", func(o metric.Observer) {
		for _, c := range list() {
			m.certificates.trouble.is(o, oneIf(c.Trouble), c.Certificate)
			m.certificates.expiry.at(o, c.NotAfter, c.Certificate)
		}
	})
}
