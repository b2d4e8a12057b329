package observability

import (
	"encoding/json"
	"log/slog"
	"strings"
	"time"
)

// What a record is about.
const (
	AuditRequest   = "request"   // one request of a caller
	AuditRequests  = "requests"  // many that were allowed, in sum
	AuditHandshake = "handshake" // of TLS, refused for the client's certificate
	AuditAdmin     = "admin"     // a change by the admin API, or somebody who may not
	AuditCommand   = "command"   // of an operator, by another replica
	AuditReload    = "reload"    // of the configuration
	AuditRotation  = "rotation"  // of secrets and certificates in files
	AuditOverride  = "override"  // of a setting, that has ended by itself
)

// How a decision went.
const (
	AuditAllowed = "allowed"
	AuditRefused = "refused"
	AuditChanged = "changed"
	AuditFailed  = "failed"
)

// AuditRecord is one decision. No field holds a secret, a path or a query.
type AuditRecord struct {
	Time    time.Time `json:"time"`
	Log     string    `json:"log"` // "audit", where other lines share the stream
	Seq     uint64    `json:"seq"` // of this process, without gaps but for lost records
	Replica string    `json:"replica"`
	Event   string    `json:"event"`
	Result  string    `json:"result"`
	Reason  string    `json:"reason,omitempty"` // from a bounded set
	Status  int       `json:"status,omitempty"`

	Caller  string `json:"caller,omitempty"`
	Proof   string `json:"proof,omitempty"`
	KeyID   string `json:"key_id,omitempty"`
	Claimed string `json:"claimed,omitempty"` // whom refused credentials name; proven by nothing

	Method      string `json:"method,omitempty"`
	Environment string `json:"environment,omitempty"`
	Service     string `json:"service,omitempty"`
	Route       string `json:"route,omitempty"`
	Credential  string `json:"credential,omitempty"`
	Access      string `json:"access,omitempty"` // read or write, in a sum

	What    string            `json:"what,omitempty"` // was changed
	Details map[string]string `json:"details,omitempty"`

	Count      int64     `json:"count,omitempty"`
	Suppressed int64     `json:"suppressed,omitempty"` // records like this one that were not written
	Since      time.Time `json:"since,omitzero"`
	RequestID  string    `json:"request_id,omitempty"`
	TraceID    string    `json:"trace_id,omitempty"`
	Peer       string    `json:"peer,omitempty"`
}

// changes reports whether the record tells of a change of what the gateway does,
// or of one that has failed.
func (r *AuditRecord) changes() bool {
	switch r.Event {
	case AuditAdmin, AuditCommand, AuditReload, AuditRotation, AuditOverride:
		return r.Result == AuditChanged || r.Result == AuditFailed
	default:
		return false
	}
}

// appendLine appends the record as one line of JSON.
func (r *AuditRecord) appendLine(b []byte) []byte {
	for _, text := range []*string{
		&r.Reason, &r.Caller, &r.Proof, &r.KeyID, &r.Claimed, &r.Method, &r.Environment, &r.Service, &r.Route,
		&r.Credential, &r.What, &r.RequestID, &r.TraceID, &r.Peer,
	} {
		*text = capString(*text, maxLogField)
	}
	for key, value := range r.Details {
		r.Details[key] = capString(value, maxLogField)
	}
	line, err := json.Marshal(r)
	if err != nil { // cannot happen: texts, numbers and times of this age
		return b
	}
	return append(append(b, line...), '\n')
}

// details are attributes of a log line as texts.
func details(attrs []slog.Attr) map[string]string {
	texts := make(map[string]string, len(attrs))
	for _, a := range attrs {
		value := a.Value.Resolve()
		if list, ok := value.Any().([]string); ok {
			texts[a.Key] = strings.Join(list, ", ")
			continue
		}
		texts[a.Key] = value.String()
	}
	return texts
}
