package tls_test

import (
	"fmt"
	"strings"
	"testing"

	"iqgateway/test/rig"
	tlssuite "iqgateway/test/tls"
)

// accepted are findings of testssl.sh that it would have mended, and why they
// stay.
func accepted() map[string]string {
	return map[string]string{
		"engine_problem":           "about the openssl of this machine",
		"TLS_session_ticket":       "crypto/tls always names a week as the lifetime; the keys that open tickets change within it",
		"cert_revocation":          "a CA of one's own need not publish revocations",
		"cert_expirationStatus":    "the test's certificate is young and ends soon",
		"cert_notAfter":            "as cert_expirationStatus",
		"QUIC":                     "newer versions warn where their openssl cannot try it; there is no UDP port",
		"HSTS":                     "for browsers; there is no plain HTTP port to come from",
		"HTTP_status_code":         "401: testssl.sh has no key",
		"sessionresumption_ticket": "on a busy machine the scan misses it; tickets have tests of their own",
	}
}

// expected are findings that must be there, in these words: a scan that tried
// nothing would find nothing bad.
func expected() map[string]string {
	return map[string]string{
		"SSLv2": "not offered", "SSLv3": "not offered", "TLS1": "not offered", "TLS1_1": "not offered",
		"TLS1_2": "offered", "TLS1_3": "offered with final", "ALPN_HTTP2": "h2", "ALPN": "http/1.1",
		"cipherlist_NULL": "not offered", "cipherlist_aNULL": "not offered", "cipherlist_EXPORT": "not offered",
		"cipherlist_LOW": "not offered", "cipherlist_3DES_IDEA": "not offered", "cipherlist_OBSOLETED": "not offered",
		"cipherlist_STRONG_FS": "offered",
		"secure_renego":        "supported", "secure_client_renego": "not vulnerable", "CRIME_TLS": "not vulnerable",
		"BREACH": "not vulnerable", "heartbleed": "not vulnerable", "CCS": "not vulnerable", "ticketbleed": "not vulnerable",
		"ROBOT": "not vulnerable", "POODLE_SSL": "not vulnerable", "fallback_SCSV": "no protocol below TLS 1.2 offered",
		"SWEET32": "not vulnerable", "FREAK": "not vulnerable", "DROWN": "not vulnerable", "LOGJAM": "not vulnerable",
		"BEAST": "not vulnerable", "LUCKY13": "not vulnerable", "RC4": "not vulnerable",
	}
}

// SEC-40: testssl.sh finds nothing wrong: the protocols, the suites and the known
// attacks, in the long form all it has.
func TestSEC40TestSSL(t *testing.T) {
	t.Parallel()
	needTool(t, "testssl")
	s := newSubject(t, "ecdsa", "rsa")
	scan := tlssuite.Scan{Address: s.gateway.Server, Name: host, Path: customers, CA: s.file("ca.crt"), Checks: []string{"-p", "-s", "-U"}}
	if *long {
		scan.Checks = nil
	}
	findings, err := scan.Run(t.Context(), t.TempDir())
	rig.Must(t, err)
	for _, problem := range problems(findings) {
		t.Error(problem)
	}
}

// current is what testssl.sh calls since 3.1 what 3.0 has called otherwise.
func current(id string) string {
	id, _, _ = strings.Cut(id, " ") // <cert#1> follows
	switch id {
	case "cipherlist_AVERAGE":
		return "cipherlist_OBSOLETED"
	case "cipherlist_STRONG":
		return "cipherlist_STRONG_FS"
	}
	return id
}

// problems are what a scan has found, and what it should have found.
func problems(findings []tlssuite.Finding) (all []string) {
	want := expected()
	for _, f := range findings {
		id := current(f.ID)
		if _, ok := accepted()[id]; f.Bad() && !ok {
			all = append(all, fmt.Sprintf("%s: %s: %s", f.Severity, f.ID, f.Finding))
		}
		if words, ok := want[id]; ok && !strings.HasPrefix(f.Finding, words) {
			all = append(all, fmt.Sprintf("%s: %q, not %q", f.ID, f.Finding, words))
		}
		delete(want, id)
	}
	for id := range want {
		all = append(all, id+" was not tested")
	}
	return all
}

// The reports of testssl.sh 3.0 and of those that came later are read alike.
func TestTestSSLVersions(t *testing.T) {
	t.Parallel()
	report := func(rename map[string]string, more ...tlssuite.Finding) []tlssuite.Finding {
		for id, words := range expected() {
			if other, ok := rename[id]; ok {
				id = other
			}
			more = append(more, tlssuite.Finding{ID: id, Severity: "OK", Finding: words})
		}
		return more
	}
	old := map[string]string{"cipherlist_OBSOLETED": "cipherlist_AVERAGE", "cipherlist_STRONG_FS": "cipherlist_STRONG"}
	for name, tt := range map[string]struct {
		findings []tlssuite.Finding
		want     string
	}{
		"3.0": {report(old), ""},
		"3.2": {report(nil, tlssuite.Finding{ID: "cipherlist_STRONG_NOFS", Severity: "INFO", Finding: "not offered"},
			tlssuite.Finding{ID: "QUIC", Severity: "WARN", Finding: "not tested due to lack of local OpenSSL support"}), ""},
		"CBC in 3.0":    {report(old, tlssuite.Finding{ID: "cipherlist_AVERAGE", Severity: "LOW", Finding: "offered"}), "cipherlist_AVERAGE"},
		"CBC in 3.2":    {report(nil, tlssuite.Finding{ID: "cipherlist_OBSOLETED", Severity: "LOW", Finding: "offered"}), "cipherlist_OBSOLETED"},
		"a certificate": {report(nil, tlssuite.Finding{ID: "cert_chain_of_trust <cert#1>", Severity: "CRITICAL", Finding: "failed"}), "cert_chain_of_trust"},
		"nothing":       {nil, "was not tested"},
	} {
		got := strings.Join(problems(tt.findings), "\n")
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
