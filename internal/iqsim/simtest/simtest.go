// Package simtest runs a simulated iQmetrix for the tests of other packages.
package simtest

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"iqgateway/internal/iqsim"
)

// Server is a simulation that listens on loopback.
type Server struct {
	*iqsim.Sim
	// URL addresses the default environment: URL + "/crm/v1/…".
	URL string

	http *httptest.Server
}

// Start runs a simulation over plain HTTP until the test ends. Options that
// cannot be meant fail the test.
func Start(t testing.TB, o iqsim.Options) *Server {
	t.Helper()
	return start(t, o, (*httptest.Server).Start)
}

// StartTLS is Start over HTTPS, with HTTP/2 on offer. [Server.Client] trusts
// the certificate.
func StartTLS(t testing.TB, o iqsim.Options) *Server {
	t.Helper()
	return start(t, o, func(s *httptest.Server) {
		s.EnableHTTP2 = true
		s.StartTLS()
	})
}

func start(t testing.TB, o iqsim.Options, listen func(*httptest.Server)) *Server {
	t.Helper()
	sim, err := iqsim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(sim)
	listen(server)
	t.Cleanup(func() {
		server.CloseClientConnections() // or a stalled answer would hold Close up
		server.Close()
	})
	return &Server{Sim: sim, URL: server.URL, http: server}
}

// Environment returns the URL of one environment, "" for the default one.
func (s *Server) Environment(name string) string {
	if name == "" {
		return s.URL
	}
	return s.URL + "/~" + name
}

// Client returns a client that trusts the server and follows no redirects.
func (s *Server) Client() *http.Client {
	c := s.http.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// Bearer returns the value of an Authorization field that the default
// environment accepts.
func (s *Server) Bearer(t testing.TB) string {
	t.Helper()
	text, err := s.Token("")
	if err != nil {
		t.Fatal(err)
	}
	return "Bearer " + text
}

// PasswordForm returns the form of a password grant of the default account.
func PasswordForm() url.Values {
	return url.Values{
		"grant_type": {"password"}, "client_id": {"sim-client"}, "client_secret": {"sim-secret"},
		"username": {"sim@example.com"}, "password": {"sim-password"},
	}
}

// HostOf returns the host and port of a URL such as [Server.URL].
func HostOf(rawURL string) string {
	_, rest, _ := strings.Cut(rawURL, "://")
	host, _, _ := strings.Cut(rest, "/")
	return host
}
