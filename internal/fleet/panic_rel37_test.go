package fleet_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/internal/fleet"
)

// REL-37: a hook that panics is told of, the command that it was about is not
// executed again, and the next one is followed.
func TestREL37AHookThatPanicsRepeatsNoCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var did, told atomic.Int64
		store := fleet.NewMemory()
		f := fleet.New(fleet.Options{
			Replica: "a", Store: store,
			Handle: map[string]fleet.Handler{"do": func(context.Context, []byte) error {
				did.Add(1)
				return nil
			}},
			Hooks: fleet.Hooks{
				Executed: func(fleet.Execution) { panic("a hook") },
				Panicked: func(any, []byte) { told.Add(1) },
			},
		})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { f.Run(ctx) })
		for n := range int64(2) {
			<-time.After(5 * time.Second)
			if _, err := store.Append(ctx, fleet.Command{From: "b", Kind: "do"}); err != nil {
				t.Fatal(err)
			}
			<-time.After(10 * time.Second)
			if did.Load() != n+1 || told.Load() != n+1 {
				t.Errorf("after %d commands: executed %d, told of %d panics", n+1, did.Load(), told.Load())
			}
		}
		cancel()
		running.Wait()
	})
}
