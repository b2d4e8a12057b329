package proxy

import (
	"fmt"
	"net/http"

	"iqgateway/internal/exchange"
)

// BodyLength returns the stage that refuses bodies which are announced to be
// longer than limit bytes; 0 = none is. It stands behind the authentication:
// whoever is not known learns nothing but that. [Sanitize] bounds what is read,
// announced or not.
func BodyLength(limit int64, refuse func(http.ResponseWriter, *http.Request, error)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if limit > 0 && r.ContentLength > limit {
				p := exchange.Refuse(exchange.BodyTooLarge, fmt.Sprintf(
					"the body has %d bytes, the limit is %d (server.limits.max_body)", r.ContentLength, limit))
				p.Outcome = exchange.NotExecuted
				refuse(w, r, p)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}
