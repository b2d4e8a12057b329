package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/cache"
	"iqgateway/internal/redisconn"
)

var (
	errAnswer = errors.New("an answer that none of its scripts gives")
	errLate   = errors.New("executed too late")
)

// away makes every failure one to carry on without.
func away(err error) error {
	if err == redisconn.ErrAway { //nolint:errorlint // identity is promised: nothing was tried
		return cache.ErrAway
	}
	return fmt.Errorf("%w: %w", cache.ErrAway, err)
}

// call runs a script in one bounded call and learns Redis' clock from it.
func (t *Tier) call(ctx context.Context, operation string, k tierKeys, script *redis.Script, args ...any) (answer []any, now int64, err error) {
	err = t.conn.CallIdempotent(ctx, operation, func(ctx context.Context, r redis.UniversalClient) (err error) {
		answer, err = script.Run(ctx, r, k.all(), args...).Slice()
		return err
	})
	if err != nil {
		return nil, 0, away(err) // it names the operation
	}
	if len(answer) == 0 {
		return nil, 0, away(fmt.Errorf("%s: %w", operation, errAnswer))
	}
	now, ok := answer[0].(int64)
	if !ok {
		return nil, 0, away(fmt.Errorf("%s: %w", operation, errAnswer))
	}
	t.clock.learn(now)
	return answer[1:], now, nil
}

// do runs a script that answers with a word.
func (t *Tier) do(ctx context.Context, operation string, k tierKeys, script *redis.Script, args ...any) (int64, error) {
	answer, _, err := t.call(ctx, operation, k, script, args...)
	if err != nil {
		return answerNo, err
	}
	if len(answer) == 1 {
		if done, ok := answer[0].(int64); ok {
			return done, nil
		}
	}
	return answerNo, away(fmt.Errorf("%s: %w", operation, errAnswer))
}

// time is Redis' clock now; only the very first use asks for it.
func (t *Tier) time(ctx context.Context) (int64, error) {
	if millis, ok := t.clock.millis(); ok {
		return millis, nil
	}
	err := t.conn.CallIdempotent(ctx, "cache.time", func(ctx context.Context, r redis.UniversalClient) error {
		now, err := r.Time(ctx).Result()
		if err == nil {
			t.clock.learn(now.UnixMilli())
		}
		return err
	})
	if err != nil {
		return 0, away(err)
	}
	millis, _ := t.clock.millis()
	return millis, nil
}

// found is what the get script answers.
type found struct {
	text, why      string
	claimed, alone bool
}

func readFound(answer []any) (found, error) {
	if len(answer) != 4 {
		return found{}, away(fmt.Errorf("cache.get: %w", errAnswer))
	}
	text, ok1 := answer[0].(string)
	why, ok2 := answer[1].(string)
	claimed, ok3 := answer[2].(int64)
	alone, ok4 := answer[3].(int64)
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return found{}, away(fmt.Errorf("cache.get: %w", errAnswer))
	}
	return found{text: text, why: why, claimed: claimed == 1, alone: alone == 1}, nil
}

// unusable says what is wrong with a value.
type unusable struct {
	why    string // for our hook; "" = redisconn has told
	begins string // what is to be removed begins with it; "" = let it be
}

// maxAhead is left to the clocks of servers that fail over.
const maxAhead = time.Minute

// open returns the value in "<stamp> <sealed>" and how old it is.
func (t *Tier) open(k tierKeys, text string, now int64) ([]byte, time.Duration, *unusable) {
	first, sealed, _ := strings.Cut(text, " ")
	begins := text[:min(len(text), 64)] // the nonce is in it, which tells it from a newer one
	stamp, err := strconv.ParseInt(first, 10, 64)
	if err != nil || stamp <= 0 || stamp > now+maxAhead.Milliseconds() {
		return nil, 0, &unusable{"stamp", begins}
	}
	packed, err := t.conn.Open(kind, k.value, uint64(stamp), sealed)
	if err != nil {
		if rejected, ok := errors.AsType[*redisconn.RejectedError](err); ok && rejected.Reason == redisconn.UnknownKey {
			return nil, 0, &unusable{} // other replicas may have the key
		}
		return nil, 0, &unusable{begins: begins}
	}
	value, err := t.packer.unpack(packed)
	switch {
	case err == nil:
	case errors.Is(err, errFormat):
		return nil, 0, &unusable{"format", begins}
	case errors.Is(err, errSize):
		return nil, 0, &unusable{"size", begins}
	default:
		return nil, 0, &unusable{"unreadable", begins}
	}
	return value, time.Duration(max(now-stamp, 0)) * time.Millisecond, nil
}
