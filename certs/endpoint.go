package certs

import (
	"crypto/tls"
	"sync"
	"sync/atomic"
)

// EndpointOptions configure [NewEndpoint].
type EndpointOptions struct {
	// Get chooses certificates. Required.
	Get GetCertificate
	// Roots are the authorities of clients; nil = none is asked for a
	// certificate.
	Roots *Roots
	// RequireClient refuses clients without a certificate.
	RequireClient bool
	// Protocols are offered beside HTTP/2 and HTTP/1.1.
	Protocols []string
	// NoTickets has every handshake be a full one.
	NoTickets bool
}

// Endpoint is how one listener encrypts. Authorities of clients and keys of
// session tickets may change while it accepts connections.
type Endpoint struct {
	options EndpointOptions
	current atomic.Pointer[tls.Config]

	mu      sync.Mutex
	tickets [][32]byte
}

// NewEndpoint returns an Endpoint.
func NewEndpoint(o EndpointOptions) *Endpoint {
	e := &Endpoint{options: o}
	e.Refresh()
	return e
}

// Config returns settings for one server, which copies them: what changes later
// is found through GetConfigForClient.
func (e *Endpoint) Config() *tls.Config {
	c := e.build()
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return e.current.Load(), nil }
	return c
}

// Refresh has new handshakes use the authorities of clients as they are now.
func (e *Endpoint) Refresh() {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.build()
	if len(e.tickets) > 0 {
		c.SetSessionTicketKeys(e.tickets)
	}
	e.current.Store(c)
}

// UseTickets seals new session tickets with the first key, and opens those of
// all of them. Before the first call the process has keys of its own.
func (e *Endpoint) UseTickets(keys [][32]byte) {
	e.mu.Lock()
	e.tickets = keys
	e.mu.Unlock()
	e.Refresh()
}

func (e *Endpoint) build() *tls.Config {
	c := TLSConfig(e.options.Get)
	c.NextProtos = append(c.NextProtos, e.options.Protocols...)
	c.SessionTicketsDisabled = e.options.NoTickets
	if e.options.Roots == nil {
		return c
	}
	c.ClientCAs, c.ClientAuth = e.options.Roots.Pool(), tls.VerifyClientCertIfGiven
	if e.options.RequireClient {
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return c
}
