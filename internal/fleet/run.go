package fleet

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"iqgateway/internal/steady"
)

// leaveTimeout bounds the farewell of a replica that ends.
const leaveTimeout = time.Second

// Join makes one beat, so that the others know of this replica, and it of them,
// before it serves. Where it fails the first beat of [Fleet.Run] does that.
func (f *Fleet) Join(ctx context.Context) {
	if f.o.Store != nil {
		f.beat(ctx, false, false)
	}
}

// Run takes part in the fleet until ctx ends and then leaves it. It must be
// called once.
func (f *Fleet) Run(ctx context.Context) {
	if f.o.Store == nil {
		<-ctx.Done()
		return
	}
	defer f.leave(ctx)
	var executing sync.WaitGroup
	defer executing.Wait()
	busy, finished := false, make(chan struct{}, 1)
	talks, told := false, make(chan struct{}, 1)
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		// Beats go on while commands are being executed: a slow handler must
		// not make this replica look dead.
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		case <-finished: // tell so at once: a sender waits for it
			busy = false
		case <-told:
			talks = false
			continue
		}
		commands, questions := f.beat(ctx, !busy, !talks)
		if len(commands) > 0 {
			busy = true
			executing.Go(func() {
				steady.Try(func() { f.follow(ctx, commands) }, f.o.Hooks.panicked)
				finished <- struct{}{}
			})
		}
		if len(questions) > 0 {
			talks = true
			executing.Go(func() {
				steady.Try(func() { f.reply(ctx, questions) }, f.o.Hooks.panicked)
				told <- struct{}{}
			})
		}
		next.Reset(f.o.Interval)
	}
}

// beat makes the one trip and returns the commands and questions that are new.
func (f *Fleet) beat(ctx context.Context, want, listen bool) ([]Command, []Question) {
	f.mu.Lock()
	self := f.self
	self.Failed = slices.Clone(self.Failed)
	f.mu.Unlock()
	asked := time.Now()
	news, err := f.o.Store.Beat(ctx, Beat{Member: self, Age: time.Since(f.born), Want: want, Listen: listen})
	if err != nil {
		if ctx.Err() == nil {
			f.o.Hooks.beaten(0, err)
		}
		return nil, nil
	}
	f.members.Store(int64(max(news.Members, 1)))
	answered := time.Now()
	f.skew.Store(int64(asked.Add(answered.Sub(asked) / 2).Round(0).Sub(news.Now)))
	f.o.Hooks.beaten(news.Members, nil)
	if news.Missed {
		f.o.Hooks.missed()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.self.Started = news.Started
	f.self.Done = max(f.self.Done, idAt(news.Started))
	if news.Missed && len(news.Commands) == 0 {
		f.self.Done = max(f.self.Done, news.Latest)
	}
	return news.Commands, news.Questions
}

// follow executes commands in their order.
func (f *Fleet) follow(ctx context.Context, commands []Command) {
	for _, c := range commands {
		if ctx.Err() != nil {
			return
		}
		if c.ID <= f.done() {
			continue // at most once, whatever the store says
		}
		if f.waits(c) {
			steady.Pause(ctx, f.o.Interval) // the next beat brings it again
			return
		}
		var err error
		if c.From != f.o.Replica || c.Err != nil { // Send has executed its own
			err = f.execute(ctx, c)
		}
		f.finish(c.ID, err)
	}
}

// waits reports whether a command is to be read again later. Whoever writes
// unreadable ones to the store holds up the others once for Grace, not each
// time.
func (f *Fleet) waits(c Command) bool {
	switch {
	case c.Err == nil:
		f.waiting = time.Time{}
		return false
	case !c.Later:
		return false
	case f.waiting.IsZero():
		f.waiting = time.Now()
	}
	return time.Since(f.waiting) < Grace
}

func (f *Fleet) done() ID {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.self.Done
}

// finish notes what the next beat tells about a command.
func (f *Fleet) finish(id ID, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.self.Done = id
	if err == nil {
		return
	}
	f.self.Failed = append(f.self.Failed, id)
	if n := len(f.self.Failed) - Kept; n > 0 {
		f.self.Failed = slices.Delete(f.self.Failed, 0, n)
	}
}

func (f *Fleet) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	if err := f.o.Store.Leave(ctx, f.o.Replica); err != nil {
		f.o.Hooks.beaten(0, errors.Join(errors.New("leaving the fleet"), err))
	}
}
