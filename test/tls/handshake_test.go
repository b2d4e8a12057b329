package tls_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"iqgateway/test/rig"
)

// patience is how long anything here may take on a busy machine.
const patience = 30 * time.Second

// SEC-40: how a handshake is cut into pieces, and what it names or leaves out,
// changes nothing of the policy.
func TestSEC40Handshakes(t *testing.T) {
	t.Parallel()
	s := newSubject(t, "ecdsa", "rsa")
	t.Run("in segments of a byte", func(t *testing.T) {
		s.wantServed(t, s.dial(t, bytewise{}, s.client("http/1.1")))
	})
	t.Run("in records of a byte", func(t *testing.T) {
		s.wantServed(t, s.dial(t, &recordwise{}, s.client("http/1.1")))
	})
	t.Run("in pieces without a version that is allowed", func(t *testing.T) {
		config := s.client()
		config.MinVersion, config.MaxVersion = tls.VersionTLS11, tls.VersionTLS11
		s.wantAlert(t, &recordwise{}, config, "protocol version not supported")
	})
	t.Run("in pieces with a suite that is not allowed", func(t *testing.T) {
		config := s.client()
		config.MaxVersion, config.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}
		s.wantAlert(t, &recordwise{}, config, "handshake failure")
	})
	t.Run("without a server name", func(t *testing.T) {
		config := s.client("http/1.1")
		config.ServerName = "127.0.0.1" // an IP address is never sent
		s.wantServed(t, s.dial(t, plain{}, config))
	})
	t.Run("with a server name that nobody has", func(t *testing.T) {
		config := s.client("http/1.1")
		config.ServerName = "unknown.test"
		conn := s.connect(t, plain{})
		// The name that it got a certificate for is told to it by its own check.
		if err := tls.Client(conn, config).HandshakeContext(t.Context()); err == nil || !strings.Contains(err.Error(), "unknown.test") {
			t.Errorf("handshake: %v, not a certificate of other names", err)
		}
	})
	t.Run("with a protocol that nobody speaks", func(t *testing.T) {
		s.wantAlert(t, plain{}, s.client("foo"), "no application protocol")
	})
	t.Run("without a protocol", func(t *testing.T) {
		conn := s.dial(t, plain{}, s.client())
		if got := conn.ConnectionState().NegotiatedProtocol; got != "" {
			t.Errorf("protocol %q", got)
		}
		s.wantServed(t, conn)
	})
}

// cutter cuts what a client writes.
type cutter interface {
	wrap(net.Conn) net.Conn
}

// plain cuts nothing.
type plain struct{}

func (plain) wrap(c net.Conn) net.Conn { return c }

// bytewise writes each byte by itself.
type bytewise struct{ net.Conn }

func (bytewise) wrap(c net.Conn) net.Conn { return bytewise{c} }

// Write implements net.Conn. Nothing holds the bytes back: Go turns off the
// delay of small segments.
func (c bytewise) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := c.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// recordwise makes of the first record, the ClientHello, one record for each of
// its bytes.
type recordwise struct {
	net.Conn

	begun bool
}

func (*recordwise) wrap(c net.Conn) net.Conn { return &recordwise{Conn: c} }

// recordHeader is type, version and length (RFC 8446 section 5.1).
const recordHeader = 5

// Write implements net.Conn.
func (c *recordwise) Write(p []byte) (int, error) {
	if c.begun {
		return c.Conn.Write(p)
	}
	c.begun = true
	var cut bytes.Buffer
	for _, b := range p[recordHeader:] {
		cut.Write([]byte{p[0], p[1], p[2], 0, 1, b})
	}
	if _, err := c.Conn.Write(cut.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// connect opens a connection, cut by how, which ends with the test.
func (s *subject) connect(t *testing.T, how cutter) net.Conn {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", s.gateway.Server)
	rig.Must(t, err)
	t.Cleanup(func() { conn.Close() })
	rig.Must(t, conn.SetDeadline(time.Now().Add(patience)))
	return how.wrap(conn)
}

// dial makes a handshake, too.
func (s *subject) dial(t *testing.T, how cutter, config *tls.Config) *tls.Conn {
	t.Helper()
	conn := tls.Client(s.connect(t, how), config)
	rig.Must(t, conn.HandshakeContext(t.Context()))
	return conn
}

// wantAlert fails the test unless the gateway refuses the handshake with this
// alert, in the words of crypto/tls.
func (s *subject) wantAlert(t *testing.T, how cutter, config *tls.Config, alert string) {
	t.Helper()
	err := tls.Client(s.connect(t, how), config).HandshakeContext(t.Context())
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" || !strings.Contains(err.Error(), alert) {
		t.Errorf("handshake: %v, not %q", err, alert)
	}
}

// wantServed fails the test unless a caller's request gets its answer.
func (s *subject) wantServed(t *testing.T, conn net.Conn) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil },
	}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+customers, http.NoBody)
	rig.Must(t, err)
	req.Header.Set("X-Api-Key", s.key)
	resp, err := client.Do(req)
	rig.Must(t, err)
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	rig.Must(t, err)
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status %s", resp.Status)
	}
}
