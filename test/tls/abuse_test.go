package tls_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
	"iqgateway/test/rig"
	tlssuite "iqgateway/test/tls"
)

// mostHandshake is how long a handshake may take: read_header_timeout.
const mostHandshake = 5 * time.Second

// slack is what a busy machine may take longer.
const slack = 15 * time.Second

// SEC-40: a handshake that stops is ended, wherever it has come to.
func TestSEC40StoppedHandshake(t *testing.T) {
	t.Parallel()
	s := newSubject(t, "ecdsa")
	for at, stop := range map[string]func(net.Conn) error{
		"before it begins":     func(net.Conn) error { return nil },
		"in the first record":  func(c net.Conn) error { return first(c, 100) },
		"after the first byte": func(c net.Conn) error { return first(c, 1) },
		"before its last flight": func(c net.Conn) error {
			return first(c, -1)
		},
	} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			conn := s.connect(t, plain{})
			began := time.Now()
			rig.Must(t, stop(conn))
			// What the gateway has to say ends with the connection.
			if _, err := io.Copy(io.Discard, conn); isTimeout(err) {
				t.Fatal("the connection goes on")
			}
			if took := time.Since(began); took > mostHandshake+slack {
				t.Errorf("ended after %s", took)
			}
		})
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// errEnough ends a handshake from within.
var errEnough = errors.New("enough")

// first sends the first n bytes of a client, or all of its first flight.
func first(conn net.Conn, n int) error {
	stopped := &stopping{Conn: conn, left: n}
	err := tls.Client(stopped, &tls.Config{ServerName: host}).Handshake()
	if !errors.Is(err, errEnough) {
		return fmt.Errorf("the handshake went on: %w", err)
	}
	return nil
}

// stopping writes no more than one flight, and no more of it than wanted.
type stopping struct {
	net.Conn

	left int // -1: all
	sent bool
}

// Write implements net.Conn.
func (c *stopping) Write(p []byte) (int, error) {
	if c.sent {
		return 0, errEnough
	}
	c.sent = true
	if c.left >= 0 {
		p = p[:c.left]
	}
	if _, err := c.Conn.Write(p); err != nil {
		return 0, err
	}
	return 0, errEnough
}

// updates is how often a client changes its keys.
const updates = 10_000

// SEC-40: a client that changes its keys all the time costs the gateway little,
// whether it says anything else or not.
func TestSEC40KeyUpdates(t *testing.T) {
	t.Parallel()
	s := newSubject(t, "ecdsa")
	for name, every := range map[string]int{"alone": updates, "between bytes": 1} {
		for _, both := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, both ways %t", name, both), func(t *testing.T) {
				before, err := s.gateway.CPU()
				rig.Must(t, err)
				sent := s.rekey(t, every, both)
				after, err := s.gateway.CPU()
				rig.Must(t, err)
				t.Logf("%d changes of keys, %s of the processor", sent, after-before)
				if spent := after - before; spent > mostCPU {
					t.Errorf("%s of the processor, more than %s", spent, mostCPU)
				}
				s.wantServed(t, s.dial(t, plain{}, s.client("http/1.1")))
			})
		}
	}
}

// mostCPU is for all changes of keys of a connection: 10 000 take some 50 ms.
const mostCPU = 3 * time.Second

// rekey changes the keys until the gateway has enough, with a byte of a request
// after each so many, and returns how often it did.
func (s *subject) rekey(t *testing.T, every int, both bool) (sent int) {
	t.Helper()
	client, err := tlssuite.NewRekeyer(t.Context(), s.connect(t, plain{}), s.client("http/1.1"))
	if errors.Is(err, tlssuite.ErrSuite) {
		t.Skip(err)
	}
	rig.Must(t, err)
	read := make(chan struct{})
	go func() { // the answers, which could fill the connection
		defer close(read)
		_, _ = io.Copy(io.Discard, client.Conn)
	}()
	rig.Must(t, client.Send([]byte("GET / HTTP/1.1\r\nX-Long: ")))
	for ; sent < updates; sent++ {
		if err = client.Update(both); err == nil && sent%every == 0 {
			err = client.Send([]byte("a"))
		}
		if err != nil {
			break // the gateway has ended the connection
		}
	}
	client.Conn.Close()
	<-read
	return sent
}

// SEC-40: who speaks plain HTTP to the port gets one answer, the same for all,
// and nothing else happens.
func TestSEC40Plaintext(t *testing.T) {
	t.Parallel()
	s := newSubject(t, "ecdsa")
	answers := map[string]bool{}
	for _, request := range []string{
		"GET / HTTP/1.1\r\nHost: gateway.test\r\n\r\n",
		"GET " + customers + " HTTP/1.1\r\nHost: gateway.test\r\nX-Api-Key: " + s.key + "\r\n\r\n",
		"POST " + customers + " HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
		"OPTIONS * HTTP/1.1\r\nHost: unknown.test\r\n\r\n",
	} {
		conn := s.connect(t, plain{})
		_, err := io.WriteString(conn, request)
		rig.Must(t, err)
		answer, err := io.ReadAll(conn)
		if err != nil && len(answer) == 0 { // a reset may follow the answer: not all was read
			t.Errorf("%.20q: %v", request, err)
		}
		answers[string(answer)] = true
	}
	if len(answers) != 1 {
		t.Errorf("answers differ: %v", answers)
	}
	for answer := range answers {
		if !strings.HasPrefix(answer, "HTTP/1.0 400 Bad Request\r\n") || strings.Contains(answer, s.key) {
			t.Errorf("answer %q", answer)
		}
	}
	if entries := s.sim.Ledger(iqsim.LedgerQuery{}); len(entries) > 0 {
		t.Errorf("the upstream was asked: %v", entries)
	}
	served, err := s.gateway.Metrics(t.Context())
	rig.Must(t, err)
	if n, err := served.Sum("http_server_request_duration_seconds_count"); err != nil || n > 0 {
		t.Errorf("%v requests were served, %v", n, err)
	}
}
