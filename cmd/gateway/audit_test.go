package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"iqgateway/observability"
)

// audited are the records of a text among other lines, and their numbers have
// no gap.
func audited(t testing.TB, text string) []observability.AuditRecord {
	t.Helper()
	var records []observability.AuditRecord
	for line := range strings.Lines(text) {
		var r observability.AuditRecord
		if json.Unmarshal([]byte(line), &r) != nil || r.Log != "audit" {
			continue
		}
		if records = append(records, r); r.Seq != uint64(len(records)) {
			t.Errorf("record %d has number %d", len(records), r.Seq)
		}
	}
	return records
}

// awaitAudit waits for a record that is asked for.
func (r *rig) awaitAudit(t testing.TB, what string, is func(observability.AuditRecord) bool) (found observability.AuditRecord) {
	t.Helper()
	await(t, "an audit record of "+what, func() bool {
		for _, record := range audited(t, r.logs.String()) {
			if is(record) {
				found = record
				return true
			}
		}
		return false
	})
	return found
}

const auditTrace = "4bf92f3577b34da6a3ce929d0e0e4736"

// SEC-62: who, when, what, with which result and trace, whatever the level of
// the log.
func TestSEC62AuditOfRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{access: `{crm: read}`, flags: []string{"--set", "telemetry.audit.allowed=each", "--set", "telemetry.logs.level=error"}})
	traced := func(req *http.Request) { req.Header.Set("Traceparent", "00-"+auditTrace+"-00f067aa0ba902b7-01") }
	r.do(t, http.MethodGet, customers+"&$filter=canary-query", "", traced).want(t, http.StatusOK)
	r.do(t, http.MethodPost, customers, "{}").want(t, http.StatusForbidden)
	r.do(t, http.MethodGet, customers, "", func(req *http.Request) { req.Header.Set("X-Api-Key", "canary-key") }).want(t, http.StatusUnauthorized)

	allowed := r.awaitAudit(t, "an allowed request", func(a observability.AuditRecord) bool { return a.Result == observability.AuditAllowed })
	if allowed.Caller != "storefront" || allowed.Proof != "key" || allowed.KeyID != "storefront-1" || allowed.TraceID != auditTrace ||
		allowed.Service != "crm" || allowed.Environment != "sim" || allowed.Method != http.MethodGet || allowed.Status != http.StatusOK ||
		allowed.RequestID == "" || allowed.Peer == "" || allowed.Credential != "retail" || !strings.HasPrefix(allowed.Route, "/sim/crm/") {
		t.Errorf("%+v", allowed)
	}
	denied := r.awaitAudit(t, "a denied request", func(a observability.AuditRecord) bool { return a.Status == http.StatusForbidden })
	if denied.Result != observability.AuditRefused || denied.Caller != "storefront" || denied.Reason == "" {
		t.Errorf("%+v", denied)
	}
	unknown := r.awaitAudit(t, "an unknown key", func(a observability.AuditRecord) bool { return a.Status == http.StatusUnauthorized })
	if unknown.Result != observability.AuditRefused || unknown.Reason != "unknown" || unknown.Caller != "" {
		t.Errorf("%+v", unknown)
	}
	for _, secret := range []string{"canary-query", "canary-key", r.key, "Customers?"} {
		if strings.Contains(r.logs.String(), secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
}

// SEC-62: login failures, changes by operators and reloads, with what they
// changed and how it went.
func TestSEC62AuditOfOperators(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{flags: adminTokenFlags()})
	r.get(t, "http://"+r.Admin+pathCallers).want(t, http.StatusUnauthorized)
	login := r.awaitAudit(t, "a failed login", func(a observability.AuditRecord) bool { return a.Status == http.StatusUnauthorized })
	if login.Event != observability.AuditAdmin || login.Result != observability.AuditRefused || login.Reason != "unauthorized" || login.Peer == "" || login.Proof != "" {
		t.Errorf("%+v", login)
	}
	r.operate(t, "sim/crm is forced open", "breaker", "open", "sim/crm", "--for", "10m", "--reason", "INC-1")
	r.operate(t, "", "cache", "purge", "--all")
	for what, detail := range map[string]string{pathBreakerOpen: "sim/crm", pathCachePurge: "everything"} {
		a := r.awaitAudit(t, what, func(a observability.AuditRecord) bool { return a.What == what })
		if a.Result != observability.AuditChanged || a.Proof != "token" || a.Status != http.StatusOK || a.Details["change"] == "" || a.Details["breaker"]+a.Details["purge"] != detail {
			t.Errorf("%+v", a)
		}
	}
	r.order(t, pathServicePing, `{"service": "crm"}`).want(t, http.StatusOK)
	ping := r.awaitAudit(t, "a ping", func(a observability.AuditRecord) bool { return a.What == pathServicePing })
	if ping.Details["environment"] != "all" || ping.Details["service"] != "crm" || ping.Details["services"] != "1" {
		t.Errorf("%+v", ping)
	}
	first := r.reload(t)
	r.rewrite(t, "lame_duck: 0s", "lame_duck: 0s\n  hosts: [gateway.example.com]")
	second := r.reload(t)
	reload := r.awaitAudit(t, "a reload", func(a observability.AuditRecord) bool {
		return a.Event == observability.AuditReload && a.Details["new"] == second.Hash
	})
	if reload.Result != observability.AuditChanged || reload.Details["old"] != first.Hash || reload.Details["trigger"] != "api" {
		t.Errorf("%+v", reload)
	}
	r.rewrite(t, "callers:", "unknown: 1\ncallers:")
	r.order(t, pathConfigReload, "{}").want(t, http.StatusUnprocessableEntity)
	r.awaitAudit(t, "a reload that failed", func(a observability.AuditRecord) bool {
		return a.Event == observability.AuditReload && a.Result == observability.AuditFailed && a.Details["old"] == second.Hash
	})
	if strings.Contains(r.logs.String(), adminToken) {
		t.Error("the token is in the log")
	}
}

// An error of any length is told in one line of the audit log that nothing refuses.
func TestAuditBoundsWhatItIsTold(t *testing.T) {
	for text, want := range map[string]string{
		"short":                               "short",
		strings.Repeat("x", maxProblem):       strings.Repeat("x", maxProblem),
		strings.Repeat("x", maxProblem+1):     strings.Repeat("x", maxProblem) + "…",
		"x" + strings.Repeat("é", maxProblem): "x" + strings.Repeat("é", (maxProblem-1)/2) + "…",
	} {
		if got := boundedText(errors.New(text)); got != want {
			t.Errorf("of %d bytes %d are told: …%s", len(text), len(got), got[max(0, len(got)-9):])
		}
	}
}

// Orders that need no reason may have one, which the audit log keeps.
func TestSEC62AuditOfReasons(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{flags: adminTokenFlags()})
	r.operate(t, "callers.storefront.class", "override", "set", "callers.storefront.class=batch", "--for", "10m", "--reason", "INC-1")
	for what, command := range map[string][]string{
		pathBreakerReset:    {"breaker", "reset", "sim/crm"},
		pathQuotaUnblock:    {"quota", "unblock", "sim/crm/authenticated"},
		pathTokenInvalidate: {"token", "invalidate", "retail"},
		pathTokenRetry:      {"token", "retry", "retail"},
		pathCachePurge:      {"cache", "purge", "--all"},
		pathOverrides:       {"override", "clear", "--all"},
		pathConfigReload:    {"config", "reload"},
		pathLogLevel:        {"log", "level", "debug"},
	} {
		reason := "after " + what
		r.operate(t, "", append(command, "--reason", reason)...)
		r.awaitAudit(t, what+" with its reason", func(a observability.AuditRecord) bool { return a.What == what && a.Details["reason"] == reason })
	}
	r.order(t, pathBreakerReset, `{"breaker": "sim/crm", "reason": "`+strings.Repeat("long", maxOrderReason)+`"}`).want(t, http.StatusBadRequest)
}

// Allowed requests are told in sum, at the end of the gateway at the latest.
func TestAuditSumsUpWhatIsAllowed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "audit.log")
	t.Run("a gateway", func(t *testing.T) {
		r := newRig(t, rigOptions{flags: []string{"--set", "telemetry.audit.output=" + file}})
		for range 3 {
			r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
		}
	})
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range audited(t, string(text)) {
		if a.Event == observability.AuditRequests {
			if a.Count != 3 || a.Access != "read" || a.Caller != "storefront" || a.KeyID != "storefront-1" || a.Service != "crm" || a.RequestID == "" || a.Since.IsZero() {
				t.Errorf("%+v", a)
			}
			return
		}
	}
	t.Errorf("no sum in %s", text)
}

// SEC-62: a sink that takes nothing stops no request, and shows.
func TestSEC62TrafficOutlivesItsAuditLog(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("this system has no /dev/full")
	}
	r := newRig(t, rigOptions{flags: []string{"--set", "telemetry.audit.output=/dev/full", "--set", "telemetry.audit.allowed=each"}})
	for range 20 {
		r.do(t, http.MethodGet, catalogItems, "").want(t, http.StatusOK)
	}
	r.wantLog(t, "the audit log cannot be written")
	if text := r.get(t, "http://"+r.Admin+"/metrics").text; strings.Contains(text, "iqgw_audit_write_errors_total 0\n") || !strings.Contains(text, "iqgw_audit_write_errors_total") {
		t.Error("no metric shows it")
	}
}
