package observability

import (
	"crypto/rand"
	"encoding/base32"
	"net/http"
)

const maxCallerRequestID = 128

// newRequestID returns replica + "-" + 80 random bits. The replica's name in
// it tells a fleet who keeps the record of the exchange.
func newRequestID(replica string) string {
	var random [10]byte
	_, _ = rand.Read(random[:]) // documented never to fail
	var buffer [64]byte
	id := append(append(buffer[:0], replica...), '-')
	begin := len(id)
	id = base32.HexEncoding.AppendEncode(id, random[:])
	for i := range id[begin:] {
		id[begin+i] |= 'a' - 'A' // digits have that bit already
	}
	return string(id)
}

// callerRequestID returns the caller's own id when it is one a log can take:
// at most 128 visible ASCII characters.
func callerRequestID(h http.Header) string {
	id := h.Get("X-Request-Id")
	if len(id) > maxCallerRequestID {
		return ""
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return ""
		}
	}
	return id
}
