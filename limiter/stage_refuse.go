package limiter

import (
	"context"
	"fmt"
	"strings"
	"time"

	"iqgateway/internal/exchange"
)

// refuse turns the lack of a token into what the caller is told; refusal is nil
// if it has left.
func (c *call) refuse(ctx context.Context, refusal *Refusal) error {
	if refusal == nil { // nobody reads a problem
		return fmt.Errorf("waiting for quota: %w", context.Cause(ctx))
	}
	c.exchange.QuotaSource = exchange.QuotaGateway
	p := exchange.Refuse(problemOf(refusal.Reason), c.explain(refusal))
	p.Outcome = exchange.NotExecuted
	p.RetryAfter = max(refusal.RetryAfter, time.Second)
	p.Extra = c.members(refusal)
	return p
}

// problemOf: 429 says that the quota is used up, 503 that the gateway cannot
// serve it as it should.
func problemOf(r Reason) exchange.ProblemType {
	if r == ReasonFull || r == ReasonStore {
		return exchange.QuotaUnavailable
	}
	return exchange.QuotaExceeded
}

// members are what programs read: the registered member violated-policies and
// the bucket in numbers.
func (c *call) members(r *Refusal) map[string]any {
	v := r.View
	extra := map[string]any{"bucket": c.exchange.QuotaBucket, "reason": string(r.Reason)}
	switch {
	case r.Reason == ReasonStore:
	case v.Limiting:
		extra["violated-policies"] = []string{"share"}
	case c.exchange.Target != nil:
		extra["violated-policies"] = []string{c.exchange.Target.QuotaPolicy()}
	}
	if v.Known {
		extra["limit"], extra["remaining"] = v.Limit, v.Remaining
	}
	if v.Opens > 0 {
		extra["opens_in_seconds"] = wholeSeconds(v.Opens)
	}
	if len(v.Top) > 0 {
		top := make([]map[string]any, len(v.Top))
		for i, u := range v.Top {
			top[i] = map[string]any{"caller": u.Caller, "used": u.Spent}
		}
		extra["top"] = top
	}
	return extra
}

// explain tells a human which bucket it is, who holds how much of it, when it
// opens and what can be done.
func (c *call) explain(r *Refusal) string {
	var text strings.Builder
	text.WriteString("This request needs one token of the quota " + c.exchange.QuotaBucket + limitText(c.bucket.settings().Kind, r.View) + ", and ")
	text.WriteString(c.reason(r) + ". ")
	text.WriteString(holders(r.View))
	if r.View.Opens > 0 {
		fmt.Fprintf(&text, "The quota opens again in %d s. ", wholeSeconds(r.View.Opens))
	}
	text.WriteString("Nothing was sent. " + c.remedy(r))
	return text.String()
}

func limitText(kind BucketKind, v View) string {
	switch {
	case !v.Known || v.Limit == 0:
		return ""
	case kind == Concurrency:
		return fmt.Sprintf(" (%d at once)", v.Limit)
	case v.Window > 0:
		return fmt.Sprintf(" (%d per %s)", v.Limit, spell(v.Window.Round(time.Millisecond)))
	default:
		return fmt.Sprintf(" (%d per window)", v.Limit)
	}
}

// spell writes 1m for 1m0s.
func spell(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// reason continues "… and".
func (c *call) reason(r *Refusal) string {
	switch r.Reason {
	case ReasonFull:
		return "too many requests wait for it already"
	case ReasonStore:
		return "the gateway cannot coordinate it with its other replicas now (quota.on_store_error is deny)"
	case ReasonNoWait:
		return c.spent(r.View) + ": it would have to wait, which it must not"
	case ReasonDeadline:
		return fmt.Sprintf("%s: it has waited for %s, as long as it may", c.spent(r.View), r.Waited.Round(time.Millisecond))
	default:
		return fmt.Sprintf("%s: its turn would come in about %d s, later than it may wait", c.spent(r.View), wholeSeconds(r.RetryAfter))
	}
}

func (c *call) spent(v View) string {
	switch {
	case v.Blocked:
		return "nothing is sent on it for a time, because an operator has blocked it or the upstream has asked to wait"
	case v.Limiting:
		return fmt.Sprintf("your cap of %d is used up", v.Cap)
	default:
		return "none is left for you now"
	}
}

// holders names the callers that have used most, and what others have used.
func holders(v View) string {
	var parts []string
	for _, u := range v.Top {
		parts = append(parts, fmt.Sprintf("%s %d", u.Caller, u.Spent))
	}
	if v.External > 0 {
		parts = append(parts, fmt.Sprintf("programs outside this gateway %d", v.External))
	}
	if len(parts) == 0 {
		return ""
	}
	return "Used so far: " + strings.Join(parts, ", ") + ". "
}

func (c *call) remedy(r *Refusal) string {
	switch {
	case r.Reason == ReasonStore, r.View.Blocked:
		return "Repeat it later."
	case c.exchange.NoWait:
		return "Repeat it later, or leave X-Gateway-Wait out so that it waits for its turn."
	case c.class == Interactive:
		return "Repeat it later, send it with X-Request-Priority: batch if it can wait longer and you may, or ask the platform team for a share of this quota."
	default:
		return "Repeat it later, or ask the platform team for a share of this quota."
	}
}

// wholeSeconds rounds up: a window that opens in 0.3 s is not open.
func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// view is what the caller of this request may be shown, at the moment of the
// call.
func (c *call) view() exchange.QuotaView { return c.bucket.shown(c.caller) }

// shown is what a caller may be shown of the bucket now.
func (b *bucket) shown(caller string) exchange.QuotaView {
	v := b.view(caller)
	shown := exchange.QuotaView{
		Known: v.Known, Concurrency: b.settings().Kind == Concurrency,
		Limit: v.Limit, Remaining: v.Remaining, Opens: v.Opens, Window: v.Window,
		Share: v.Share, ShareRemaining: v.ShareRemaining, Limiting: v.Limiting,
	}
	if !v.Reset.IsZero() {
		shown.Reset = v.Form.Format(v.Reset)
	}
	return shown
}
