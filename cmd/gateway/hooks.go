package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"iqgateway/internal/fleet"
	"iqgateway/observability"
	"iqgateway/tokencache"
)

// This file turns what the tokens and the fleet report into metrics and log
// lines.

func (s *stores) tokenHooks() tokencache.Hooks {
	return tokencache.Hooks{
		FetchDone:     s.tokenFetched,
		Rejected:      s.tokenRejected,
		Refused:       s.credentialRefused,
		Adopted:       s.tokenAdopted,
		RolledBack:    s.tokenRolledBack,
		ClaimLost:     s.claimLost,
		StoreFailed:   s.tokenStoreFailed,
		Rotated:       s.secretsRotated,
		RereadFailed:  s.secretsUnreadable,
		HistoryFailed: s.historyFailed,
		Panicked:      s.fetchPanicked,
		Waited:        s.tokenWaited,
	}
}

// milliseconds is a duration as the access log writes them.
func milliseconds(name string, d time.Duration) slog.Attr {
	return slog.Float64(name, float64(d.Microseconds())/1000)
}

// event logs what belongs to no request.
func (s *stores) event(level slog.Level, message string, attrs ...slog.Attr) {
	s.log.LogAttrs(context.Background(), level, message, attrs...)
}

func (s *stores) tokenEvent(level slog.Level, message string, id tokencache.ID, attrs ...slog.Attr) {
	who := []slog.Attr{slog.String("environment", id.Environment), slog.String("credential", id.Credential)}
	s.event(level, message, append(who, attrs...)...)
}

func (s *stores) tokenFetched(info tokencache.FetchInfo) {
	s.metrics.TokenFetched(context.Background(), observability.TokenFetch{
		Environment: info.ID.Environment, Credential: info.ID.Credential,
		Reason: string(info.Reason), Outcome: string(info.Outcome), Duration: info.Duration,
	})
	s.traces.Work(tokenWork(info))
	attrs := []slog.Attr{
		observability.ExchangeAttr(info.Exchange), slog.String("reason", string(info.Reason)), slog.String("outcome", string(info.Outcome)), milliseconds("duration_ms", info.Duration),
	}
	if info.Err != nil {
		s.tokenEvent(slog.LevelError, "no token", info.ID, append(attrs, slog.String("error", info.Err.Error()))...)
		return
	}
	if !s.sealing() { // else the fleet numbers it, when it is shared
		attrs = append(attrs, slog.Uint64("generation", info.Generation))
	}
	s.tokenEvent(slog.LevelInfo, "token fetched", info.ID, append(attrs, slog.Time("expires", info.Expires))...)
}

func tokenWork(info tokencache.FetchInfo) observability.Work {
	w := observability.Work{
		Name: "token.fetch", Method: http.MethodPost, Exchange: info.Exchange, Took: info.Took,
		Reason: string(info.Reason), Generation: info.Generation,
	}
	if info.Err != nil {
		w.Failure = string(info.Outcome)
	}
	return w
}

func (s *stores) tokenRejected(info tokencache.RejectInfo) {
	s.metrics.TokenRejected(context.Background(), info.ID.Environment, info.ID.Credential, info.Service)
	s.tokenEvent(slog.LevelWarn, "an upstream answered 401 to our token", info.ID, observability.ExchangeAttr(info.Exchange),
		slog.String("service", info.Service), slog.Uint64("generation", info.Generation), slog.Bool("replayed", info.Replayed))
}

func (s *stores) credentialRefused(info tokencache.RefuseInfo) {
	attrs := []slog.Attr{slog.Int("refusals", info.Refusals), slog.Bool("stopped", info.Stopped)}
	if !info.Next.IsZero() {
		attrs = append(attrs, slog.Time("next_attempt", info.Next))
	}
	s.tokenEvent(slog.LevelError, "the token endpoint refuses the credential: correct its secrets, or unlock the account and run gateway token retry", info.ID, attrs...)
}

func (s *stores) tokenAdopted(info tokencache.AdoptInfo) {
	s.metrics.TokenAdopted(context.Background(), info.ID.Environment, info.ID.Credential)
	s.tokenEvent(slog.LevelInfo, "token taken over from another replica", info.ID,
		slog.String("holder", info.Holder), slog.Uint64("generation", info.Generation), slog.Time("expires", info.Expires))
}

func (s *stores) tokenRolledBack(info tokencache.RollbackInfo) {
	s.metrics.TokenRolledBack(context.Background(), info.ID.Environment, info.ID.Credential)
	s.tokenEvent(slog.LevelWarn, "Redis shows an older token than before, which is not used", info.ID,
		slog.Uint64("generation", info.Generation), slog.Uint64("seen", info.Seen))
}

func (s *stores) claimLost(id tokencache.ID) {
	s.tokenEvent(slog.LevelWarn, "another replica fetched a token meanwhile", id)
}

func (s *stores) tokenStoreFailed(id tokencache.ID, operation string, err error) {
	s.tokenEvent(slog.LevelDebug, "tokens are not shared at the moment", id, slog.String("operation", operation), slog.String("error", err.Error()))
}

func (s *stores) secretsRotated(id tokencache.ID) {
	s.auditRotation("secrets of credential "+id.Environment+"/"+id.Credential, nil)
	s.tokenEvent(slog.LevelInfo, "the credential's secrets have changed", id)
}

func (s *stores) secretsUnreadable(id tokencache.ID, err error) {
	s.auditRotation("secrets of credential "+id.Environment+"/"+id.Credential, err)
	s.metrics.SecretUnread(context.Background(), id.Environment, id.Credential)
	s.tokenEvent(slog.LevelError, "secrets cannot be read again, the last ones stay", id, slog.String("error", err.Error()))
}

func (s *stores) historyFailed(id tokencache.ID, err error) {
	if id == (tokencache.ID{}) {
		s.event(slog.LevelError, "old refusals in data_dir cannot be removed", slog.String("error", err.Error()))
		return
	}
	s.tokenEvent(slog.LevelError, "refusals of the credential cannot be kept in data_dir", id, slog.String("error", err.Error()))
}

func (s *stores) fetchPanicked(id tokencache.ID, value any, stack []byte) {
	s.panicked(context.Background(), "panic in a token fetch", value, stack, slog.String("environment", id.Environment), slog.String("credential", id.Credential))
}

func (s *stores) tokenWaited(id tokencache.ID, waited time.Duration, _ error) {
	s.metrics.TokenWaited(context.Background(), id.Environment, id.Credential, waited)
}

func (s *stores) fleetHooks() fleet.Hooks {
	return fleet.Hooks{Executed: s.commandExecuted, Missed: s.commandsMissed, Panicked: s.commandPanicked}
}

func (s *stores) commandExecuted(e fleet.Execution) {
	s.auditCommand(e)
	var attrs []slog.Attr
	if e.Kind != "" { // else it could not be opened
		attrs = append(attrs, slog.String("kind", e.Kind), slog.String("from", e.From))
	}
	attrs = append(attrs, milliseconds("duration_ms", e.Duration))
	if e.Err == nil {
		s.event(slog.LevelInfo, "command of an operator", attrs...)
		return
	}
	attrs = append(attrs, slog.String("error", e.Err.Error()))
	if len(e.Stack) > 0 {
		s.metrics.Panicked(context.Background())
		attrs = append(attrs, slog.String("stack", string(e.Stack)))
	}
	s.event(slog.LevelError, "command of an operator failed", attrs...)
}

func (s *stores) commandsMissed() {
	s.event(slog.LevelWarn, "commands of operators were missed while Redis was away; send again those that still matter")
}
