package redisstore

import (
	"context"

	"iqgateway/tokencache"
)

// Extend is one heartbeat, as one that was under way for long arrives.
func Extend(ctx context.Context, held tokencache.Claim) (kept bool, err error) {
	c := held.(*claim)
	s := c.store
	return s.write(ctx, "token.extend", c.keys, s.scripts.extend, c.owner, c.fence, s.options.LockTTL.Milliseconds())
}
