// Package redisstore keeps the fleet's usage in Redis. It implements usage.Store.
//
// Each day is one hash, which ends by itself:
//
//	ENVIRONMENT SERVICE CALLER CREDENTIAL : LETTER   a count; names are hidden by HMACs of 12 digits each
//	rest : LETTER                                    of all that found no room
//	seq : WRITER                                     the last batch of a process, so that it counts once
package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/redisconn"
	"iqgateway/usage"
)

// kind names this store in key names and measurements.
const kind = "usage"

const (
	hiddenName = 12 // characters of a name, as redisconn.Conn.Hide has it
	names      = 4
	letters    = "ratcfb" // requests, attempts, tokens, cache hits, refusals, bytes
	restField  = "rest"
)

// addScript adds a batch unless it was added before.
//
// KEYS the day. ARGV its life (ms), how many fields it may have, the field and the
// number of the batch, then field, letter and increment in turn.
const addScript = `
local key = KEYS[1]
if tonumber(redis.call('HGET', key, ARGV[3]) or '0') >= tonumber(ARGV[4]) then return 0 end
local room = tonumber(ARGV[2]) - redis.call('HLEN', key)
redis.call('HSET', key, ARGV[3], ARGV[4])
for i = 5, #ARGV, 3 do
  local field = ARGV[i] .. ':' .. ARGV[i + 1]
  if redis.call('HEXISTS', key, field) == 0 then
    if room > 0 then room = room - 1 else field = 'rest:' .. ARGV[i + 1] end
  end
  redis.call('HINCRBY', key, field, ARGV[i + 2])
end
redis.call('PEXPIRE', key, ARGV[1])
return 1
`

// Store is the usage of the fleet behind one connection.
type Store struct {
	conn *redisconn.Conn
	add  *redis.Script
}

var _ usage.Store = (*Store)(nil)

// New returns the store behind conn. It starts nothing and asks Redis nothing.
func New(conn *redisconn.Conn) *Store { return &Store{conn: conn, add: redis.NewScript(addScript)} }

func (s *Store) key(d usage.Day) string { return s.conn.Key(kind, d.String()).Field("counts") }

// parts are the names in the order of a field, each with the word of its kind.
func parts(n usage.Names) [names][2]string {
	return [names][2]string{{"environment", n.Environment}, {"service", n.Service}, {"caller", n.Caller}, {"credential", n.Credential}}
}

func (s *Store) hide(word, name string) string { return s.conn.Hide(kind+"."+word, name) }

func (s *Store) field(n usage.Names) string {
	if n.Caller == usage.Rest {
		return restField
	}
	var b strings.Builder
	for _, p := range parts(n) {
		b.WriteString(s.hide(p[0], p[1]))
	}
	return b.String()
}

// Add implements [usage.Store]. A repeated batch is recognised by its number, so
// that it may be told again after a call whose fate is not known.
func (s *Store) Add(ctx context.Context, b usage.Batch) error {
	life := (usage.KeepDays + 1) * 24 * time.Hour
	args := []any{life.Milliseconds(), usage.MaxKeys * len(letters), "seq:" + s.hide("writer", b.Writer), b.Seq}
	for n, c := range b.Counts {
		field := s.field(n)
		for i, count := range list(c) {
			if count != 0 {
				args = append(args, field, letters[i:i+1], count)
			}
		}
	}
	return s.conn.CallIdempotent(ctx, "usage.add", func(ctx context.Context, r redis.UniversalClient) error {
		return s.add.Run(ctx, r, []string{s.key(b.Day)}, args...).Err()
	})
}

// list has the counts in the order of letters.
func list(c usage.Counts) [len(letters)]int64 {
	return [...]int64{c.Requests, c.Attempts, c.Tokens, c.Hits, c.Refusals, c.BytesOut}
}

// Read implements [usage.Store]. A name that is not among known is told as the
// beginning of its hash.
func (s *Store) Read(ctx context.Context, first, last usage.Day, known []string) (usage.Days, error) {
	plain := map[string]string{}
	for _, name := range append([]string{""}, known...) {
		for _, p := range parts(usage.Names{}) {
			plain[p[0]+s.hide(p[0], name)] = name
		}
	}
	days := usage.Days{}
	for day := first; day <= last; day++ {
		var fields map[string]string
		err := s.conn.CallIdempotent(ctx, "usage.read", func(ctx context.Context, r redis.UniversalClient) (err error) {
			fields, err = r.HGetAll(ctx, s.key(day)).Result()
			return err
		})
		if err != nil {
			return nil, err
		}
		if counts := read(fields, plain); len(counts) > 0 {
			days[day] = counts
		}
	}
	return days, nil
}

// read leaves out what cannot be ours.
func read(fields, plain map[string]string) map[usage.Names]usage.Counts {
	counts := map[usage.Names]usage.Counts{}
	for field, text := range fields {
		hidden, letter, _ := strings.Cut(field, ":")
		n, err := strconv.ParseInt(text, 10, 64)
		at := strings.Index(letters, letter)
		if err != nil || len(letter) != 1 || at < 0 || hidden != restField && len(hidden) != names*hiddenName {
			continue
		}
		var one [len(letters)]int64
		one[at] = n
		of := namesOf(hidden, plain)
		counts[of] = counts[of].Plus(usage.Counts{
			Requests: one[0], Attempts: one[1], Tokens: one[2], Hits: one[3], Refusals: one[4], BytesOut: one[5],
		})
	}
	return counts
}

func namesOf(hidden string, plain map[string]string) usage.Names {
	if hidden == restField {
		return usage.Names{Environment: usage.Rest, Service: usage.Rest, Caller: usage.Rest, Credential: usage.Rest}
	}
	var found [names]string
	for i, p := range parts(usage.Names{}) {
		one := hidden[i*hiddenName : (i+1)*hiddenName]
		name, ok := plain[p[0]+one]
		if !ok {
			name = fmt.Sprintf("(gone %s)", one)
		}
		found[i] = name
	}
	return usage.Names{Environment: found[0], Service: found[1], Caller: found[2], Credential: found[3]}
}
