package slow

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

const (
	// openWait bounds the way to where a client is slow.
	openWait = time.Minute
	// smallBuffer is what the kernel holds of an answer that is not read.
	smallBuffer = 4096
)

// client is one slow client.
type client struct {
	conn net.Conn
	// step writes the next byte; nil = this client does not move.
	step  func() error
	ended bool
}

// move writes the next byte. A connection that does not take it has ended.
func (c *client) move() {
	if c.step == nil || c.ended {
		return
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(beat)) // fails when closed, as the write will
	c.ended = c.step() != nil
}

// door is what clients enter by.
type door struct {
	Crowd
	dialer net.Dialer
	roots  *x509.CertPool
}

func (c Crowd) door() (*door, error) {
	source := net.ParseIP(c.Source)
	if source == nil {
		return nil, fmt.Errorf("the source of a crowd: no IP address: %q", c.Source)
	}
	d := &door{Crowd: c, roots: x509.NewCertPool(), dialer: net.Dialer{LocalAddr: &net.TCPAddr{IP: source}}}
	if !d.roots.AppendCertsFromPEM([]byte(c.CA)) {
		return nil, errors.New("the CA of a crowd: no certificate in it")
	}
	return d, nil
}

// open brings a client to where it is slow.
func (d *door) open(ctx context.Context, g Group) (*client, error) {
	ctx, cancel := context.WithTimeout(ctx, openWait)
	defer cancel()
	conn, err := d.dialer.DialContext(ctx, "tcp", d.Address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", g.Kind, err)
	}
	c := &client{conn: conn}
	_ = conn.SetDeadline(time.Now().Add(openWait)) // fails when closed, as the first write will
	if err := d.enter(ctx, g, c); err != nil {
		conn.Close()
		return nil, fmt.Errorf("%s: %w", g.Kind, err)
	}
	_ = conn.SetDeadline(time.Time{})
	return c, nil
}

func (d *door) enter(ctx context.Context, g Group, c *client) error {
	if g.Kind == OneByte {
		_, err := c.conn.Write([]byte{0x16}) // the type of a handshake record
		return err
	}
	if tcp, ok := c.conn.(*net.TCPConn); ok && g.Kind == Unread {
		if err := tcp.SetReadBuffer(smallBuffer); err != nil {
			return err
		}
	}
	protocol := "http/1.1"
	if g.HTTP2 {
		protocol = "h2"
	}
	host, _, err := net.SplitHostPort(d.Address)
	if err != nil {
		return err
	}
	secure := tls.Client(c.conn, &tls.Config{RootCAs: d.roots, ServerName: host, NextProtos: []string{protocol}})
	if err := secure.HandshakeContext(ctx); err != nil {
		return err
	}
	if got := secure.ConnectionState().NegotiatedProtocol; got != protocol {
		return fmt.Errorf("speaks %q, not %s", got, protocol)
	}
	c.conn = secure
	if g.HTTP2 {
		return d.enterHTTP2(g.Kind, c)
	}
	return d.enterHTTP1(g.Kind, c)
}

func (d *door) enterHTTP1(kind string, c *client) error {
	var request string
	switch kind {
	case Silent:
		return nil
	case Header:
		request = "GET " + d.Download + " HTTP/1.1\r\nHost: " + d.Address + "\r\nX-Slow: "
	case Body:
		request = "POST " + d.Upload + " HTTP/1.1\r\nHost: " + d.Address + "\r\nX-Api-Key: " + d.Key +
			"\r\nContent-Type: application/octet-stream\r\nContent-Length: 1000000\r\n\r\n"
	case Unread:
		request = "GET " + d.Download + " HTTP/1.1\r\nHost: " + d.Address + "\r\nX-Api-Key: " + d.Key + "\r\n\r\n"
	default:
		return fmt.Errorf("no such way in HTTP/1: %q", kind)
	}
	if kind != Unread {
		c.step = func() error {
			_, err := io.WriteString(c.conn, "a")
			return err
		}
	}
	_, err := io.WriteString(c.conn, request)
	return err
}
