package certs_test

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"iqgateway/certs"
)

// serve has an endpoint serve as the gateway's listener does, on a copy of its
// settings.
func serve(t testing.TB, e *certs.Endpoint) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	server.TLS = e.Config().Clone()
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// call makes one request over a connection of its own.
func call(t testing.TB, address string, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: client, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	answer.Body.Close()
	return *answer.TLS, nil
}

// resumes reports whether a second connection resumes what the first began,
// perhaps elsewhere.
func resumes(t testing.TB, client *tls.Config, first, second string) bool {
	t.Helper()
	client = client.Clone()
	client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	client.ServerName = "gw.test" // the key of the cache, whatever the address
	if _, err := call(t, first, client); err != nil {
		t.Fatal(err)
	}
	state, err := call(t, second, client)
	if err != nil {
		t.Fatal(err)
	}
	return state.DidResume
}

func TestTicketsOfAnEndpoint(t *testing.T) {
	l := local(t, certs.LocalOptions{Names: []string{"gw.test"}})
	newEndpoint := func(none bool) (*certs.Endpoint, string) {
		e := certs.NewEndpoint(certs.EndpointOptions{Get: l.Certificate, NoTickets: none})
		return e, serve(t, e)
	}
	one, oneAt := newEndpoint(false)
	two, twoAt := newEndpoint(false)
	_, noneAt := newEndpoint(true)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		client := &tls.Config{RootCAs: trust(t, l), MinVersion: version, MaxVersion: version}
		check := func(what, first, second string, want bool) {
			t.Helper()
			if got := resumes(t, client, first, second); got != want {
				t.Errorf("%s, %s: resumed %t", tls.VersionName(version), what, got)
			}
		}
		a, b, c := [32]byte{byte(version), 1}, [32]byte{byte(version), 2}, [32]byte{byte(version), 3}
		check("without tickets", noneAt, noneAt, false)
		one.UseTickets([][32]byte{a})
		two.UseTickets([][32]byte{b})
		check("keys of its own", oneAt, oneAt, true)
		check("keys of another", oneAt, twoAt, false)
		two.UseTickets([][32]byte{b, a})
		check("a key that still opens", oneAt, twoAt, true)
		check("a key that is not known yet", twoAt, oneAt, false)
		one.UseTickets([][32]byte{c, b, a})
		check("the next key", twoAt, oneAt, true)
	}
}

// A client certificate counts as long as its authority does: not in resumed
// sessions either.
func TestEndpointFollowsAuthoritiesOfClients(t *testing.T) {
	l := local(t, certs.LocalOptions{Names: []string{"gw.test"}})
	mine, other := newClientCA(t), newClientCA(t)
	file := filepath.Join(t.TempDir(), "clients.crt")
	write(t, file, mine.pem)
	var e *certs.Endpoint
	roots := newRoots(t, certs.RootsOptions{File: file, Changed: func() { e.Refresh() }})
	e = certs.NewEndpoint(certs.EndpointOptions{Get: l.Certificate, Roots: roots})
	address := serve(t, e)
	client := &tls.Config{RootCAs: trust(t, l), ServerName: "gw.test", ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	if _, err := call(t, address, client); err != nil {
		t.Errorf("without a certificate: %v", err)
	}
	presented := mine.client(t)
	// Whether the server asks for it or not.
	client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &presented, nil }
	client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	for range 2 {
		if _, err := call(t, address, client); err != nil {
			t.Errorf("with a certificate: %v", err)
		}
	}
	write(t, file, other.pem)
	roots.Look()
	if state, err := call(t, address, client); err == nil && state.DidResume {
		t.Error("a session of an authority that is gone was resumed")
	}
	client.ClientSessionCache = nil
	if _, err := call(t, address, client); err == nil {
		t.Error("a certificate of an authority that is gone was accepted")
	}
}

// An end that requires certificates lets nobody in without.
func TestEndpointRequiresClients(t *testing.T) {
	l, ca := local(t, certs.LocalOptions{Names: []string{"gw.test"}}), newClientCA(t)
	file := filepath.Join(t.TempDir(), "clients.crt")
	write(t, file, ca.pem)
	address := serve(t, certs.NewEndpoint(certs.EndpointOptions{
		Get: l.Certificate, Roots: newRoots(t, certs.RootsOptions{File: file}), RequireClient: true,
	}))
	client := &tls.Config{RootCAs: trust(t, l), ServerName: "gw.test"}
	if _, err := call(t, address, client); err == nil {
		t.Error("a client without a certificate got in")
	}
	client.Certificates = []tls.Certificate{ca.client(t)}
	if _, err := call(t, address, client); err != nil {
		t.Error(err)
	}
}

// Whatever changes, only modern TLS is spoken.
func TestEndpointKeepsThePosture(t *testing.T) {
	l := local(t, certs.LocalOptions{Names: []string{"gw.test"}})
	e := certs.NewEndpoint(certs.EndpointOptions{Get: l.Certificate, Protocols: []string{certs.ALPNChallenge}})
	e.UseTickets([][32]byte{{1}})
	server := e.Config()
	current, err := server.GetConfigForClient(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*tls.Config{server, current} {
		if c.MinVersion != tls.VersionTLS12 || len(c.CipherSuites) != 6 || c.NextProtos[0] != "h2" || c.NextProtos[2] != certs.ALPNChallenge {
			t.Errorf("%x %v %v", c.MinVersion, c.CipherSuites, c.NextProtos)
		}
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	go func() { _ = tls.Server(a, server).HandshakeContext(t.Context()) }()
	old := tls.Client(b, &tls.Config{RootCAs: trust(t, l), ServerName: "gw.test", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}) //nolint:gosec // this is what must be refused
	if old.HandshakeContext(t.Context()) == nil {
		t.Error("TLS 1.1 was accepted")
	}
}
