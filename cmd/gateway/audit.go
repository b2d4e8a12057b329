package main

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"strings"

	"iqgateway/config"
	"iqgateway/internal/fleet"
	"iqgateway/observability"
)

// streams are what a gateway may write to beside its log, nil = nowhere, and the
// variables of its process that are not the configuration's.
type streams struct {
	stdout, stderr io.Writer
	environ        []string
}

// openAudit makes the audit log, unless there is to be none. It writes once the
// stores run.
func (s *stores) openAudit(cfg *config.Config, to streams, replica string) error {
	var sink observability.AuditSink
	switch out := cfg.Telemetry.Audit.Output; out {
	case "none":
		return nil
	case "stdout":
		sink = auditStream(to.stdout)
	case "stderr":
		sink = auditStream(to.stderr)
	default:
		sink = observability.AuditFile(out)
	}
	audit, err := observability.NewAudit(observability.AuditOptions{
		Sink: sink, Replica: replica, Allowed: cfg.Telemetry.Audit.Allowed,
		Hooks: observability.AuditHooks{Dropped: s.metrics.AuditDropped, WriteFailed: s.auditFailed, Panicked: s.auditPanicked},
	})
	s.audit = audit
	return err
}

func auditStream(w io.Writer) observability.AuditSink {
	if w == nil {
		w = io.Discard
	}
	return observability.AuditTo(w)
}

func (s *stores) auditFailed(err error) {
	s.metrics.AuditWriteFailed()
	s.event(slog.LevelError, "the audit log cannot be written, which is tried again", slog.String("error", err.Error()))
}

func (s *stores) auditPanicked(value any, stack []byte) {
	s.panicked(context.Background(), "panic in the audit log", value, stack)
}

// maxProblem bounds what the audit log and other replicas are told of an error, in
// bytes; the replica's own log has all of it.
const maxProblem = 4096

func boundedText(err error) string {
	text := err.Error()
	if len(text) <= maxProblem {
		return text
	}
	return strings.ToValidUTF8(text[:maxProblem], "") + "…"
}

// auditRotation notes that secrets or certificates in files have changed, or
// why what the files hold now is not used.
func (s *stores) auditRotation(what string, err error) {
	r := observability.AuditRecord{Event: observability.AuditRotation, Result: observability.AuditChanged, What: what}
	if err != nil {
		r.Result, r.Reason, r.Details = observability.AuditFailed, "unusable", map[string]string{"error": boundedText(err)}
	}
	s.audit.Note(r)
}

// auditCommand notes what another replica was ordered.
func (s *stores) auditCommand(e fleet.Execution) {
	r := observability.AuditRecord{
		Event: observability.AuditCommand, Result: observability.AuditChanged, What: e.Kind, Details: map[string]string{"from": e.From},
	}
	if e.Err != nil {
		r.Result, r.Reason, r.Details["error"] = observability.AuditFailed, "failed", boundedText(e.Err)
	}
	s.audit.Note(r)
}

// auditReload notes what a reload has brought.
func (s *stores) auditReload(trigger, before string, done reloaded, err error) {
	r := observability.AuditRecord{
		Event: observability.AuditReload, Result: observability.AuditChanged, What: "configuration",
		Details: map[string]string{"trigger": trigger, "old": before, "new": done.Hash, "changed": strconv.Itoa(len(done.Changed))},
	}
	if err != nil {
		r.Result, r.Reason = observability.AuditFailed, "invalid"
		r.Details = map[string]string{"trigger": trigger, "old": before, "error": boundedText(err)}
	}
	s.audit.Note(r)
}
