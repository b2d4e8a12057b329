package flood

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"iqgateway/test/rig"
)

// Flood is strangers who ask over HTTP/1.1 and TLS, on connections that they keep.
type Flood struct {
	// Address is the gateway's host:port, CA the PEM of its roots, ServerName what
	// its certificate is for.
	Address, CA, ServerName string
	// Requests are sent in turn, each as it goes on the wire.
	Requests []string
	// Connections share Rate requests a second.
	Connections, Rate int
	// Seconds is how long it lasts.
	Seconds float64
	// Humble leaves the processor to others, as strangers do who have machines of
	// their own.
	Humble bool
}

// Result is what strangers met with.
type Result struct {
	// Asked is how many requests were sent; each was answered, unless Error says
	// otherwise.
	Asked int
	// Statuses counts the answers.
	Statuses map[int]int
	// Connections is how many were needed: more than the flood's where the gateway
	// has closed some.
	Connections int
	// Error is the first thing that failed; "" = nothing.
	Error string
}

// run asks until the time is over.
func (f Flood) run(ctx context.Context) Result {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(f.CA))
	config := &tls.Config{RootCAs: pool, ServerName: f.ServerName, NextProtos: []string{"http/1.1"}}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(f.Seconds*float64(time.Second)))
	defer cancel()
	r := Result{Statuses: map[int]int{}}
	var mu sync.Mutex
	var all sync.WaitGroup
	for number := range f.Connections {
		all.Go(func() {
			s := &stranger{Flood: f, config: config, statuses: map[int]int{}, next: number}
			err := s.run(ctx)
			mu.Lock()
			defer mu.Unlock()
			for status, n := range s.statuses {
				r.Statuses[status] += n
				r.Asked += n
			}
			r.Connections += s.connections
			if err != nil && r.Error == "" {
				r.Error = err.Error()
			}
		})
	}
	all.Wait()
	return r
}

// stranger is one of them.
type stranger struct {
	Flood

	config      *tls.Config
	conn        *tls.Conn
	answers     *bufio.Reader
	statuses    map[int]int
	connections int
	next        int
}

// patience is how long an answer may take on a busy machine.
const patience = 30 * time.Second

// burst is how many requests go one after the other: a timer for each would cost
// more than the request.
const burst = 10

func (s *stranger) run(ctx context.Context) error {
	defer s.close()
	pause := time.Second * time.Duration(burst*s.Connections) / time.Duration(s.Rate)
	// Not all in the same moment.
	if !rig.Pass(ctx, pause*time.Duration(s.next)/time.Duration(s.Connections)) {
		return nil
	}
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		for range burst {
			if err := s.ask(context.WithoutCancel(ctx)); err != nil {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// ask sends the next request and takes its answer.
func (s *stranger) ask(ctx context.Context) error {
	if err := s.connect(ctx); err != nil {
		return err
	}
	if err := s.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := io.WriteString(s.conn, s.Requests[s.next%len(s.Requests)]); err != nil {
		return err
	}
	s.next++
	answer, err := http.ReadResponse(s.answers, nil)
	if err != nil {
		return err
	}
	_, err1 := io.Copy(io.Discard, answer.Body)
	if err := errors.Join(err1, answer.Body.Close()); err != nil {
		return err
	}
	s.statuses[answer.StatusCode]++
	if answer.Close {
		s.close()
	}
	return nil
}

func (s *stranger) connect(ctx context.Context) error {
	if s.conn != nil {
		return nil
	}
	dialer := tls.Dialer{Config: s.config}
	conn, err := dialer.DialContext(ctx, "tcp", s.Address)
	if err != nil {
		return err
	}
	secure, ok := conn.(*tls.Conn)
	if !ok {
		return fmt.Errorf("%T is no TLS connection", conn)
	}
	s.conn, s.answers = secure, bufio.NewReader(secure)
	s.connections++
	return nil
}

func (s *stranger) close() {
	if s.conn != nil {
		_ = s.conn.Close() // nothing waits for it
	}
	s.conn = nil
}
