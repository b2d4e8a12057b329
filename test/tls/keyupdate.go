package tls

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
)

// Rekeyer is a TLS 1.3 client that changes its keys whenever it likes, which no
// client of the usual libraries does. It only writes: what comes is to be read
// from Conn, and means nothing without the server's keys.
type Rekeyer struct {
	// Conn carries the records.
	Conn net.Conn

	secret   []byte // of what the client writes
	aead     cipher.AEAD
	iv       []byte
	sequence uint64
}

// ErrSuite is returned where the parties have chosen another suite than
// TLS_AES_128_GCM_SHA256, as they do without a processor that computes AES.
var ErrSuite = errors.New("no TLS_AES_128_GCM_SHA256")

// NewRekeyer makes a handshake on a connection.
func NewRekeyer(ctx context.Context, conn net.Conn, config *tls.Config) (*Rekeyer, error) {
	var log bytes.Buffer
	config = config.Clone()
	config.MinVersion, config.KeyLogWriter = tls.VersionTLS13, &log
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("a client that changes its keys: %w", err)
	}
	if secure.ConnectionState().CipherSuite != tls.TLS_AES_128_GCM_SHA256 {
		return nil, ErrSuite
	}
	for line := range strings.Lines(log.String()) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "CLIENT_TRAFFIC_SECRET_0" {
			secret, err := hex.DecodeString(fields[2])
			if err != nil {
				return nil, fmt.Errorf("a client that changes its keys: %w", err)
			}
			r := &Rekeyer{Conn: conn, secret: secret}
			return r, r.derive()
		}
	}
	return nil, errors.New("a client that changes its keys: the handshake told no secret")
}

// Types of content (RFC 8446 section 5.1) and of a handshake message (4).
const (
	handshakeContent   = 22
	applicationContent = 23
	keyUpdate          = 24
)

// Update changes the keys (RFC 8446 section 4.6.3), and wants the server to
// change its own if asked to.
func (r *Rekeyer) Update(both bool) error {
	request := byte(0)
	if both {
		request = 1
	}
	if err := r.write(handshakeContent, []byte{keyUpdate, 0, 0, 1, request}); err != nil {
		return err
	}
	next, err := expand(r.secret, "traffic upd", sha256.Size)
	if err != nil {
		return err
	}
	r.secret, r.sequence = next, 0
	return r.derive()
}

// Send sends data in one record.
func (r *Rekeyer) Send(data []byte) error { return r.write(applicationContent, data) }

// derive makes key and initialisation vector of the secret (RFC 8446 section 7.3).
func (r *Rekeyer) derive() error {
	const keySize, ivSize = 16, 12
	key, err1 := expand(r.secret, "key", keySize)
	iv, err2 := expand(r.secret, "iv", ivSize)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	r.iv = iv
	r.aead, err = cipher.NewGCM(block)
	return err
}

// write protects a record (RFC 8446 section 5.2) and sends it.
func (r *Rekeyer) write(content byte, data []byte) error {
	nonce := bytes.Clone(r.iv)
	at := nonce[len(nonce)-8:]
	binary.BigEndian.PutUint64(at, binary.BigEndian.Uint64(at)^r.sequence)
	r.sequence++
	inner := append(bytes.Clone(data), content)
	size := len(inner) + r.aead.Overhead()
	header := []byte{applicationContent, 3, 3, byte(size >> 8), byte(size)}
	_, err := r.Conn.Write(r.aead.Seal(header, nonce, inner, header))
	return err
}

// expand is HKDF-Expand-Label (RFC 8446 section 7.1) without a context.
func expand(secret []byte, label string, size int) ([]byte, error) {
	label = "tls13 " + label
	info := append([]byte{0, byte(size), byte(len(label))}, label...)
	return hkdf.Expand(sha256.New, secret, string(append(info, 0)), size)
}
