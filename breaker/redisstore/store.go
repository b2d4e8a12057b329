package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/breaker"
	"iqgateway/internal/redisconn"
)

// Options configure a [Store]. The zero value works.
type Options struct {
	Hooks Hooks
}

// Store shares breakers through Redis; see breaker.Store for the contract.
// Every method is one round trip, two when Redis has lost the script.
type Store struct {
	conn    *redisconn.Conn
	hooks   Hooks
	scripts scripts
	keys    []string // records, claims
	hidden  sync.Map // of name to what stands for it
}

var _ breaker.Store = (*Store)(nil)

// New returns a Store over conn. It starts nothing and asks Redis nothing.
func New(conn *redisconn.Conn, o Options) *Store {
	key := conn.Key("breaker")
	return &Store{conn: conn, hooks: o.Hooks, scripts: newScripts(), keys: []string{key.Field("records"), key.Field("claims")}}
}

// Load implements breaker.Store.
func (s *Store) Load(ctx context.Context, names []string) (map[string]breaker.Record, error) {
	rest, err := s.call(ctx, "breaker.load", s.scripts.load)
	if err != nil {
		return nil, err
	}
	stored, err := readRecords(rest)
	if err != nil {
		return nil, fmt.Errorf("breaker.load: %w", err)
	}
	found := make(map[string]breaker.Record)
	if len(stored) == 0 {
		return found, nil
	}
	for _, name := range names {
		if values, there := stored[s.hide(name)]; there {
			if r, ok := s.read(values); ok {
				found[name] = r
			}
		}
	}
	return found, nil
}

// Apply implements breaker.Store.
func (s *Store) Apply(ctx context.Context, name string, c breaker.Change) (breaker.Record, error) {
	text, err := encode(c)
	if err != nil {
		return breaker.Record{}, err
	}
	forced, probe := 0, ""
	if c.Reason == breaker.ReasonForced {
		forced = 1
	}
	if c.Probe != "" {
		probe = s.hide(c.Probe)
	}
	rest, err := s.call(ctx, "breaker.apply", s.scripts.apply,
		s.hide(name), string(c.State), ms(c.For), max(0, c.Step), text, forced, probe, ms(min(c.Age, keep)))
	if err != nil {
		return breaker.Record{}, err
	}
	if len(rest) != 1 {
		return breaker.Record{}, fmt.Errorf("breaker.apply: %w", errReply)
	}
	r, _ := s.read(rest[0])
	return r, nil
}

// Claim implements breaker.Store. After an error the claim may have been made;
// it ends by itself.
func (s *Store) Claim(ctx context.Context, name string, p breaker.Probe) (bool, breaker.Record, error) {
	rest, err := s.call(ctx, "breaker.claim", s.scripts.claim, s.hide(name), s.hide(p.ID), p.Limit, ms(p.TTL))
	if err != nil {
		return false, breaker.Record{}, err
	}
	if len(rest) != 2 {
		return false, breaker.Record{}, fmt.Errorf("breaker.claim: %w", errReply)
	}
	granted, ok := rest[1].(int64)
	if !ok {
		return false, breaker.Record{}, fmt.Errorf("breaker.claim: %w", errReply)
	}
	r, _ := s.read(rest[0])
	return granted == 1, r, nil
}

// call runs a script and reports what it had to throw away.
func (s *Store) call(ctx context.Context, operation string, script *redis.Script, args ...any) ([]any, error) {
	var answer []any
	// Every script may run twice: a claim is known by its probe, and a change
	// that is made again is the same.
	err := s.conn.CallIdempotent(ctx, operation, func(ctx context.Context, r redis.UniversalClient) (err error) {
		answer, err = script.Run(ctx, r, s.keys, args...).Slice()
		return err
	})
	if err != nil {
		return nil, err // it names the operation
	}
	odd, ok := first(answer)
	if !ok {
		return nil, fmt.Errorf("%s: %w", operation, errReply)
	}
	for _, o := range odd {
		text, _ := o.(string)
		field, reason, _ := strings.Cut(text, " ")
		s.hooks.discarded(field, reason)
	}
	return answer[1:], nil
}

func first(answer []any) ([]any, bool) {
	if len(answer) == 0 {
		return nil, false
	}
	list, ok := answer[0].([]any)
	return list, ok
}

var errReply = errors.New("unexpected answer of a script")

// hide returns what stands for a name in Redis. Names come from the
// configuration, so that there are few; those of probes are not remembered.
func (s *Store) hide(name string) string {
	if known, ok := s.hidden.Load(name); ok {
		return known.(string)
	}
	h := s.conn.Hide("breaker", name)
	if strings.Contains(name, "/") {
		s.hidden.Store(name, h)
	}
	return h
}

// ms rounds up: what lasts for less than a millisecond lasts for one.
func ms(d time.Duration) int64 { return int64((max(0, d) + time.Millisecond - 1) / time.Millisecond) }
