// Package redisstore is the fleet's store in Redis. Four keys in one cluster
// slot hold it: when each member was last seen, what it told, the commands in
// their order, and how far that order has come. In the same slot there are for
// seconds the questions for one replica, and the answer to one. Each ends by
// itself.
package redisstore

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/fleet"
	"iqgateway/internal/redisconn"
)

// kind names this store in key names, sealed values and measurements.
const kind = "fleet"

const (
	memberLife = time.Minute
	// headLife is longer than commands are kept: the head tells replicas that
	// were cut off what they have missed.
	headLife = 24 * time.Hour
	// appendTries bounds how often a command may be overtaken by others.
	appendTries = 30
)

// ErrBusy is the error of a command that was overtaken by others time and
// again; it was not sent.
var ErrBusy = errors.New("too many commands at the same time")

// Store implements [fleet.Store].
type Store struct {
	conn                          *redisconn.Conn
	seen, members, commands, head string
	beat, add, list, ask          *redis.Script
	key                           redisconn.Key
}

// New returns the store behind conn. Commands need conn to have keys to seal
// them; without, only members are shared.
func New(conn *redisconn.Conn) *Store {
	key := conn.Key(kind)
	return &Store{
		conn: conn, key: key,
		seen: key.Field("seen"), members: key.Field("members"), commands: key.Field("commands"), head: key.Field("head"),
		beat: redis.NewScript(beatScript), add: redis.NewScript(appendScript), list: redis.NewScript(membersScript),
		ask: redis.NewScript(askScript),
	}
}

// Beat implements [fleet.Store].
func (s *Store) Beat(ctx context.Context, b fleet.Beat) (fleet.News, error) {
	record, err := encodeRecord(b.Member)
	if err != nil {
		return fleet.News{}, err
	}
	var start int64
	if !b.Member.Started.IsZero() {
		start = b.Member.Started.UnixMicro()
	}
	box := s.boxOf(b.Member.Replica)
	var answer []any
	err = s.conn.CallIdempotent(ctx, "fleet.beat", func(ctx context.Context, r redis.UniversalClient) (err error) {
		answer, err = s.beat.Run(ctx, r, []string{s.seen, s.members, s.commands, s.head, box},
			b.Member.Replica, start, b.Age.Microseconds(), int64(b.Member.Done), record, oneIf(b.Want),
			fleet.Silence.Microseconds(), fleet.KeptFor.Microseconds(), memberLife.Milliseconds(), oneIf(b.Listen)).Slice()
		return err
	})
	if err != nil {
		return fleet.News{}, s.heal(ctx, err, box)
	}
	return s.readNews(b.Member.Replica, answer)
}

func oneIf(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Append implements [fleet.Store].
func (s *Store) Append(ctx context.Context, c fleet.Command) (fleet.ID, error) {
	if !s.conn.Sealing() {
		return 0, redisconn.ErrNoKeys
	}
	for range appendTries {
		id, err := s.append(ctx, 0, "")
		if err != nil {
			return 0, err
		}
		c.ID = id
		value, err := s.seal(c)
		if err != nil {
			return 0, err
		}
		if id, err = s.append(ctx, id, value); err != nil || id != 0 {
			return id, err
		}
	}
	return 0, ErrBusy
}

// append asks for the next id when it is given none. It is not tried twice: the
// second command would be another one.
func (s *Store) append(ctx context.Context, id fleet.ID, value string) (got fleet.ID, err error) {
	err = s.conn.Call(ctx, "fleet.append", func(ctx context.Context, r redis.UniversalClient) error {
		n, err := s.add.Run(ctx, r, []string{s.commands, s.head}, int64(id), value,
			fleet.Kept, fleet.KeptFor.Microseconds(), fleet.KeptFor.Milliseconds(), headLife.Milliseconds()).Int64()
		got = fleet.ID(n)
		return err
	})
	if err != nil {
		return 0, s.heal(ctx, err)
	}
	return got, nil
}

// Members implements [fleet.Store].
func (s *Store) Members(ctx context.Context) ([]fleet.Member, error) {
	var answer []string
	err := s.conn.CallIdempotent(ctx, "fleet.members", func(ctx context.Context, r redis.UniversalClient) (err error) {
		answer, err = s.list.Run(ctx, r, []string{s.seen, s.members}, fleet.Silence.Microseconds()).StringSlice()
		return err
	})
	if err != nil {
		return nil, s.heal(ctx, err)
	}
	members := make([]fleet.Member, 0, len(answer)/3)
	for m := range slices.Chunk(answer, 3) {
		if member, ok := readMember(m); ok { // what somebody else wrote there is no member
			members = append(members, member)
		}
	}
	slices.SortFunc(members, func(a, b fleet.Member) int { return cmp.Compare(a.Replica, b.Replica) })
	return members, nil
}

// Leave implements [fleet.Store].
func (s *Store) Leave(ctx context.Context, replica string) error {
	return s.conn.CallIdempotent(ctx, "fleet.leave", func(ctx context.Context, r redis.UniversalClient) error {
		// Without a transaction, which would need one more right: what is left
		// over when only the first succeeds is never read and soon ends.
		_, err := r.Pipelined(ctx, func(p redis.Pipeliner) error {
			p.ZRem(ctx, s.seen, replica)
			p.HDel(ctx, s.members, replica)
			return nil
		})
		return err
	})
}

// heal removes what a script could not work with, a key of another type say:
// what these keys hold is worth a few seconds, and a fleet that never meets
// again is not.
func (s *Store) heal(ctx context.Context, err error, more ...string) error {
	var failed *redisconn.Error
	if !errors.As(err, &failed) || failed.Reason != "WRONGTYPE" && failed.Reason != "ERR" {
		return err
	}
	return errors.Join(err, s.conn.Call(ctx, "fleet.heal", func(ctx context.Context, r redis.UniversalClient) error {
		return r.Del(ctx, append(more, s.seen, s.members, s.commands, s.head)...).Err()
	}))
}

func micros(text string) (time.Time, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return time.UnixMicro(n), err == nil && n > 0
}
