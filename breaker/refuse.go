package breaker

import (
	"fmt"
	"time"

	"iqgateway/internal/exchange"
)

// refuse turns a refusal into what the caller is told; late says that the
// request has waited for quota.
func (s *Set) refuse(ex *exchange.Exchange, r *refusal, late bool) error {
	ex.Breaker = string(r.state)
	s.breakers.options.Hooks.refused(Refusal{Key: r.b.key, State: r.state, Reason: r.reason, Late: late})
	p := exchange.Refuse(exchange.BreakerOpen, r.explain())
	p.Outcome = exchange.NotExecuted
	p.RetryAfter = max(r.wait, time.Second)
	p.Extra = map[string]any{"upstream": r.b.key.Environment + "/" + r.b.key.Service, "reason": string(r.reason)}
	if !r.until.IsZero() {
		p.Extra["open_until"] = r.until.UTC().Format(time.RFC3339)
	}
	return p
}

// explain tells a human what is wrong, when the next request is let through and
// that nothing was sent. It does not say that anything opens: what opens is the
// breaker, when it refuses.
func (r *refusal) explain() string {
	of := r.b.key.Environment + "/" + r.b.key.Service
	text := "Requests to " + of + " are refused for now: " + r.because() + ". "
	if r.forced == nil && r.until.IsZero() {
		return text + "Nothing was sent. Repeat it in a moment."
	}
	return text + fmt.Sprintf("The next attempt is in %d s at the earliest. Nothing was sent.", wholeSeconds(r.wait))
}

func (r *refusal) because() string {
	switch r.reason {
	case ReasonForced:
		return "an operator has stopped them"
	case ReasonThrottled:
		return "the upstream has answered 429 several times, and does not say until when"
	case ReasonProbing:
		return "it has failed lately, and other requests find out now whether it is well again"
	case ReasonRecovering:
		return "it has just recovered, and takes on its load in steps"
	default:
		if r.last.cause == "" {
			return "it has failed too often lately, as other replicas of the gateway have seen"
		}
		return "it has failed too often lately (last: " + r.last.cause + ")"
	}
}

// wholeSeconds rounds up.
func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
