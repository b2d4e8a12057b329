package observability

import (
	"encoding/hex"
	"net/http"
	"strings"

	"iqgateway/internal/exchange"
)

// exchanged notes what was decided about a request that ended with status.
func (a *Audit) exchanged(r *http.Request, ex *exchange.Exchange, status int) {
	if a == nil {
		return
	}
	result, reason := judgement(ex)
	switch {
	case result == "":
		return
	case result != AuditAllowed, a.options.Allowed == AllowedEach:
	case a.options.Allowed == AllowedSummary:
		a.summary.add(ex)
		return
	default:
		return
	}
	record := AuditRecord{
		Event: AuditRequest, Result: result, Reason: reason, Status: status, Claimed: ex.Claimed,
		Method: knownMethod(r.Method), Credential: ex.Credential, RequestID: ex.ID, TraceID: traceID(r.Header), Peer: ex.Peer,
	}
	if c := ex.Caller; c != nil {
		record.Caller, record.Proof, record.KeyID = c.Name, c.Proof, c.KeyID
	}
	if t := ex.Target; t != nil {
		record.Environment, record.Service, record.Route = t.Environment, t.Service, t.Route
	}
	a.Note(record)
}

// judgement says how a request was decided on, and why, from a bounded set; ""
// = it was not, as its caller had left before.
func judgement(ex *exchange.Exchange) (result, reason string) {
	p := ex.Problem
	switch {
	case ex.Refused != "":
		return AuditRefused, ex.Refused
	case p != nil && p.Status() >= http.StatusInternalServerError:
		return AuditFailed, string(p.Type)
	case p != nil:
		return AuditRefused, string(p.Type)
	case ex.Caller == nil:
		return "", ""
	}
	return AuditAllowed, ""
}

// traceID returns the trace that a request belongs to, "" if it names none (W3C
// Trace Context, section 3.2.2).
func traceID(h http.Header) string {
	fields := h["Traceparent"]
	if len(fields) != 1 || len(fields[0]) < 55 || fields[0][2] != '-' || fields[0][35] != '-' {
		return ""
	}
	id := fields[0][3:35]
	if raw, err := hex.DecodeString(id); err != nil || strings.ToLower(id) != id || allZero(raw) {
		return ""
	}
	return id
}

func allZero(b []byte) bool {
	for _, v := range b {
		if v != 0 {
			return false
		}
	}
	return true
}
