package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/callerlimit"
	"iqgateway/internal/redisconn"
)

// Options configure a [Store]. The zero value works.
type Options struct {
	Hooks Hooks
}

// Store shares limits of callers through Redis; see callerlimit.Store for the
// contract. An Ask is one round trip, two when Redis has lost the script.
type Store struct {
	conn   *redisconn.Conn
	hooks  Hooks
	script *redis.Script
	names  sync.Map // of caller or replica to what stands for it; there are few
}

var _ callerlimit.Store = (*Store)(nil)

// New returns a Store over conn. It starts nothing and asks Redis nothing.
func New(conn *redisconn.Conn, o Options) *Store {
	return &Store{conn: conn, hooks: o.Hooks, script: newScript(serverClock)}
}

const operation = "callerlimit.ask"

// Ask implements callerlimit.Store. It is not repeated where a connection
// breaks: what it gives back would come back twice.
func (s *Store) Ask(ctx context.Context, caller string, a callerlimit.Ask) (callerlimit.Answer, error) {
	return s.ask(ctx, caller, a)
}

func (s *Store) ask(ctx context.Context, caller string, a callerlimit.Ask, more ...any) (callerlimit.Answer, error) {
	args := append([]any{
		s.name("replica", a.Replica, s.hide), a.Fleet, flag(a.Known), strconv.FormatFloat(a.Rate, 'g', 17, 64), a.Burst, a.Concurrency,
		a.Have, a.Held, a.Want, a.Back, a.Debt, a.Slots, a.Need, flag(a.Resting),
	}, more...)
	var values []any
	err := s.conn.Call(ctx, operation, func(ctx context.Context, r redis.UniversalClient) (err error) {
		values, err = s.script.Run(ctx, r, []string{s.name("caller", caller, s.key)}, args...).Slice()
		return err
	})
	if err != nil {
		return callerlimit.Answer{}, err // it names the operation
	}
	return s.read(values)
}

func flag(is bool) int {
	if is {
		return 1
	}
	return 0
}

// name returns what stands for a caller or a replica.
func (s *Store) name(kind, name string, find func(string) string) string {
	known, ok := s.names.Load([2]string{kind, name})
	if !ok {
		known, _ = s.names.LoadOrStore([2]string{kind, name}, find(name))
	}
	return known.(string)
}

func (s *Store) hide(replica string) string { return s.conn.Hide("callerlimit", replica) }

func (s *Store) key(caller string) string { return s.conn.Key("callerlimit", caller).Field("state") }

var errReply = errors.New("unexpected answer of a script")

// read reads odd, granted, wait, slots and due.
func (s *Store) read(values []any) (callerlimit.Answer, error) {
	if len(values) != 5 {
		return callerlimit.Answer{}, fmt.Errorf("%s: %w", operation, errReply)
	}
	var numbers [4]int
	for i, v := range values[1:] {
		text, _ := v.(string)
		n, err := strconv.ParseInt(text, 10, 53)
		if err != nil || n < 0 {
			return callerlimit.Answer{}, fmt.Errorf("%s: %w", operation, errReply)
		}
		numbers[i] = int(n)
	}
	if odd, _ := values[0].(string); odd != "" {
		s.hooks.discarded(odd)
	}
	return callerlimit.Answer{
		Granted: numbers[0], Wait: time.Duration(numbers[1]) * time.Microsecond, Slots: numbers[2], Due: numbers[3],
	}, nil
}
