package main

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"iqgateway/observability"
)

// A login by certificate that fails in the handshake is a refusal like any other;
// what is no TLS is only counted.
func TestSEC62AuditOfHandshakes(t *testing.T) {
	t.Parallel()
	ca, other := newClientCA(t), newClientCA(t)
	r := meshRig(t, ca)
	stranger := r.with(t, other.issue(t, meshID, nil), false)
	if a, err := stranger.try(t.Context(), http.MethodGet, customers, "", withoutKey); err == nil {
		t.Errorf("another authority: %s", a.Status)
	}
	refused := r.awaitAudit(t, "a refused certificate", func(a observability.AuditRecord) bool { return a.Event == observability.AuditHandshake })
	if refused.Result != observability.AuditRefused || refused.Reason != "certificate" || refused.Details["listener"] != "server" || !strings.HasPrefix(refused.Peer, "127.0.0.1:") {
		t.Errorf("%+v", refused)
	}
	c, err := net.Dial("tcp", r.Server)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, c) // until the gateway gives up
	await(t, "both are counted", func() bool {
		text := r.get(t, "http://"+r.Admin+"/metrics").text
		return strings.Contains(text, `iqgw_tls_handshake_errors_total{reason="client_certificate"} `) && strings.Contains(text, `iqgw_tls_handshake_errors_total{reason="other"} `)
	})
	if n := strings.Count(r.logs.String(), `"event":"handshake"`); n != 1 {
		t.Errorf("%d records", n)
	}
}
