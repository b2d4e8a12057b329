package redisstore

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"time"

	"iqgateway/cache"
	"iqgateway/internal/redisconn"
)

// kind names the tier in key names, sealed values and measurements.
const kind = "cache"

const (
	// DefaultMaxValue bounds one value, in bytes.
	DefaultMaxValue = 8 << 20
	// maxTTL is the longest that a value stays.
	maxTTL = 30 * 24 * time.Hour
	// oversizeAlone is for how long nobody waits for another's answer after one
	// was too large to be put.
	oversizeAlone = 10 * time.Second
)

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

func (o TierOptions) withDefaults() TierOptions {
	if o.MaxValue <= 0 {
		o.MaxValue = DefaultMaxValue
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Tier is the cache's second tier in Redis; see [cache.Tier] for the contract.
// Every method is one round trip (two when Redis has lost the script or when a
// value has to be thrown away) and bounded by the connection's timeout. Every
// failure is a [cache.ErrAway]. It is safe for concurrent use.
type Tier struct {
	conn    *redisconn.Conn
	options TierOptions
	scripts tierScripts
	packer  packer
	clock   clock
	doubts  doubts
}

var _ cache.Tier = (*Tier)(nil)

// NewTier returns the tier behind conn. It starts nothing and asks Redis
// nothing. The error is redisconn.ErrNoKeys where conn cannot seal values:
// answers never lie in Redis in the clear.
func NewTier(conn *redisconn.Conn, o TierOptions) (*Tier, error) {
	if !conn.Sealing() {
		return nil, fmt.Errorf("answers cannot be shared through Redis: set redis.encryption_keys: %w", redisconn.ErrNoKeys)
	}
	o = o.withDefaults()
	return &Tier{
		conn:    conn,
		options: o,
		scripts: newTierScripts(),
		packer:  packer{most: o.MaxValue},
		clock:   clock{now: o.Now},
	}, nil
}

// Get implements cache.Tier.
func (t *Tier) Get(ctx context.Context, name string) (cache.Entry, error) {
	k := t.keys(name)
	answer, now, err := t.call(ctx, "cache.get", k, t.scripts.get, t.options.MaxValue)
	if err != nil {
		return cache.Entry{}, err
	}
	f, err := readFound(answer)
	if err != nil {
		return cache.Entry{}, err
	}
	if f.why != "" {
		t.options.Hooks.discarded("value", f.why)
	}
	entry := cache.Entry{Claimed: f.claimed, Alone: f.alone}
	if f.text == "" {
		return entry, nil
	}
	value, age, bad := t.open(k, f.text, now)
	if bad == nil {
		entry.Value, entry.Age = value, age
		return entry, nil
	}
	if bad.why != "" {
		t.options.Hooks.discarded("value", bad.why)
	}
	if bad.begins != "" {
		// Who fails to remove it has lost nothing: it stays a miss.
		_, _, _ = t.call(ctx, "cache.discard", k, t.scripts.discard, bad.begins)
	}
	return entry, nil
}

// Claim implements cache.Tier. After an error the claim may have been made: the
// next Claim, Put or Release of that name by this Tier finds it.
func (t *Tier) Claim(ctx context.Context, name string, lasting time.Duration) (token string, ok bool, err error) {
	k := t.keys(name)
	lasting = max(lasting, time.Millisecond)
	if token = t.doubts.take(k.claim, t.options.Now()); token == "" {
		token = rand.Text()
	}
	for range 2 { // once more where the clock was another server's
		sent, _ := t.clock.millis()
		var done int64
		done, err = t.do(ctx, "cache.claim", k, t.scripts.claim, token, lasting.Milliseconds(), sent)
		switch {
		case err != nil:
			t.doubts.add(k.claim, token, t.options.Now(), lasting+patience)
			return "", false, err
		case done == answerYes:
			return token, true, nil
		case done == answerNo:
			return "", false, nil
		}
	}
	return "", false, away(fmt.Errorf("cache.claim: %w", errLate))
}

// Renew implements cache.Tier.
func (t *Tier) Renew(ctx context.Context, name, token string, lasting time.Duration) (bool, error) {
	if token == "" {
		return false, nil
	}
	done, err := t.do(ctx, "cache.renew", t.keys(name), t.scripts.renew, token, max(lasting, time.Millisecond).Milliseconds())
	return done == answerYes, err
}

// Put implements cache.Tier. The time to live counts from the call, even where
// Redis executes it much later. A value that is too large is not put; nobody
// waits for another's for a while then.
func (t *Tier) Put(ctx context.Context, name string, value []byte, ttl time.Duration, token string) error {
	k := t.keys(name)
	if len(value) > t.options.MaxValue {
		return t.oversize(ctx, name, token, len(value))
	}
	sent, err := t.time(ctx)
	if err != nil {
		return err
	}
	sealed, err := t.conn.Seal(kind, k.value, uint64(sent), t.packer.pack(value))
	if err != nil {
		return away(err)
	}
	text := strconv.FormatInt(sent, 10) + " " + sealed
	if len(text) > t.options.MaxValue {
		return t.oversize(ctx, name, token, len(text))
	}
	_, err = t.do(ctx, "cache.put", k, t.scripts.put, text, min(ttl, maxTTL).Milliseconds(), sent, t.token(k, token))
	return err
}

func (t *Tier) oversize(ctx context.Context, name, token string, bytes int) error {
	t.options.Hooks.oversize(bytes)
	if err := t.Delete(ctx, name); err != nil { // what it would have replaced
		return err
	}
	return t.Release(ctx, name, token, oversizeAlone)
}

// Release implements cache.Tier.
func (t *Tier) Release(ctx context.Context, name, token string, alone time.Duration) error {
	k := t.keys(name)
	_, err := t.do(ctx, "cache.release", k, t.scripts.release, t.token(k, token), max(alone, 0).Milliseconds())
	return err
}

// token is the given one, or that of a claim whose answer was lost.
func (t *Tier) token(k tierKeys, token string) string {
	if token == "" {
		return t.doubts.take(k.claim, t.options.Now())
	}
	return token
}

// Delete implements cache.Tier.
func (t *Tier) Delete(ctx context.Context, name string) error {
	_, err := t.do(ctx, "cache.delete", t.keys(name), t.scripts.discard, "")
	return err
}

// tierKeys are the keys of one name.
type tierKeys struct{ value, claim, alone string }

func (t *Tier) keys(name string) tierKeys {
	k := t.conn.Key(kind, name)
	return tierKeys{value: k.Field("value"), claim: k.Field("claim"), alone: k.Field("alone")}
}

// all is what every script gets as KEYS, in that order.
func (k tierKeys) all() []string { return []string{k.value, k.claim, k.alone} }
