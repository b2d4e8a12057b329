package rawcase

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// Target is the server under test and what is known about it.
type Target struct {
	// Addr is the address to connect to.
	Addr string
	// TLS is how to connect; nil = in the clear. Its ServerName is the
	// default of a case's connections; NextProtos is set by the runner.
	TLS *tls.Config
	// Vars replaces ${name} in what is sent; "host" and "key" are expected.
	Vars map[string]string
	// Upstream is the double that the server forwards to, nil when there is
	// none to look at.
	Upstream *Upstream
	// Authorization is what each upstream request must carry, once; ""
	// means that it must carry none.
	Authorization string
	// UpstreamHosts are the names of which each upstream request must have one
	// as its only Host.
	UpstreamHosts []string
	// Secrets must not stand in any byte that goes upstream: the callers'
	// credentials.
	Secrets []string
}

// Run plays one case and reports every expectation that does not hold.
func Run(t testing.TB, c Case, target Target) {
	t.Helper()
	if target.Upstream != nil {
		target.Upstream.begin(script(t, c, target.Vars))
	}
	r := runner{TB: t, target: target, patience: target.patience()}
	defer r.disconnect()
	for i, s := range c.Steps {
		r.step(i+1, s)
	}
	if target.Upstream != nil {
		limit, end := r.patience.begin()
		received, err := target.Upstream.Settle(limit)
		end()
		if err != nil {
			t.Error(err)
		}
		checkUpstream(t, c, received, target.Vars)
		checkInvariants(t, target, received)
	}
}

// patience is shared by all cases that are played with one upstream double.
func (t Target) patience() *patience {
	if t.Upstream == nil {
		return new(patience)
	}
	return &t.Upstream.patience
}

func script(t testing.TB, c Case, vars map[string]string) []scripted {
	t.Helper()
	replies := make([]scripted, len(c.Replies))
	for i, reply := range c.Replies {
		text, err := expand(reply.Bytes, vars)
		if err != nil {
			t.Fatalf("%s, reply %d: %v", c.Name, i+1, err)
		}
		replies[i] = scripted{text, reply.Close}
	}
	return replies
}

// client is one connection to the server under test.
type client interface {
	// play sends a step and returns what came of it within limit: one outcome
	// per answer. Having to wait longer is an error, errLate.
	play(s Step, vars map[string]string, limit time.Duration) (result, error)
	Close() error
}

var errLate = errors.New("no answer in time")

// result is what a step got back.
type result struct {
	outcomes []string // a status, "none" or "reset", in the order of the questions
	bodies   [][]byte // of each
	raw      []byte
	closed   bool
}

type runner struct {
	testing.TB

	target   Target
	patience *patience
	client   client
	last     Connection
}

func (r *runner) step(number int, s Step) {
	r.Helper()
	if s.Connect != nil {
		r.connect(*s.Connect)
	}
	vars := maps.Clone(r.target.Vars)
	nonce := rand.Text()
	vars["nonce"] = nonce
	limit, end := r.patience.begin()
	got, err := r.client.play(s, vars, limit)
	end()
	if err != nil {
		r.Fatalf("step %d: %v", number, err)
	}
	check(r.TB, number, s, got, vars)
	if slices.ContainsFunc(s.Send, func(line string) bool { return strings.Contains(line, "${nonce}") }) {
		checkNonce(r.TB, number, nonce, got)
	}
	if s.Open {
		r.probe(number)
	}
}

// probe asks once more on the connection.
func (r *runner) probe(number int) {
	r.Helper()
	line := `GET ${probe}?n=${nonce} HTTP/1.1\r\nHost: ${host}\r\nX-Api-Key: ${key}\r\n\r\n`
	if r.last.HTTP2 {
		r.Fatalf("step %d: open is for HTTP/1 connections", number)
	}
	r.step(number, Step{Send: []string{line}, Answers: []Answer{{"200"}}})
}

func (r *runner) connect(to Connection) {
	r.Helper()
	r.disconnect()
	conn, err := r.dial(to)
	if err != nil {
		r.Fatalf("connect: %v", err)
	}
	r.last = to
	if !to.HTTP2 {
		r.client = newHTTP1(conn)
		return
	}
	if r.client, err = newHTTP2(conn); err != nil {
		r.Fatalf("connect: %v", err)
	}
}

func (r *runner) disconnect() {
	if r.client != nil {
		_ = r.client.Close() // the server may have closed it already
		r.client = nil
	}
}

func (r *runner) dial(to Connection) (net.Conn, error) {
	limit, end := r.patience.begin()
	defer end()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", r.target.Addr)
	if err != nil || r.target.TLS == nil {
		return conn, err
	}
	config := r.target.TLS.Clone()
	config.NextProtos = []string{"http/1.1"}
	if to.HTTP2 {
		config.NextProtos = []string{"h2"}
	}
	if to.ServerName != "" {
		config.ServerName = to.ServerName
	}
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secured, nil
}

// recorder keeps what a connection returned.
type recorder struct {
	net.Conn

	seen bytes.Buffer
}

// Read implements io.Reader.
func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.seen.Write(p[:n])
	return n, err
}
