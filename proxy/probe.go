package proxy

import (
	"context"
	"crypto/tls"
	"net/http/httptrace"
)

// Reach is how far a connection to an upstream came.
type Reach struct {
	// Addresses the DNS gave, of the egress proxy where there is one; nil = a
	// literal address, or no answer.
	Addresses []string
	// Connected tells that the origin itself, or its tunnel, took the connection.
	Connected bool
	// TLS is what was agreed; nil for plain HTTP, or where none was.
	TLS *tls.ConnectionState
}

// Key says whose connections the pool holds.
func (p *Pool) Key() PoolKey { return p.key }

// Reach makes one connection as requests would have it, and closes it: nothing
// of HTTP is sent to the origin. Reach tells also with an error how far it came.
func (p *Pool) Reach(ctx context.Context) (Reach, error) {
	c, err := p.newCarrier()
	if err != nil {
		return Reach{}, err
	}
	var reach Reach
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{DNSDone: func(info httptrace.DNSDoneInfo) {
		for _, a := range info.Addrs {
			reach.Addresses = append(reach.Addresses, a.String())
		}
	}})
	conn, _, err := c.way.tunnel(ctx, "tcp", hostPort(p.origin))
	if err != nil {
		return reach, err
	}
	reach.Connected = true
	if p.origin.Scheme != "https" {
		return reach, conn.Close()
	}
	secure, err := c.way.handshake(ctx, conn, p.origin.Hostname(), "h2", "http/1.1")
	if err != nil {
		return reach, err
	}
	state := secure.ConnectionState()
	reach.TLS = &state
	_ = secure.Close() // it was only asked
	return reach, nil
}
