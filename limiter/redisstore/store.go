package redisstore

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/redisconn"
	"iqgateway/limiter"
)

// Options configure a [Store]. The zero value works.
type Options struct {
	Hooks Hooks
}

// Store is the fleet's side of every bucket, kept in Redis; see limiter.Store
// for the contract. Every method is one round trip, two when Redis has lost the
// script, and bounded by the connection's timeout.
type Store struct {
	conn    *redisconn.Conn
	hooks   Hooks
	names   *names
	scripts scripts
}

var _ limiter.Store = (*Store)(nil)

// New returns a Store over conn. It starts nothing and asks Redis nothing.
func New(conn *redisconn.Conn, o Options) *Store {
	return &Store{
		conn:    conn,
		hooks:   o.Hooks,
		names:   newNames(func(name string) string { return conn.Hide("quota caller", name) }),
		scripts: newScripts(serverClock),
	}
}

// Acquire implements limiter.Store.
func (s *Store) Acquire(ctx context.Context, key limiter.Key, ask limiter.Ask) (limiter.Answer, error) {
	text, order, err := s.encodeAsk(ask)
	if err != nil {
		return limiter.Answer{}, err
	}
	reply, err := s.call(ctx, "quota.acquire", key, s.scripts.acquire, text)
	if err == redisconn.ErrAway { //nolint:errorlint // identity is promised: nothing was tried
		return limiter.Answer{}, limiter.ErrStoreAway
	}
	if err != nil {
		return limiter.Answer{}, err
	}
	answer, err := s.decodeAnswer(reply.text, order)
	if err != nil {
		return limiter.Answer{}, fmt.Errorf("quota.acquire: %w", err)
	}
	return answer, nil
}

// View implements limiter.Store. Callers whose names nobody has told this Store
// are shown as one, [OtherCaller].
func (s *Store) View(ctx context.Context, key limiter.Key, callers []string) (limiter.Snapshot, error) {
	for _, name := range callers {
		s.names.hide(name) // learns it
	}
	reply, err := s.call(ctx, "quota.view", key, s.scripts.view)
	if err != nil {
		return limiter.Snapshot{}, err
	}
	snapshot, err := s.decodeSnapshot(reply)
	if err != nil {
		return limiter.Snapshot{}, fmt.Errorf("quota.view: %w", err)
	}
	return snapshot, nil
}

// Block implements limiter.Store. The reason stands in Redis in clear.
func (s *Store) Block(ctx context.Context, key limiter.Key, until int64, reason string) error {
	_, err := s.call(ctx, "quota.block", key, s.scripts.block, until, reason)
	return err
}

// keys are what every script gets as KEYS: they lie in one cluster slot.
func (s *Store) keys(key limiter.Key) []string {
	k := s.conn.Key("quota", key.Environment, key.Service, key.Policy, key.Counted)
	return []string{k.Field("state"), k.Field("history")}
}

// reply is what a script answers: what it threw away, a text and more.
type reply struct {
	text string
	rest []any
}

// call runs a script in one bounded call and reports what it had to throw
// away. Every script may run twice: an Ask by its Seq, the others change
// nothing or set the same again.
func (s *Store) call(ctx context.Context, operation string, key limiter.Key, script *redis.Script, args ...any) (reply, error) {
	keys := s.keys(key)
	var answer []any
	err := s.conn.CallIdempotent(ctx, operation, func(ctx context.Context, r redis.UniversalClient) error {
		var err error
		answer, err = script.Run(ctx, r, keys, args...).Slice()
		return err
	})
	if err != nil {
		return reply{}, err // it names the operation
	}
	if len(answer) < 2 {
		return reply{}, fmt.Errorf("%s: %w", operation, errAnswer)
	}
	odd, isList := answer[0].([]any)
	text, isText := answer[1].(string)
	if !isList || !isText {
		return reply{}, fmt.Errorf("%s: %w", operation, errAnswer)
	}
	for _, entry := range odd {
		s.reportOdd(entry)
	}
	return reply{text: text, rest: answer[2:]}, nil
}

// reportOdd tells the hook of one "field reason" in a script's list.
func (s *Store) reportOdd(entry any) {
	text, _ := entry.(string)
	field, reason, ok := strings.Cut(text, " ")
	if ok {
		s.hooks.discarded(field, reason)
	}
}
