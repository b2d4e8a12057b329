package cache

import (
	"context"
	"time"
)

// What the tests of the feed need, which use the log of storetest: it imports
// this package, so they stand outside of it.
type (
	Feed  = feed
	Index = index
)

func NewFeed(log Log, onError func(op string, err error)) (*Feed, *Index) {
	ix := newIndex()
	return newFeed(feedOptions{Index: ix, Log: log, OnError: onError}), ix
}

func (f *feed) Publish(ctx context.Context, events ...Event) bool { return f.publish(ctx, events) }

func (f *feed) Heard() time.Time { return f.heard() }

func (ix *index) Position() Position { return ix.position() }

func (ix *index) Dropped(r Route, born Position) bool {
	return ix.dropped(&Object{Route: r, Born: born})
}

func (ix *index) DroppedEntry(r Route, born Position) bool { return ix.droppedEntry(r, nil, born) }

func (ix *index) Pending() int { return len(ix.pending(1 << 20)) }
