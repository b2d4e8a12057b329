package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/tokencache"
)

var errReply = errors.New("unexpected answer of a script")

// fields are the keys of one credential in the order of KEYS.
func fields() [4]string { return [4]string{"state", "token", "history", "lock"} }

// view is what load and claim answer.
type view struct {
	clock    measured
	granted  uint64 // fence of the claim; 0 = somebody else holds it
	saved    uint64 // generation of the token
	accepted bool
	hsaved   uint64
	forgiven int64  // milliseconds; 0 = never
	token    string // sealed; "" = none
	history  string
}

func (s *Store) view(ctx context.Context, operation string, k keys, script *redis.Script, args ...any) (view, error) {
	rest, clock, err := s.call(ctx, operation, k, script, args...)
	if err != nil {
		return view{}, err
	}
	v, err := parseView(rest)
	v.clock = clock
	return v, wrap(operation, err)
}

// write runs a script that answers whether it had an effect.
func (s *Store) write(ctx context.Context, operation string, k keys, script *redis.Script, args ...any) (bool, error) {
	rest, _, err := s.call(ctx, operation, k, script, args...)
	if err != nil {
		return false, err
	}
	if len(rest) != 1 {
		return false, wrap(operation, errReply)
	}
	ok, isInt := rest[0].(int64)
	if !isInt {
		return false, wrap(operation, errReply)
	}
	return ok == 1, nil
}

// call runs a script in one bounded call, measures Redis' clock by it and
// reports what the script had to throw away.
func (s *Store) call(ctx context.Context, operation string, k keys, script *redis.Script, args ...any) ([]any, measured, error) {
	var answer []any
	m := measured{before: s.options.Now()}
	// Every script may run twice: a claim by its owner, the others by its fence.
	err := s.conn.CallIdempotent(ctx, operation, func(ctx context.Context, r redis.UniversalClient) error {
		var err error
		answer, err = script.Run(ctx, r, k.all(), args...).Slice()
		return err
	})
	m.after = s.options.Now()
	if err != nil {
		return nil, measured{}, err // it names the operation
	}
	if len(answer) < 2 {
		return nil, measured{}, wrap(operation, errReply)
	}
	micros, isInt := answer[0].(int64)
	odd, isList := answer[1].([]any)
	if !isInt || !isList {
		return nil, measured{}, wrap(operation, errReply)
	}
	m.redis = time.UnixMicro(micros)
	for _, o := range odd {
		s.reportOdd(o)
	}
	return answer[2:], m, nil
}

func wrap(operation string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", operation, err)
}

func parseView(rest []any) (view, error) {
	if len(rest) != 7 {
		return view{}, errReply
	}
	var numbers [5]uint64
	for i := range numbers {
		n, ok := rest[i].(int64)
		if !ok || n < 0 {
			return view{}, errReply
		}
		numbers[i] = uint64(n)
	}
	token, isText := rest[5].(string)
	history, isTextToo := rest[6].(string)
	if !isText || !isTextToo {
		return view{}, errReply
	}
	return view{
		granted:  numbers[0],
		saved:    numbers[1],
		accepted: numbers[2] == 1,
		hsaved:   numbers[3],
		forgiven: int64(numbers[4]),
		token:    token,
		history:  history,
	}, nil
}

// reportOdd tells the hook of one entry of a script's list: the number of a
// key and what was wrong with it.
func (s *Store) reportOdd(entry any) {
	text, _ := entry.(string)
	index, reason, _ := strings.Cut(text, " ")
	names := fields()
	i, err := strconv.Atoi(index)
	if err != nil || i < 1 || i > len(names) {
		return
	}
	s.options.Hooks.discarded(names[i-1], reason)
}

// shared opens what a view holds. What does not open, or is not what this
// package writes, counts as absent.
func (s *Store) shared(k keys, v view) tokencache.Shared {
	out := tokencache.Shared{Forgiven: v.clock.local(v.forgiven)}
	if v.token != "" {
		if t, ok := openRecord(s, kindToken, "token", k.token, v.saved, v.token, v.clock, decodeToken); ok && s.options.Now().Before(t.Expires) {
			out.Token, out.Generation, out.Accepted = t, v.saved, v.accepted
		}
	}
	if v.history != "" {
		out.History, _ = openRecord(s, kindHistory, "history", k.history, v.hsaved, v.history, v.clock, decodeHistory)
	}
	return out
}

// The kinds of sealed values; a value of one never opens as another.
const (
	kindToken   = "token"
	kindHistory = "token-history"
)

// openRecord opens one sealed value. A failure to open it is redisconn's to
// report, a failure to read it is ours.
func openRecord[T any](s *Store, kind, field, name string, version uint64, sealed string, m measured,
	decode func([]byte, measured) (T, error),
) (T, bool) {
	var none T
	plain, err := s.conn.Open(kind, name, version, sealed)
	if err != nil {
		return none, false
	}
	record, err := decode(plain, m)
	if err != nil {
		s.options.Hooks.discarded(field, "unreadable")
		return none, false
	}
	return record, true
}
