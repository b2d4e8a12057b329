package limiter

import (
	"context"

	"iqgateway/internal/exchange"
)

var _ exchange.QuotaToken = (*call)(nil)

// Void implements [exchange.QuotaToken].
func (c *call) Void() bool { return c.ticket != nil && c.bucket.void(c.ticket) }

// Renew implements [exchange.QuotaToken]. The request is at the head of the
// queue: it has had its turn.
func (c *call) Renew(ctx context.Context) error {
	if c.ticket != nil {
		c.giveBack(c.ticket)
		c.ticket = nil
	}
	ticket, refusal := c.acquire(ctx, true)
	if ticket == nil {
		why := ReasonLeft
		if refusal != nil {
			why = refusal.Reason
		}
		c.exchange.QuotaResult = string(why)
		return c.refuse(ctx, refusal)
	}
	c.ticket = ticket
	return nil
}
