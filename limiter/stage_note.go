package limiter

import (
	"time"

	"iqgateway/internal/exchange"
)

// standing is a bucket in two numbers, as a caller is shown them; both 0 = not
// known.
type standing struct{ limit, remaining int64 }

// note tells of a token that was asked for; there is neither ticket nor refusal if
// the caller has left.
func (c *call) note(since time.Time, ticket *Ticket, refusal *Refusal, left standing) {
	w := exchange.Wait{Kind: exchange.WaitQuota, Took: c.bucket.now().Sub(since), Bucket: c.exchange.QuotaBucket, Failed: ticket == nil}
	switch {
	case ticket != nil:
		w.Result = grantedAs(ticket)
	case refusal != nil:
		w.Result = string(refusal.Reason)
		if left = (standing{}); refusal.View.Known {
			left = standing{refusal.View.Limit, refusal.View.Remaining}
		}
	default:
		w.Result = string(ReasonLeft)
	}
	w.Limit, w.Remaining = left.limit, left.remaining
	c.exchange.Waited(since, w)
}
