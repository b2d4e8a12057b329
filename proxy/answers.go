package proxy

import (
	"net/http"

	"iqgateway/internal/exchange"
)

// Answers makes stored answers the gateway's own, as the forward stage does with
// those that come straight from an upstream. It is safe for concurrent use.
type Answers struct {
	locations *Locations
	headers   HeaderMode
}

// NewAnswers takes the same Locations and Headers as the forward stage; nil
// leaves references alone.
func NewAnswers(l *Locations, m HeaderMode) *Answers {
	return &Answers{locations: l, headers: m}
}

// Decorate changes the header of a stored answer into that of an answer to r,
// whose exchange is routed and has its Cache and, where a bucket counts the
// request, its QuotaView: references to the upstream lead back to the gateway,
// Via, Cache-Status, the live quota fields and Server-Timing come. The map is
// changed, the values in it are not: they may be shared with the store.
//
// What [UpstreamOnly] names must not be stored in the first place: here nobody
// looks for it. Nor must a status that no upstream may give a caller (401 about
// our own credential, 407).
func (a *Answers) Decorate(h http.Header, r *http.Request, status int) {
	ex := exchange.From(r.Context())
	id := h["X-Request-Id"] // the observe stage has set it
	if a.locations != nil && ex.Target != nil {
		a.locations.rewriteHeader(h, ex, r)
	}
	switch {
	case ex.ID == "":
	case len(id) == 1 && id[0] == ex.ID:
		h["X-Request-Id"] = id
	default:
		h["X-Request-Id"] = []string{ex.ID}
	}
	a.headers.add(h, ex, status)
}
