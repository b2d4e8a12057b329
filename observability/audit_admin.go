package observability

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net/http"
	"strings"
)

// adminCall is what becomes known of a call of the admin API while it is
// served.
type adminCall struct {
	proof    string // what allowed it: token, read_token, "" = nothing did
	full     bool   // it is with admin.token
	endpoint string // "" = there is none
	message  string
	details  map[string]string
}

type adminCallKey struct{}

func adminCallFrom(ctx context.Context) *adminCall {
	if c, ok := ctx.Value(adminCallKey{}).(*adminCall); ok {
		return c
	}
	return &adminCall{}
}

// MayChange reports whether who has sent the admin request of ctx may change
// something too.
func MayChange(ctx context.Context) bool {
	c := adminCallFrom(ctx)
	return c.full || c.proof == "certificate"
}

// AuditChange adds to the audit record of the admin request of ctx what has
// changed. Without such a request it does nothing.
func AuditChange(ctx context.Context, message string, attrs ...slog.Attr) {
	c := adminCallFrom(ctx)
	c.message, c.details = message, details(attrs)
}

// calls notes changes by the admin API, and whoever is refused.
func (a *Audit) calls(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !underAPI(r.URL) && !isProfile(r.URL) {
			next.ServeHTTP(w, r)
			return
		}
		call, out := &adminCall{}, recorder{ResponseWriter: w}
		defer func() {
			if a == nil {
				return
			}
			if r.Method != http.MethodGet && r.Method != http.MethodHead || out.status == http.StatusUnauthorized || out.status == http.StatusForbidden {
				a.Note(call.record(r, out.status))
			}
		}()
		next.ServeHTTP(&out, r.WithContext(context.WithValue(r.Context(), adminCallKey{}, call)))
	})
}

func (c *adminCall) record(r *http.Request, status int) AuditRecord {
	record := AuditRecord{
		Event: AuditAdmin, Status: status, Method: knownMethod(r.Method), Proof: c.proof, KeyID: peerName(r),
		What: c.endpoint, Details: c.details, TraceID: traceID(r.Header), Peer: r.RemoteAddr,
	}
	if c.proof != "" {
		record.Caller = "operator"
	}
	if c.message != "" {
		if record.Details == nil {
			record.Details = map[string]string{}
		}
		record.Details["change"] = c.message
	}
	switch {
	case status >= 200 && status < 300:
		record.Result = AuditChanged
	case status >= http.StatusBadRequest && status < http.StatusInternalServerError:
		record.Result, record.Reason = AuditRefused, reasonOf(status)
	default: // a panic has no status
		record.Result, record.Reason = AuditFailed, reasonOf(status)
	}
	return record
}

// reasonOf is a status as a word of the log.
func reasonOf(status int) string {
	return strings.ReplaceAll(strings.ToLower(http.StatusText(status)), " ", "_")
}

// verified reports whether who calls has shown a certificate that the listener
// trusts.
func verified(r *http.Request) bool {
	return r.TLS != nil && len(r.TLS.VerifiedChains) > 0 && len(r.TLS.VerifiedChains[0]) > 0
}

// peerName is the name in the verified certificate of who calls, "" without one.
func peerName(r *http.Request) string {
	if !verified(r) {
		return ""
	}
	return certificateName(r.TLS.VerifiedChains[0][0])
}

func certificateName(c *x509.Certificate) string {
	switch {
	case len(c.URIs) > 0:
		return c.URIs[0].String()
	case len(c.DNSNames) > 0:
		return c.DNSNames[0]
	}
	return c.Subject.CommonName
}
