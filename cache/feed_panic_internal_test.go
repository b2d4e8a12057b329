package cache

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// panicLog panics until it is told to work.
type panicLog struct{ works, reads atomic.Bool }

func (l *panicLog) Append(context.Context, []Event) (Position, error) { return Position{}, nil }

func (l *panicLog) Since(context.Context, Position) (News, error) {
	if !l.works.Load() {
		panic("the log")
	}
	l.reads.Store(true)
	return News{}, nil
}

// REL-37: a log that panics is asked again, and the process goes on.
func TestREL37LogThatPanicsIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told atomic.Int64
		log := &panicLog{}
		c := New(Options{Log: log, Hooks: Hooks{Panicked: func(of ServiceName, _ any, stack []byte) {
			if of != (ServiceName{}) || len(stack) == 0 {
				t.Errorf("told of %v with %d bytes of stack", of, len(stack))
			}
			told.Add(1)
		}}})
		defer c.Close()
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { c.Run(ctx) })
		<-time.After(500 * time.Millisecond)
		synctest.Wait()
		if told.Load() != 1 {
			t.Fatalf("told %d times in half a second", told.Load())
		}
		log.works.Store(true)
		<-time.After(time.Second)
		synctest.Wait()
		if !log.reads.Load() {
			t.Error("not asked again")
		}
		cancel()
		running.Wait()
	})
}
