package observability_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"iqgateway/observability"
)

func TestCertificateMetrics(t *testing.T) {
	m, err := observability.NewMetrics(observability.BuildInfo{})
	if err != nil {
		t.Fatal(err)
	}
	end := time.Unix(1_900_000_000, 0)
	states := func() []observability.CertificateState {
		return []observability.CertificateState{{Certificate: "gw.test", NotAfter: end}, {Certificate: "none.test", Trouble: true}}
	}
	if err := m.ObserveCertificates(states); err != nil {
		t.Fatal(err)
	}
	m.CertificateLoaded(t.Context(), "acme", "failed")
	m.CertificateLoaded(t.Context(), "acme", "failed")
	m.HandshakeFailed(t.Context(), observability.HandshakeCertificate)
	(*observability.Metrics)(nil).HandshakeFailed(t.Context(), observability.HandshakeOther)
	(*observability.Metrics)(nil).CertificateLoaded(t.Context(), "acme", "failed")
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	for _, want := range []string{
		`iqgw_tls_certificate_expiry_timestamp_seconds{certificate="gw.test"} 1.9e+09`,
		`iqgw_tls_certificate_trouble{certificate="gw.test"} 0`,
		`iqgw_tls_certificate_trouble{certificate="none.test"} 1`,
		`iqgw_tls_handshake_errors_total{reason="client_certificate"} 1`,
		`iqgw_tls_certificate_loads_total{outcome="failed",source="acme"} 2`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(w.Body.String(), `timestamp_seconds{certificate="none.test"}`) {
		t.Error("a certificate that there is none of has an end")
	}
}
