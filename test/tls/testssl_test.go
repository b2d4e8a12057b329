package tls_test

import (
	"strings"
	"testing"

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
		"cipherlist_LOW": "not offered", "cipherlist_3DES_IDEA": "not offered", "cipherlist_AVERAGE": "not offered",
		"cipherlist_STRONG": "offered",
		"secure_renego":     "supported", "secure_client_renego": "not vulnerable", "CRIME_TLS": "not vulnerable",
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
	must(t, err)
	want := expected()
	for _, f := range findings {
		id, _, _ := strings.Cut(f.ID, " ") // <cert#1> follows
		if _, ok := accepted()[id]; f.Bad() && !ok {
			t.Errorf("%s: %s: %s", f.Severity, f.ID, f.Finding)
		}
		if words, ok := want[id]; ok && !strings.HasPrefix(f.Finding, words) {
			t.Errorf("%s: %q, not %q", id, f.Finding, words)
		}
		delete(want, id)
	}
	if len(want) > 0 {
		t.Errorf("not tested: %v", want)
	}
}
