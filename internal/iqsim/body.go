package iqsim

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
)

// peekLimit is how much of a request body is read before the service runs. A
// body that ends within it and is broken is never executed.
const peekLimit = 1 << 20

// bodyMeter passes a request body on and measures it.
type bodyMeter struct {
	io.ReadCloser
	sum    hash.Hash
	length int64
	ended  bool  // there is nothing left to read
	err    error // why the body did not come as a whole
}

// meter puts a meter on the body of r and reads ahead; the error tells that
// the body is broken.
func meter(r *http.Request) (*bodyMeter, error) {
	m := &bodyMeter{ReadCloser: r.Body, sum: sha256.New()}
	if r.Body == nil || r.Body == http.NoBody {
		m.ReadCloser, m.ended = http.NoBody, true
		return m, nil
	}
	var head bytes.Buffer
	_, err := io.CopyN(&head, m, peekLimit)
	if errors.Is(err, io.EOF) {
		r.Body = io.NopCloser(&head)
		return m, nil
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(&head, m), m}
	return m, err
}

// Read reads on and measures.
func (m *bodyMeter) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	m.length += int64(n)
	m.sum.Write(p[:n])
	if err != nil {
		m.ended = true
		if !errors.Is(err, io.EOF) {
			m.err = err
		}
	}
	return n, err
}

// drainLimit bounds what is read of a body that a service left unread.
const drainLimit = 64 << 20

// drain reads what is left, so that the ledger knows the whole body.
func (m *bodyMeter) drain() {
	_, _ = io.CopyN(io.Discard, m, drainLimit) // Read keeps the error
}

// report writes what was measured into e.
func (m *bodyMeter) report(e *LedgerEntry) {
	e.BodyLength = m.length
	if m.length > 0 {
		e.BodySHA256 = hex.EncodeToString(m.sum.Sum(nil))
	}
	if m.err != nil {
		e.BodyError = m.err.Error()
	}
}
