// Package redisstore keeps in Redis what replicas know of callers: when each
// credential was last used.
package redisstore

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/auth"
	"iqgateway/internal/redisconn"
)

// kind names this store in key names and measurements.
const kind = "uses"

const (
	// life is how long uses are remembered after the last one of all.
	life = 400 * 24 * time.Hour
	// atOnce bounds what one call names.
	atOnce = 500
)

// Uses implements [auth.UseStore] as one hash: a field for each credential, its
// name hidden, with seconds since 1970.
type Uses struct {
	conn  *redisconn.Conn
	key   string
	merge *redis.Script
}

// NewUses returns the store behind conn.
func NewUses(conn *redisconn.Conn) *Uses {
	return &Uses{conn: conn, key: conn.Key(kind).Field("last"), merge: redis.NewScript(mergeScript)}
}

// mergeScript keeps the later of what is stored and what is told.
//
// KEYS the hash. ARGV its life (ms), then field and value in turn.
const mergeScript = `
for i = 2, #ARGV, 2 do
  local last = tonumber(redis.call('HGET', KEYS[1], ARGV[i]) or '0')
  if last == nil or last < tonumber(ARGV[i + 1]) then redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 0
`

// field hides who the credential is of.
func (u *Uses) field(id auth.CredentialID) string {
	return u.conn.Hide(kind, id.Caller+"\n"+id.Proof+"\n"+id.ID)
}

// Merge implements [auth.UseStore].
func (u *Uses) Merge(ctx context.Context, used map[auth.CredentialID]time.Time) error {
	for some := range slices.Chunk(slices.Collect(maps.Keys(used)), atOnce) {
		args := []any{life.Milliseconds()}
		for _, id := range some {
			args = append(args, u.field(id), used[id].Unix())
		}
		err := u.conn.CallIdempotent(ctx, "uses.merge", func(ctx context.Context, r redis.UniversalClient) error {
			return u.merge.Run(ctx, r, []string{u.key}, args...).Err()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Last implements [auth.UseStore].
func (u *Uses) Last(ctx context.Context, of []auth.CredentialID) (map[auth.CredentialID]time.Time, error) {
	last := map[auth.CredentialID]time.Time{}
	for some := range slices.Chunk(of, atOnce) {
		fields := make([]string, len(some))
		for i, id := range some {
			fields[i] = u.field(id)
		}
		var values []any
		err := u.conn.CallIdempotent(ctx, "uses.last", func(ctx context.Context, r redis.UniversalClient) (err error) {
			values, err = r.HMGet(ctx, u.key, fields...).Result()
			return err
		})
		if err != nil {
			return last, err
		}
		for i, v := range values {
			text, _ := v.(string) // nil = it was never used
			if seconds, err := strconv.ParseInt(text, 10, 64); err == nil && seconds > 0 && i < len(some) {
				last[some[i]] = time.Unix(seconds, 0)
			}
		}
	}
	return last, nil
}
