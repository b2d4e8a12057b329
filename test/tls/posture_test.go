package tls_test

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"iqgateway/test/rig"
	tlssuite "iqgateway/test/tls"
)

// suites are what TLS 1.2 has with forward secrecy and authenticated encryption,
// for a sort of key; TLS 1.3 has none without.
func suites(sort string) []string {
	return []string{
		"TLS_ECDHE_" + sort + "_WITH_AES_128_GCM_SHA256",
		"TLS_ECDHE_" + sort + "_WITH_AES_256_GCM_SHA384",
		"TLS_ECDHE_" + sort + "_WITH_CHACHA20_POLY1305_SHA256",
	}
}

func needTool(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%s is missing: make deps installs it", name)
	}
}

// SEC-40: nmap, which tries everything, is offered TLS 1.2 and 1.3 with
// authenticated encryption, and nothing else.
func TestSEC40Enumeration(t *testing.T) {
	t.Parallel()
	needTool(t, "nmap")
	for _, c := range []struct {
		sorts []string
		want  []string
	}{
		{[]string{"ecdsa"}, suites("ECDSA")},
		{[]string{"rsa"}, suites("RSA")},
		{[]string{"ecdsa", "rsa"}, append(suites("ECDSA"), suites("RSA")...)},
	} {
		t.Run(strings.Join(c.sorts, " and "), func(t *testing.T) {
			t.Parallel()
			got, err := tlssuite.Enumerate(t.Context(), newSubject(t, c.sorts...).gateway.Server)
			rig.Must(t, err)
			wantOffer(t, got, c.want)
		})
	}
}

func wantOffer(t *testing.T, got tlssuite.Offer, tls12 []string) {
	t.Helper()
	want := map[string][]string{
		"TLSv1.2": tls12,
		"TLSv1.3": {"TLS_AKE_WITH_AES_128_GCM_SHA256", "TLS_AKE_WITH_AES_256_GCM_SHA384", "TLS_AKE_WITH_CHACHA20_POLY1305_SHA256"},
	}
	for version, suites := range got.Ciphers {
		slices.Sort(suites)
		if !slices.Equal(suites, slices.Sorted(slices.Values(want[version]))) {
			t.Errorf("%s: %q, not %q", version, suites, want[version])
		}
		delete(want, version)
	}
	if len(want) > 0 {
		t.Errorf("not offered: %v", want)
	}
	for _, c := range got.Compressors {
		if c != "NULL" {
			t.Errorf("compression: %s", c)
		}
	}
	if len(got.Warnings) > 0 {
		t.Errorf("nmap warns: %q", got.Warnings)
	}
}

// What the suite looks for is found where it is.
func TestEnumerationFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	needTool(t, "nmap")
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{
		MinVersion:   tls.VersionTLS11,
		CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}, //nolint:gosec // the test is about it
	}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it would tell of each try
	server.StartTLS()
	defer server.Close()
	got, err := tlssuite.Enumerate(t.Context(), server.Listener.Addr().String())
	rig.Must(t, err)
	for _, version := range []string{"TLSv1.1", "TLSv1.2"} {
		if !slices.Contains(got.Ciphers[version], "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA") {
			t.Errorf("%s: %q", version, got.Ciphers[version])
		}
	}
}
