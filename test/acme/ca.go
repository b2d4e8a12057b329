package acme

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"

	"iqgateway/test/rig"
)

// Options say what a CA does.
type Options struct {
	// Address is the host:port where it listens whenever it is up.
	Address string
	// HTTPPort and TLSPort are where it validates HTTP-01 and TLS-ALPN-01.
	HTTPPort, TLSPort int
	// Resolver is the host:port of the DNS server that it asks.
	Resolver string
	// Validity is how long its certificates last; 0 = 90 days.
	Validity time.Duration
	// Log gets what it has to say.
	Log *rig.Log
}

// CA is a certificate authority that speaks ACME over TLS. It can be down for a
// while.
type CA struct {
	// Roots are what its certificates chain to.
	Roots *x509.CertPool
	// Endpoint is the PEM of what its own endpoint chains to.
	Endpoint []byte

	address string
	secure  *tls.Config
	pebble  http.Handler

	orders, certificates atomic.Int64
	suggests, replaced   atomic.Bool

	mu     sync.Mutex
	server *http.Server // nil = down
	served chan struct{}
	held   chan struct{} // closed = requests are answered
}

// New returns a CA that is up, and lets those who ask wait until Release. It ends
// with Down. The environment of the process must hold what [Environment] returns.
func New(ctx context.Context, o Options) (*CA, error) {
	logger := log.New(o.Log, "", 0)
	store := db.NewMemoryStore()
	profiles := map[string]ca.Profile{"default": {Description: "default", ValidityPeriod: uint64(o.Validity / time.Second)}}
	issuer := ca.New(logger, store, "", "ecdsa", 0, 1, profiles)
	validator := va.New(logger, o.HTTPPort, o.TLSPort, true, o.Resolver, store)
	front := wfe.New(logger, store, validator, issuer, []string{"pebble.test"}, true, false, 1, 1)
	c := &CA{address: o.Address, Roots: x509.NewCertPool(), pebble: front.Handler(), held: make(chan struct{})}
	c.Roots.AddCert(issuer.GetRootCert(0).Cert)

	endpoint, err := rig.NewAuthority()
	if err != nil {
		return nil, err
	}
	pair, err := endpoint.ECDSA("127.0.0.1")
	if err != nil {
		return nil, err
	}
	own, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		return nil, fmt.Errorf("a CA: %w", err)
	}
	c.Endpoint = endpoint.PEM
	c.secure = &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12}
	return c, c.Up(ctx)
}

// Environment is what pebble reads from the environment: it validates at once.
func Environment() map[string]string { return map[string]string{"PEBBLE_VA_NOSLEEP": "1"} }

// URL is the address of the directory.
func (c *CA) URL() string { return "https://" + c.address + wfe.DirectoryPath }

// Release has the CA answer. It is called once.
func (c *CA) Release() { close(c.held) }

// Suggest has it suggest (RFC 9773) that its first certificate be renewed now, and
// others much later.
func (c *CA) Suggest() { c.suggests.Store(true) }

// Replaced reports whether an order has named a certificate that it replaces.
func (c *CA) Replaced() bool { return c.replaced.Load() }

// Orders is how many orders it has taken.
func (c *CA) Orders() int { return int(c.orders.Load()) }

// Certificates is how many orders were finalized.
func (c *CA) Certificates() int { return int(c.certificates.Load()) }

// Up has it listen, on the same address as before.
func (c *CA) Up(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server != nil {
		return nil
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", c.address)
	if err != nil {
		return fmt.Errorf("a CA: %w", err)
	}
	c.server = &http.Server{Handler: http.HandlerFunc(c.serve), ReadHeaderTimeout: time.Minute, ErrorLog: log.New(new(rig.Log), "", 0)}
	c.served = make(chan struct{})
	go func(server *http.Server, served chan struct{}) {
		defer close(served)
		_ = server.Serve(tls.NewListener(listener, c.secure)) // says that it was closed
	}(c.server, c.served)
	return nil
}

// Down has it end all connections and take no more.
func (c *CA) Down() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server == nil {
		return nil
	}
	err := c.server.Close()
	<-c.served
	c.server = nil
	return err
}

// serve counts what succeeds. One in twenty requests fails at first, with a
// nonce that pebble pretends not to know.
func (c *CA) serve(w http.ResponseWriter, r *http.Request) {
	select {
	case <-c.held:
	case <-r.Context().Done():
		return
	}
	if c.suggests.Load() && strings.Contains(r.URL.Path, "/renewalInfo/") {
		c.suggest(w)
		return
	}
	answer := httptest.NewRecorder()
	c.pebble.ServeHTTP(answer, r)
	body := answer.Body.Bytes()
	switch {
	case r.URL.Path == wfe.DirectoryPath && !c.suggests.Load():
		body = withoutRenewalInfo(body)
	case answer.Code < http.StatusMultipleChoices && r.URL.Path == "/order-plz":
		c.orders.Add(1)
		if bytes.Contains(body, []byte(`"replaces":`)) {
			c.replaced.Store(true)
		}
	case answer.Code < http.StatusMultipleChoices && strings.HasPrefix(r.URL.Path, "/finalize-order/"):
		c.certificates.Add(1)
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(body) // fails when the client has gone
}

// suggest answers when to renew a certificate: the only one there is now, else in
// a month.
func (c *CA) suggest(w http.ResponseWriter) {
	start := time.Now().Add(-time.Hour)
	if c.Certificates() > 1 {
		start = start.Add(30 * 24 * time.Hour)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Retry-After", "3600")
	window := map[string]time.Time{"start": start.UTC(), "end": start.Add(time.Minute).UTC()}
	_ = json.NewEncoder(w).Encode(map[string]any{"suggestedWindow": window}) // fails when the client has gone
}

// withoutRenewalInfo takes ARI (RFC 9773) out of a directory: of certificates
// that last seconds, pebble would have clients renew at any moment.
func withoutRenewalInfo(directory []byte) []byte {
	var entries map[string]json.RawMessage
	if json.Unmarshal(directory, &entries) != nil {
		return directory
	}
	delete(entries, "renewalInfo")
	without, err := json.Marshal(entries)
	if err != nil {
		return directory
	}
	return bytes.TrimSpace(without)
}

// ErrNoCertificate is returned by [Served] where a handshake fails.
var ErrNoCertificate = errors.New("no certificate")

// Served returns the certificate that a server has for a name, if it chains to
// the CA's root.
func (c *CA) Served(ctx context.Context, address, name string) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: c.Roots, ServerName: name}}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoCertificate, err)
	}
	defer conn.Close()
	secure, ok := conn.(*tls.Conn)
	if !ok {
		return nil, ErrNoCertificate
	}
	return secure.ConnectionState().PeerCertificates[0], nil
}
