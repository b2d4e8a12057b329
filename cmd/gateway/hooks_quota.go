package main

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"iqgateway/limiter"
	"iqgateway/observability"
)

// This file turns what the quotas report into metrics and log lines.

func (s *stores) quotaHooks() limiter.Hooks {
	return limiter.Hooks{
		Left:            s.quotaLeft,
		Resent:          s.quotaResent,
		Returned:        s.quotaReturned,
		Repeated:        s.quotaRepeated,
		Anomalies:       s.quotaAnomalies,
		UpstreamRefused: s.quotaUpstreamRefused,
		WindowClosed:    s.quotaWindowEnded,
		Acquired:        s.quotaAcquired,
		StoreState:      s.quotaStoreState,
		Repaired:        s.quotaRepaired,
		Conflict:        s.quotaConflict,
		Panicked:        s.quotaPanicked,
	}
}

func quotaBucket(n limiter.Name) observability.QuotaBucket {
	return observability.QuotaBucket{Environment: n.Environment, Service: n.Service, Policy: n.Policy, Of: n.Of}
}

func (s *stores) quotaEvent(level slog.Level, message string, b limiter.Name, attrs ...slog.Attr) {
	s.event(level, message, append([]slog.Attr{slog.String("bucket", b.String())}, attrs...)...)
}

func (s *stores) quotaHappened(b limiter.Name, event string) {
	s.metrics.QuotaEvent(context.Background(), quotaBucket(b), event)
}

func (s *stores) quotaReturned(b limiter.Name) { s.quotaHappened(b, "returned") }
func (s *stores) quotaRepeated(b limiter.Name) { s.quotaHappened(b, "repeated") }
func (s *stores) quotaConflict(b limiter.Name) { s.quotaHappened(b, "phase_conflict") }

func (s *stores) quotaResent(b limiter.Name, times int) {
	s.metrics.QuotaResent(context.Background(), quotaBucket(b), times)
}

func (s *stores) quotaLeft(info limiter.RequestInfo) {
	s.metrics.QuotaAsked(context.Background(), observability.QuotaRequest{
		Bucket: quotaBucket(info.Bucket), Caller: info.Caller, Class: info.Class.String(),
		Refused: string(info.Reason), Waited: info.Waited, Held: info.Held,
	})
}

func (s *stores) quotaAnomalies(b limiter.Name, found limiter.Anomalies) {
	var names []string
	for a := range found.All() {
		s.metrics.QuotaAnomaly(context.Background(), quotaBucket(b), a.String())
		names = append(names, a.String())
	}
	s.quotaEvent(slog.LevelDebug, "quota fields of the upstream that cannot be meant", b, slog.String("anomalies", strings.Join(names, ", ")))
}

func (s *stores) quotaUpstreamRefused(b limiter.Name, kind limiter.RefusedKind, count int) {
	s.metrics.QuotaUpstreamRefused(context.Background(), quotaBucket(b), string(kind), count)
	level := slog.LevelInfo
	if kind == limiter.RefusedUnexpected || kind == limiter.RefusedHidden {
		level = slog.LevelWarn
	}
	s.quotaEvent(level, "the upstream answered 429", b, slog.String("kind", string(kind)), slog.Int("count", count))
}

func (s *stores) quotaWindowEnded(b limiter.Name, c limiter.Closed) {
	ended := observability.QuotaWindow{
		Bucket: quotaBucket(b), Proof: c.Proof, Limit: c.Limit, Spent: max(0, c.Own-c.Wasted), External: c.External, Wasted: c.Wasted,
	}
	if c.Used > 0 {
		ended.Missing = max(0, c.Counted-c.Used)
	}
	s.metrics.QuotaWindowEnded(context.Background(), ended)
	s.quotaEvent(slog.LevelDebug, "quota window ended", b, slog.Int64("limit", c.Limit), slog.Int64("own", c.Own),
		slog.Int64("external", c.External), slog.Int64("upstream_used", c.Used), slog.Int64("unspent", c.Wasted), slog.Int64("upstream_429", c.Refused))
}

func (s *stores) quotaAcquired(info limiter.AcquireInfo) {
	outcome := "ok"
	if info.Err != nil {
		outcome = "failed"
	} else {
		s.quotaSeen.answered(info.Bucket, info.Answer, time.Now())
	}
	s.metrics.QuotaAcquired(context.Background(), quotaBucket(info.Bucket), outcome, info.Duration)
}

func (s *stores) quotaStoreState(b limiter.Name, err error) {
	s.quotaSeen.turned(b, err != nil)
	if err != nil {
		s.quotaEvent(slog.LevelWarn, "the store of quotas does not answer: held tokens are spent, then the local share", b, slog.String("error", err.Error()))
		return
	}
	s.quotaEvent(slog.LevelInfo, "quota is coordinated with the fleet again", b)
}

func (s *stores) quotaRepaired(b limiter.Name) {
	s.quotaHappened(b, "state_regression")
	s.quotaEvent(slog.LevelWarn, "the store had lost what was taken of a quota; this replica has told it again", b)
}

func (s *stores) quotaPanicked(b limiter.Name, value any, stack []byte) {
	s.panicked(context.Background(), "panic in the quotas", value, stack, slog.String("bucket", b.String()))
}

func (s *stores) quotaDiscarded(field, reason string) { s.valueDiscarded("quota "+field, reason) }
