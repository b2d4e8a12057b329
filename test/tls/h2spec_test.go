package tls_test

import (
	"net"
	"strconv"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
	"iqgateway/test/rig"
	tlssuite "iqgateway/test/tls"
)

// deviations are the tests of h2spec that the gateway answers otherwise, and why
// that is right or cannot be helped. All come from net/http, which has no setting
// for them.
func deviations() map[string]string {
	return map[string]string{
		"http2/6.5.3/1":   "a SETTINGS frame that names a setting twice ends the connection (PROTOCOL_ERROR), in place of its last value being used",
		"http2/8.1.2.2/1": "a malformed request gets an answer, 400, as RFC 9113 section 8.1.1 allows, before its stream is closed",
		"http2/8.1.2.2/2": "as http2/8.1.2.2/1",
	}
}

// h2specTests is how many tests h2spec has, those of its strict mode among them.
const h2specTests = 146

// The gateway speaks HTTP/2 as the RFCs want it, but for the deviations.
func TestHTTP2Conformance(t *testing.T) {
	t.Parallel()
	s := newSubject(t, "ecdsa")
	ip, port, err := net.SplitHostPort(s.gateway.Server)
	rig.Must(t, err)
	number, err := strconv.Atoi(port)
	rig.Must(t, err)
	caller, err := s.ca.ECDSA("caller.test")
	rig.Must(t, err)
	suite := tlssuite.H2Spec{
		Host: ip, Port: number, Path: customers, CA: s.file("ca.crt"), Wait: 2 * time.Second,
		CertFile: s.file("caller.crt"), KeyFile: s.file("caller.key"), // its requests carry no key
	}
	rig.Must(t, caller.Write(suite.CertFile, suite.KeyFile))
	cases, err := suite.Run(t.Context())
	rig.Must(t, err)
	if len(cases) != h2specTests {
		t.Errorf("%d tests, not %d", len(cases), h2specTests)
	}
	if len(s.sim.Ledger(iqsim.LedgerQuery{})) == 0 {
		t.Error("no request of the suite was answered by the upstream")
	}
	known := deviations()
	for _, c := range cases {
		switch reason, deviates := known[c.ID]; {
		case c.Skipped:
			t.Errorf("%s was skipped: %s", c.ID, c.Title)
		case c.Error != "" && !deviates:
			t.Errorf("%s: %s\n%s\n%s", c.ID, c.Title, c.Requirement, c.Error)
		case c.Error == "" && deviates:
			t.Errorf("%s passes now, in spite of: %s", c.ID, reason)
		}
	}
}
