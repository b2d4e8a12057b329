package observability

import (
	"math/rand/v2"
	"net/http"
)

const maxCallerRequestID = 128

// digits are those of base32hex (RFC 4648 section 7), in lower case.
const digits = "0123456789abcdefghijklmnopqrstuv"

// newRequestID returns replica + "-" + 80 random bits. The replica's name in
// it tells a fleet who keeps the record of the exchange. It need not be hard to
// guess: it opens nothing.
func newRequestID(replica string) string {
	var buffer [64]byte
	id := append(append(buffer[:0], replica...), '-')
	for range 2 {
		bits := rand.Uint64()
		for range 8 {
			id = append(id, digits[bits%32])
			bits /= 32
		}
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
