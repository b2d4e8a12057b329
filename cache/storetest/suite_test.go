package storetest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/cache"
	"iqgateway/cache/storetest"
)

func TestTier(t *testing.T) {
	storetest.RunTier(t, func(*testing.T) [3]cache.Tier {
		tier := storetest.NewTier()
		return [3]cache.Tier{tier, tier, tier}
	})
}

func TestLog(t *testing.T) {
	storetest.RunLog(t, func(*testing.T) [3]cache.Log {
		log := storetest.NewLog()
		return [3]cache.Log{log, log, log}
	})
}

// A log that keeps a thousand events passes too.
func TestShortLog(t *testing.T) {
	storetest.RunLog(t, func(*testing.T) [3]cache.Log {
		log := trimmedLog{storetest.NewLog()}
		return [3]cache.Log{log, log, log}
	})
}

type trimmedLog struct{ *storetest.Log }

// Append implements cache.Log.
func (l trimmedLog) Append(ctx context.Context, events []cache.Event) (cache.Position, error) {
	p, err := l.Log.Append(ctx, events)
	l.Trim(1000)
	return p, err
}

// What a test can do to the stores.
func TestFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier, log := storetest.NewTier(), storetest.NewLog()
		events := []cache.Event{{ID: 1, Kind: cache.DropAll}}
		read := func() error { _, err := tier.Get(t.Context(), "x"); return err }
		write := func() error { return tier.Put(t.Context(), "x", []byte("v"), time.Minute, "") }
		app := func() error { _, err := log.Append(t.Context(), events); return err }
		since := func() error { _, err := log.Since(t.Context(), cache.Position{}); return err }
		for _, step := range []struct {
			name                    string
			do                      func()
			read, write, app, since bool // fail
		}{
			{"at first", func() {}, false, false, false, false},
			{"away", func() { tier.Away(true); log.Away(true) }, true, true, true, true},
			{"back and full", func() { tier.Away(false); log.Away(false); tier.Full(true); log.Full(true) }, false, true, true, true},
			{"back", func() { tier.Full(false); log.Full(false) }, false, false, false, false},
		} {
			step.do()
			for what, call := range map[string]struct {
				err  error
				want bool
			}{"get": {read(), step.read}, "put": {write(), step.write}, "append": {app(), step.app}, "since": {since(), step.since}} {
				if errors.Is(call.err, cache.ErrAway) != call.want {
					t.Errorf("%s, %s: %v", step.name, what, call.err)
				}
			}
		}
		if tier.Calls() != 8 || log.Calls() != 8 {
			t.Errorf("%d and %d calls", tier.Calls(), log.Calls())
		}
		log.Slow(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		begun, before := time.Now(), len(log.Events())
		if _, err := log.Append(ctx, events); !errors.Is(err, cache.ErrAway) || time.Since(begun) != 50*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		if len(log.Events()) != before+1 {
			t.Error("the answer is lost, not what was asked for")
		}
		tier.Lose()
		if tier.Len() != 0 {
			t.Error("not lost")
		}
	})
}
