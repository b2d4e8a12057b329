package redisstore

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"sync"

	"github.com/redis/go-redis/v9"

	"iqgateway/cache"
	"iqgateway/internal/redisconn"
)

// batch is how many events one script adds or answers: Redis serves nobody else
// meanwhile.
const batch = 1000

// LogOptions configure a [Log]. The zero value works.
type LogOptions struct {
	Hooks Hooks
}

// Log is the fleet's log of invalidations in Redis; see [cache.Log] for the
// contract. It remembers the newest 10 000 events for 24 hours after the last
// use. Append and Since are one round trip each for every 1 000 events, bounded
// by the connection's timeout. Every failure is a [cache.ErrAway], but for an
// event without an ID. It is safe for concurrent use.
type Log struct {
	conn    *redisconn.Conn
	options LogOptions
	key     string
	scripts logScripts

	mu   sync.Mutex
	seen seen
}

// seen is the newest event of a log that some answer has told.
type seen struct {
	log string
	seq uint64
	id  string
}

var _ cache.Log = (*Log)(nil)

// NewLog returns the log behind conn. It starts nothing and asks Redis nothing.
// Without keys to seal events no path, query or tag goes to Redis: an event then
// tells other replicas to drop all of its service, or everything where it names
// none.
func NewLog(conn *redisconn.Conn, o LogOptions) *Log { return newLog(conn, o, keepEvents) }

func newLog(conn *redisconn.Conn, o LogOptions, keep int) *Log {
	return &Log{conn: conn, options: o, key: conn.Key(kindLog).Field("events"), scripts: newLogScripts(keep)}
}

// Append implements cache.Log. An event whose ID is in the log already stays
// where it is: after an error the same events may be appended again.
func (l *Log) Append(ctx context.Context, events []cache.Event) (cache.Position, error) {
	var p cache.Position
	for first := true; first || len(events) > 0; first = false {
		part := events[:min(len(events), batch)]
		events = events[len(part):]
		args := make([]any, 0, 2*len(part))
		for _, e := range part {
			id, payload, err := l.encode(e)
			if err != nil {
				return cache.Position{}, err
			}
			args = append(args, id, payload)
		}
		a, err := l.call(ctx, "cachelog.append", l.scripts.add, args...)
		if err != nil {
			return cache.Position{}, err
		}
		p = a.position
	}
	return p, nil
}

// Since implements cache.Log.
func (l *Log) Since(ctx context.Context, p cache.Position) (cache.News, error) {
	news := cache.News{Position: p}
	for {
		from := news.Position
		a, err := l.call(ctx, "cachelog.since", l.scripts.since, from.Log, from.Seq, batch)
		if err != nil {
			return cache.News{}, err
		}
		news.Position = a.position
		if a.lost {
			return cache.News{Position: a.head, Lost: true}, nil
		}
		for _, entry := range a.events {
			e, ok := l.decode(entry)
			if !ok {
				l.options.Hooks.discarded("event", "unreadable")
				return cache.News{Position: a.head, Lost: true}, nil
			}
			news.Events = append(news.Events, e)
		}
		if a.position.Seq >= a.head.Seq {
			return news, nil
		}
	}
}

// call runs a script in one bounded call.
func (l *Log) call(ctx context.Context, operation string, script *redis.Script, args ...any) (logAnswer, error) {
	last := l.newest()
	all := append([]any{rand.Text(), last.log, last.seq, last.id}, args...)
	var answer []any
	err := l.conn.CallIdempotent(ctx, operation, func(ctx context.Context, r redis.UniversalClient) (err error) {
		answer, err = script.Run(ctx, r, []string{l.key}, all...).Slice()
		return err
	})
	if err != nil {
		return logAnswer{}, away(err) // it names the operation
	}
	a, err := readLogAnswer(answer)
	if err != nil {
		return logAnswer{}, away(fmt.Errorf("%s: %w", operation, err))
	}
	if a.odd != "" {
		l.options.Hooks.discarded("log", a.odd)
	}
	l.remember(a)
	return a, nil
}

func (l *Log) newest() seen {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen
}

// remember keeps the newest of what answers tell, which may come in any order.
func (l *Log) remember(a logAnswer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.head.Log != l.seen.log || a.head.Seq > l.seen.seq {
		l.seen = seen{log: a.head.Log, seq: a.head.Seq, id: a.id}
	}
}

// logAnswer is what both scripts answer.
type logAnswer struct {
	odd      string
	head     cache.Position // of the log's last event
	id       string         // of that event
	position cache.Position // of the last event that the answer is about
	lost     bool
	events   []string
}

func readLogAnswer(answer []any) (logAnswer, error) {
	if len(answer) != 5 && len(answer) != 7 {
		return logAnswer{}, errAnswer
	}
	var texts [5]string
	for i := range texts {
		text, ok := answer[i].(string)
		if !ok {
			return logAnswer{}, errAnswer
		}
		texts[i] = text
	}
	head, err1 := strconv.ParseUint(texts[2], 10, 64)
	last, err2 := strconv.ParseUint(texts[4], 10, 64)
	if err1 != nil || err2 != nil || texts[0] == "" {
		return logAnswer{}, errAnswer
	}
	a := logAnswer{
		odd: texts[1], id: texts[3],
		head:     cache.Position{Log: texts[0], Seq: head},
		position: cache.Position{Log: texts[0], Seq: last},
	}
	if len(answer) == 5 {
		return a, nil
	}
	lost, ok1 := answer[5].(int64)
	values, ok2 := answer[6].([]any)
	if !ok1 || !ok2 {
		return logAnswer{}, errAnswer
	}
	a.lost, a.events = lost == 1, make([]string, len(values))
	for i, v := range values {
		a.events[i], _ = v.(string) // what is none does not decode
	}
	return a, nil
}
