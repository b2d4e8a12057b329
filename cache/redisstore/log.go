package redisstore

import (
	"context"

	"iqgateway/cache"
	"iqgateway/internal/redisconn"
)

// LogOptions configure a [Log]. The zero value works.
type LogOptions struct {
	Hooks Hooks
}

// Log is the fleet's log of invalidations in Redis; see [cache.Log].
type Log struct {
	conn    *redisconn.Conn
	options LogOptions
}

var _ cache.Log = (*Log)(nil)

// NewLog returns the log behind conn. It starts nothing and asks Redis nothing.
// Without keys to seal events no path, query or tag goes to Redis: an event then
// tells other replicas to drop all of its service, or everything where it names
// none.
func NewLog(conn *redisconn.Conn, o LogOptions) *Log {
	return &Log{conn: conn, options: o}
}

// Append implements cache.Log.
func (l *Log) Append(ctx context.Context, events []cache.Event) (cache.Position, error) {
	return cache.Position{}, cache.ErrAway
}

// Since implements cache.Log.
func (l *Log) Since(ctx context.Context, p cache.Position) (cache.News, error) {
	return cache.News{}, cache.ErrAway
}
