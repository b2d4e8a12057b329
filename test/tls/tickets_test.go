package tls_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/redistest"
	"iqgateway/test/rig"
)

// A busy machine may take longer than the usual 50 ms.
const shared = `redis: {addresses: [ADDRESS], timeout: 1s, KEYS}
`

const sealed = `encryption_keys: ["${env:RIG_SEAL}"], name_key: "${env:RIG_NAMES}"`

// versions are those of TLS, in which tickets differ.
func versions() map[string]uint16 {
	return map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13}
}

// A session that one replica began is resumed by another.
func TestTicketsOfTheFleet(t *testing.T) {
	t.Parallel()
	redis := redistest.Single(t)
	s := prepare(t, strings.NewReplacer("ADDRESS", redis.Address(), "KEYS", sealed).Replace(shared), "ecdsa")
	environ := []string{"RIG_SEAL=" + rig.NewKey(), "RIG_NAMES=" + rig.NewKey()}
	a, b := s.start(t, environ...), s.start(t, environ...)
	for name, version := range versions() {
		t.Run(name, func(t *testing.T) {
			// The keys come in the background.
			rig.Must(t, rig.Await(t.Context(), patience, "a session goes on at the other replica", func() bool {
				return s.resumed(t, version, a, b) && s.resumed(t, version, b, a)
			}))
		})
	}
	for key, text := range redis.Dump(t) {
		if strings.Contains(text, "PRIVATE KEY") {
			t.Errorf("Redis holds a key in the clear: %q", key)
		}
	}
	redis.NoEternalKeys(t)
}

// Replicas that may share no secrets give out no tickets: a client that comes back
// to another would lose a try.
func TestNoTicketsWithoutSharedKeys(t *testing.T) {
	t.Parallel()
	redis := redistest.Single(t)
	s := prepare(t, strings.NewReplacer("ADDRESS", redis.Address(), "KEYS", "").Replace(shared), "ecdsa")
	a, b := s.start(t), s.start(t)
	for name, version := range versions() {
		if s.resumed(t, version, a, b) || s.resumed(t, version, a, a) {
			t.Errorf("%s: a session was resumed", name)
		}
	}
}

// A replica alone resumes what it began, and opens no ticket of another.
func TestTicketsOfOneReplica(t *testing.T) {
	t.Parallel()
	s := prepare(t, "", "ecdsa")
	a, b := s.start(t), s.start(t)
	for name, version := range versions() {
		if !s.resumed(t, version, a, a) {
			t.Errorf("%s: no session was resumed", name)
		}
		if s.resumed(t, version, a, b) {
			t.Errorf("%s: a session was resumed by a stranger", name)
		}
	}
}

// resumed reports whether a client that was at one gateway goes on at another.
func (s *subject) resumed(t *testing.T, version uint16, from, to *rig.Gateway) bool {
	t.Helper()
	config := s.client("http/1.1")
	config.MinVersion, config.MaxVersion, config.ClientSessionCache = version, version, tls.NewLRUClientSessionCache(1)
	if s.visit(t, from, config) {
		t.Error("a session without a beginning was resumed")
	}
	return s.visit(t, to, config)
}

// visit asks a gateway for something, so that tickets can come, and reports
// whether the session was resumed.
func (s *subject) visit(t *testing.T, gateway *rig.Gateway, config *tls.Config) bool {
	t.Helper()
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: patience}, Config: config}
	conn, err := dialer.DialContext(t.Context(), "tcp", gateway.Server)
	rig.Must(t, err)
	defer conn.Close()
	rig.Must(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
	rig.Must(t, err)
	answer, err := io.ReadAll(conn)
	rig.Must(t, err)
	if !strings.HasPrefix(string(answer), "HTTP/1.1 401 "+http.StatusText(http.StatusUnauthorized)) {
		t.Errorf("answer %.100q", answer)
	}
	return conn.(*tls.Conn).ConnectionState().DidResume
}
