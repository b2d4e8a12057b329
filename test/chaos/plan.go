package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Kind is one way to disturb the fleet.
type Kind string

// Kinds that disturb one replica: its process, the link from its callers, the
// link to the upstream. Of a stall, one direction passes and the other does not.
const (
	Kill            Kind = "gateway-kill"
	Freeze          Kind = "gateway-freeze"
	Restart         Kind = "gateway-restart"
	CallerCut       Kind = "caller-link-cut"
	CallerReset     Kind = "caller-link-reset"
	CallerStall     Kind = "caller-link-stall"
	CallerSlow      Kind = "caller-link-slow"
	CallerNarrow    Kind = "caller-link-narrow"
	CallerTruncate  Kind = "caller-link-truncate"
	OriginCut       Kind = "origin-link-cut"
	OriginReset     Kind = "origin-link-reset"
	OriginDeaf      Kind = "origin-link-deaf" // requests vanish
	OriginMute      Kind = "origin-link-mute" // answers vanish: executed, and nobody is told
	OriginSlow      Kind = "origin-link-slow"
	OriginNarrow    Kind = "origin-link-narrow"
	OriginHalfAsk   Kind = "origin-link-half-request"
	OriginHalfReply Kind = "origin-link-half-answer"
)

// Kinds that concern all replicas: the upstream, its token endpoint, Redis.
const (
	Unavailable   Kind = "upstream-503"
	FailedAfter   Kind = "upstream-500-after-execution"
	CutAfter      Kind = "upstream-cut-after-execution"
	CutBefore     Kind = "upstream-cut-before-execution"
	SlowHeader    Kind = "upstream-slow-header"
	Slow          Kind = "upstream-slow"
	Truncated     Kind = "upstream-truncated-answer"
	Garbage       Kind = "upstream-garbage"
	Throttled     Kind = "upstream-429"
	TokenDown     Kind = "token-endpoint-down"
	TokenCut      Kind = "token-link-cut"
	TokensRevoked Kind = "tokens-revoked"
	RedisKill     Kind = "redis-kill"
	RedisFreeze   Kind = "redis-freeze"
	RedisCut      Kind = "redis-link-cut"
	RedisScripts  Kind = "redis-script-flush"
)

func replicaKinds() []Kind {
	return []Kind{
		Kill, Freeze, Restart, CallerCut, CallerReset, CallerStall, CallerSlow, CallerNarrow, CallerTruncate,
		OriginCut, OriginReset, OriginDeaf, OriginMute, OriginSlow, OriginNarrow, OriginHalfAsk, OriginHalfReply,
	}
}

func commonKinds() []Kind {
	return []Kind{
		Unavailable, FailedAfter, CutAfter, CutBefore, SlowHeader, Slow, Truncated, Garbage, Throttled,
		TokenDown, TokenCut, RedisKill, RedisFreeze, RedisCut, RedisScripts,
	}
}

// Step is one disturbance of a plan.
type Step struct {
	At      time.Duration // after the beginning
	For     time.Duration
	Kind    Kind
	Replica int // everywhere for kinds that concern all
}

// String is the step's line in a log.
func (s Step) String() string {
	where := "all"
	if s.Replica != Everywhere {
		where = fmt.Sprintf("replica %d", s.Replica)
	}
	return fmt.Sprintf("%7.3fs +%5dms %s, %s", s.At.Seconds(), s.For.Milliseconds(), s.Kind, where)
}

// Plan is what happens in one round: two lanes, each one step after the other,
// so that a replica has one trouble of its own at a time while there is one that
// concerns all.
type Plan struct {
	Replicas, Common []Step
}

// NewPlan draws a plan of some length. The same seed draws the same one, and
// every kind comes before any comes again.
//
// Tokens are revoked once, or never: a gateway replaces what the upstream has
// refused once in 30 seconds, and the storm is to be about other things than
// that.
func NewPlan(seed uint64, length time.Duration, replicas int, revoke bool) Plan {
	random := rand.New(rand.NewPCG(seed, 0xc4a05))
	var once []Kind
	if revoke {
		once = append(once, TokensRevoked)
	}
	return Plan{
		Replicas: lane(random, length, replicaKinds(), nil, func() int { return random.IntN(replicas) }),
		Common:   lane(random, length, commonKinds(), once, func() int { return Everywhere }),
	}
}

// lane draws steps one after the other; once comes in the first deck alone.
func lane(random *rand.Rand, length time.Duration, kinds, once []Kind, replica func() int) []Step {
	var steps []Step
	var deck []Kind
	at := time.Duration(0)
	for {
		if len(deck) == 0 {
			deck = append(slices.Clone(kinds), once...)
			once = nil
			random.Shuffle(len(deck), func(a, b int) { deck[a], deck[b] = deck[b], deck[a] })
		}
		at += between(random, 100*time.Millisecond, 500*time.Millisecond)
		s := Step{At: at, For: lasting(random, deck[0]), Kind: deck[0], Replica: replica()}
		if s.At+s.For > length {
			return steps
		}
		steps, deck = append(steps, s), deck[1:]
		at += s.For
	}
}

// lasting draws how long a kind lasts.
func lasting(random *rand.Rand, kind Kind) time.Duration {
	switch kind {
	case Freeze, RedisFreeze:
		return 2 * time.Second
	case Kill, Restart, RedisScripts, TokensRevoked: // they last as long as they take
		return between(random, 50*time.Millisecond, 300*time.Millisecond)
	default:
		return between(random, 200*time.Millisecond, time.Second)
	}
}

func between(random *rand.Rand, least, most time.Duration) time.Duration {
	return (least + time.Duration(random.Int64N(int64(most-least)))).Truncate(time.Millisecond)
}
