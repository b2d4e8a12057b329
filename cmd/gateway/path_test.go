package main

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"iqgateway/internal/iqsim"
)

// sendRaw writes bytes that no HTTP client would, and reads one answer.
func (r *rig) sendRaw(t *testing.T, text string) *http.Response {
	t.Helper()
	conn, err := tls.Dial("tcp", r.Server, &tls.Config{RootCAs: r.roots, ServerName: "127.0.0.1", NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	return exchangeOn(t, conn, text)
}

func exchangeOn(t *testing.T, conn net.Conn, text string) *http.Response {
	t.Helper()
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body = io.NopCloser(strings.NewReader(string(body)))
	return resp
}

// The ledger shows path and query byte for byte, exactly one Authorization,
// and nothing of the caller's own credentials or private fields.
func TestWhatReachesTheUpstream(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	targets := []string{
		"/v1/Companies(14146)/Customers(a0b1)?$filter=Name%20eq%20'x'",
		"/v1/Companies(14146)/Customers?%24filter=Name%20eq%20'O%27Neil'&$top=5&x&a=1&a=0",
		"/v1/Companies%2814146%29/Customers",
		"/v1/Companies(14146)/Customers?",
		"/v1/Companies(14146)/Customers?a=1?b=2;c=3&q=a+b%20c",
		"/v1/Companies(14146)/Items(SourceId=%22g%22)",
		"/v1/%c3%A9%2F%2f/a,b,c",
		"/v1/x?" + strings.Repeat("Slugs=a,b,", 800),
	}
	for _, target := range targets {
		r.ClearLedger()
		resp := r.sendRaw(t, "GET /crm"+target+" HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Api-Key: "+r.key+
			"\r\nAuthorization: Bearer "+r.key+"\r\nCookie: session=mine\r\nX-Forwarded-For: 10.0.0.1\r\nX-Original-URL: /session"+
			"\r\nTraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nX-Private: yes\r\nAccept: application/json\r\n\r\n")
		calls := r.calls("")
		if len(calls) != 1 {
			t.Errorf("%s: %d calls upstream, answer %s", target, len(calls), resp.Status)
			continue
		}
		checkUpstreamRequest(t, r, calls[0], "/crm"+target)
	}
}

func checkUpstreamRequest(t *testing.T, r *rig, e iqsim.LedgerEntry, target string) {
	t.Helper()
	if e.Target != target {
		t.Errorf("upstream saw %q, want %q", e.Target, target)
	}
	if e.Authorizations != 1 || e.TokenSerial == 0 || e.Account != rigSecrets.user {
		t.Errorf("%d Authorization fields, token %d of %q", e.Authorizations, e.TokenSerial, e.Account)
	}
	for name, values := range e.Header {
		switch name {
		case "Accept", "Via":
		default:
			t.Errorf("field %s: %q went upstream", name, values)
		}
		if strings.Contains(strings.Join(values, " "), r.key) {
			t.Errorf("field %s carries the caller's key", name)
		}
	}
}

func TestThreeWaysToCall(t *testing.T) {
	r := newRig(t, rigOptions{})
	const path = "/v1/Companies(14146)/Customers?$top=1"
	for _, target := range []string{"/crm" + path, "/customers" + path, "/sim/crm" + path} {
		r.do(t, http.MethodGet, target, "").want(t, http.StatusOK)
	}
	calls := r.calls("crm")
	if len(calls) != 3 {
		t.Fatalf("%d calls, want 3", len(calls))
	}
	for _, e := range calls {
		if e.Target != "/crm"+path {
			t.Errorf("upstream saw %q", e.Target)
		}
	}
	r.do(t, http.MethodGet, "/rc/crm"+path, "").want(t, http.StatusNotFound) // not one of the caller's environments
	r.do(t, http.MethodGet, "/nonsense"+path, "").want(t, http.StatusNotFound)
}

// Absolute-form requests (HTTP_PROXY) work on their own listener only, for
// hosts of the catalogue only.
func TestAbsoluteForm(t *testing.T) {
	r := newRig(t, rigOptions{})
	send := func(address, host string) *http.Response {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		return exchangeOn(t, conn, "GET http://"+host+"/v1/x HTTP/1.1\r\nHost: "+host+
			"\r\nProxy-Authorization: Basic "+basic("storefront", r.key)+"\r\n\r\n")
	}
	// rc is no environment of this caller; that the host is known shows that the
	// form is understood.
	if resp := send(r.ForwardProxy, "crmrc.iqmetrix.net"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("a host of an environment that the caller may not use: %s", resp.Status)
	}
	if resp := send(r.ForwardProxy, "evil.test"); resp.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("a host that is not in the catalogue: %s", resp.Status)
	}
	if n := len(r.calls("")); n != 0 {
		t.Errorf("%d calls went upstream", n)
	}
}

func TestSessionAnswerHoldsNoToken(t *testing.T) {
	r := newRig(t, rigOptions{})
	for _, target := range []string{"/dataconnect/session", "/dataconnect/SESSION/", "/dataconnect/%73ession?Response=Csv.Email&Email.To=x@example.com"} {
		a := r.do(t, http.MethodGet, target, "").want(t, http.StatusOK)
		if !strings.Contains(a.text, "RQEmployeeId") || strings.Contains(a.text, "access_token") || strings.Contains(a.text, "basic_token") {
			t.Errorf("%s: %s", target, a.text)
		}
		for _, token := range r.tokens.All() {
			if strings.Contains(a.text, token) {
				t.Errorf("%s hands out the token", target)
			}
		}
	}
	for _, e := range r.calls("dataconnect") {
		if e.Target != "/dataconnect/session" {
			t.Errorf("upstream saw %q", e.Target)
		}
	}
	if s := r.DataConnectStats(""); len(s.Outbox) != 0 {
		t.Errorf("mails were sent: %v", s.Outbox)
	}
}
