package observability

import (
	"encoding/hex"
	"math/rand/v2"
	"net/http"

	"iqgateway/internal/exchange"
)

const maxCallerRequestID = 128

// digits are those of base32hex (RFC 4648 section 7), in lower case.
const digits = "0123456789abcdefghijklmnopqrstuv"

// names are the texts by which an exchange is known.
type names struct{ request, trace, span string }

// newNames returns the texts of a trace's ids, and a request id: replica + "-" +
// 80 random bits. The replica's name in it tells a fleet who keeps the record of
// the exchange. It need not be hard to guess: it opens nothing. All of them are
// one allocation.
func newNames(replica string, t exchange.Trace) names {
	var buffer [128]byte
	all := hex.AppendEncode(hex.AppendEncode(buffer[:0], t.ID[:]), t.Span[:])
	ids := len(all)
	all = append(append(all, replica...), '-')
	for range 2 {
		bits := rand.Uint64()
		for range 8 {
			all = append(all, digits[bits%32])
			bits /= 32
		}
	}
	text := string(all)
	return names{request: text[ids:], trace: text[:2*len(t.ID)], span: text[2*len(t.ID) : ids]}
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
