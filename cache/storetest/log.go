package storetest

import (
	"context"
	"slices"
	"strconv"
	"sync"

	"iqgateway/cache"
)

// Log is a cache.Log in memory. Several replicas of a test share one.
type Log struct {
	Fault

	mu      sync.Mutex
	lives   int // how many logs there have been
	trimmed uint64
	events  []cache.Event // from trimmed+1 on
}

// NewLog returns an empty log.
func NewLog() *Log { return &Log{lives: 1} }

// Lose makes it another, empty log.
func (l *Log) Lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lives++
	l.trimmed, l.events = 0, nil
}

// Trim forgets all but the newest events.
func (l *Log) Trim(keep int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if cut := len(l.events) - keep; cut > 0 {
		l.trimmed += uint64(cut)
		l.events = slices.Clone(l.events[cut:])
	}
}

// Events returns what the log holds.
func (l *Log) Events() []cache.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events)
}

// Append implements cache.Log.
func (l *Log) Append(ctx context.Context, events []cache.Event) (cache.Position, error) {
	if err := l.begin(ctx, true); err != nil {
		return cache.Position{}, err
	}
	l.mu.Lock()
	l.events = append(l.events, events...)
	p := l.newest()
	l.mu.Unlock()
	if err := l.end(ctx); err != nil {
		return cache.Position{}, err
	}
	return p, nil
}

// Since implements cache.Log.
func (l *Log) Since(ctx context.Context, p cache.Position) (cache.News, error) {
	if err := l.begin(ctx, true); err != nil {
		return cache.News{}, err
	}
	news := l.since(p)
	if err := l.end(ctx); err != nil {
		return cache.News{}, err
	}
	return news, nil
}

func (l *Log) since(p cache.Position) cache.News {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.newest()
	switch {
	case p.Log != "" && p.Log != now.Log, p.Seq > now.Seq:
		return cache.News{Position: now, Lost: true}
	case p.Seq < l.trimmed:
		// All that is older than the first event left.
		return cache.News{Position: cache.Position{Log: now.Log, Seq: l.trimmed}, Lost: true}
	}
	return cache.News{Position: now, Events: slices.Clone(l.events[p.Seq-l.trimmed:])}
}

func (l *Log) newest() cache.Position {
	return cache.Position{Log: "log " + strconv.Itoa(l.lives), Seq: l.trimmed + uint64(len(l.events))}
}
