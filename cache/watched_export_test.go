package cache

import (
	"context"
	"sync"
	"sync/atomic"
)

// WatchedContext counts those that want to know of its end.
type WatchedContext struct {
	context.Context //nolint:containedctx // it is one
	watching        atomic.Int64
}

// Value hides that the context is one of package context: that would be watched
// without asking.
func (*WatchedContext) Value(any) any { return nil }

// AfterFunc is what [context.AfterFunc] and child contexts call.
func (w *WatchedContext) AfterFunc(f func()) (stop func() bool) {
	w.watching.Add(1)
	unwatch := context.AfterFunc(w.Context, f)
	return sync.OnceValue(func() bool {
		w.watching.Add(-1)
		return unwatch()
	})
}

// Watch replaces the cache's context; call it before the first request.
func (c *Cache) Watch() (watching func() int64) {
	w := &WatchedContext{Context: c.ctx}
	c.ctx = w
	return w.watching.Load
}
