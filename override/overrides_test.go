package override_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/override"
)

// unsteady is a store that can be away, lose everything, and hold what nobody can
// read until it is replaced.
type unsteady struct {
	*override.File

	away, lost, garbled atomic.Bool
}

var (
	errAway    = errors.New("away")
	errGarbled = errors.New("garbled")
)

func (u *unsteady) Load(ctx context.Context) (override.Snapshot, error) {
	if u.away.Load() {
		return override.Snapshot{}, errAway
	}
	if u.garbled.Load() {
		return override.Snapshot{}, errGarbled
	}
	if u.lost.Load() {
		return override.Snapshot{Empty: true}, nil
	}
	return u.File.Load(ctx)
}

func (u *unsteady) Update(ctx context.Context, change func([]override.Override) ([]override.Override, error)) (override.Snapshot, error) {
	if u.away.Load() {
		return override.Snapshot{}, errAway
	}
	found, err := u.File.Update(ctx, func(all []override.Override) ([]override.Override, error) {
		if u.lost.Load() || u.garbled.Load() {
			all = nil
		}
		return change(all)
	})
	found.Empty = u.lost.Load() || u.garbled.Load()
	u.lost.Store(u.lost.Load() && err != nil)
	u.garbled.Store(u.garbled.Load() && err != nil)
	return found, err
}

// party is one replica, and what it goes by.
type party struct {
	*override.Overrides

	mu      sync.Mutex
	goes    []override.Held // by which overrides
	ended   []string
	full    []bool
	tried   int // Apply
	failed  int // as it was told
	refuses error
	meets   func() // Apply, before it is refused
}

func (p *party) refuse(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses = err
}

func (p *party) goesBy() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return show(p.goes)
}

// attempts are how often Apply was tried, and how often it was told that it fails.
func (p *party) attempts() (tried, told int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tried, p.failed
}

// reloads has the party go by what holds, as a reload does.
func (p *party) reloads() {
	held := p.Current()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.goes = held
}

func join(t *testing.T, s override.Store) *party {
	t.Helper()
	p := &party{}
	p.Overrides = override.New(override.Options{
		Store: s,
		Apply: func(context.Context) error {
			p.mu.Lock()
			p.tried++
			refuses, meets := p.refuses, p.meets
			p.mu.Unlock()
			if meets != nil {
				meets()
			}
			if refuses == nil {
				p.reloads()
			}
			return refuses
		},
		Applied: func() []override.Held {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.goes
		},
		Hooks: override.Hooks{Ended: func(h override.Held) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.ended = append(p.ended, h.Key)
		}, ApplyFailed: func(error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.failed++
		}, Full: func(full bool) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.full = append(p.full, full)
		}},
	})
	return p
}

// runs has the party follow until the test ends.
func (p *party) runs(t *testing.T) *party {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { p.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return p
}

func show(held []override.Held) string {
	var all []string
	for _, h := range held {
		all = append(all, h.Key+"="+h.Value)
	}
	return strings.Join(all, " ")
}

func fine([]override.Held) error { return nil }

func (p *party) sets(t *testing.T, key, value string, lasting time.Duration) override.Outcome {
	t.Helper()
	done, err := p.Set(t.Context(), override.Override{Key: key, Value: value, Left: lasting}, fine)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func named(key string) func(override.Held) bool {
	return func(h override.Held) bool { return h.Key == key }
}

func (p *party) clears(t *testing.T, key string) override.Outcome {
	t.Helper()
	done, err := p.Clear(t.Context(), named(key))
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// after lets time pass and compares what parties go by.
func after(t *testing.T, d time.Duration, want string, parties ...*party) {
	t.Helper()
	time.Sleep(d) //nolint:forbidigo // in a bubble: no time passes
	synctest.Wait()
	for i, p := range parties {
		if got := p.goesBy(); got != want {
			t.Errorf("party %d goes by %q, want %q", i, got, want)
		}
	}
}

func TestOverridesAreFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &unsteady{File: override.NewFile("", nil)}
		a, b := join(t, store).runs(t), join(t, store).runs(t)
		a.sets(t, "x", "1", time.Hour)
		after(t, 0, "x=1", a)
		after(t, 2*time.Second, "x=1", a, b)
		b.sets(t, "x", "2", time.Minute)
		after(t, 2*time.Second, "x=2", a, b)
		b.sets(t, "y", "3", time.Hour)
		late := join(t, store).runs(t)
		after(t, 2*time.Second, "x=2 y=3", a, b, late)
		late.clears(t, "y")
		after(t, 2*time.Second, "x=2", a, b, late)
		after(t, time.Minute, "", a, b, late)
		if !slices.Equal(a.ended, []string{"x"}) {
			t.Errorf("ended: %v", a.ended)
		}
	})
}

// While the store is away orders hold where they were given, what is over ends
// everywhere, and all meet when the store is back.
func TestOverridesWhileTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &unsteady{File: override.NewFile("", nil)}
		a, b := join(t, store).runs(t), join(t, store).runs(t)
		a.sets(t, "x", "1", 10*time.Second)
		a.sets(t, "y", "1", time.Hour)
		after(t, 2*time.Second, "x=1 y=1", a, b)
		store.away.Store(true)
		if done := a.sets(t, "z", "1", time.Hour); !errors.Is(done.HereOnly, errAway) {
			t.Errorf("%+v", done)
		}
		if done := b.clears(t, "y"); !errors.Is(done.HereOnly, errAway) {
			t.Errorf("%+v", done)
		}
		after(t, 5*time.Second, "x=1 y=1 z=1", a)
		after(t, 0, "x=1", b)
		after(t, 5*time.Second, "y=1 z=1", a)
		after(t, 0, "", b)
		store.away.Store(false)
		after(t, 4*time.Second, "z=1", a, b)
	})
}

// A store that has lost everything is told again, what was cleared is not.
func TestOverridesOutliveTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &unsteady{File: override.NewFile("", nil)}
		a, b := join(t, store).runs(t), join(t, store).runs(t)
		a.sets(t, "x", "1", time.Hour)
		a.sets(t, "y", "1", time.Hour)
		a.clears(t, "y")
		after(t, 2*time.Second, "x=1", a, b)
		store.lost.Store(true)
		after(t, 10*time.Second, "x=1", a, b)
		after(t, 2*time.Second, "x=1", join(t, store).runs(t))
	})
}

// An order that replaces what cannot be read does not end the others.
func TestAnOrderEndsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &unsteady{File: override.NewFile("", nil)}
		a, b := join(t, store).runs(t), join(t, store).runs(t)
		a.sets(t, "x", "1", time.Hour)
		after(t, 2*time.Second, "x=1", a, b)
		store.garbled.Store(true)
		a.sets(t, "z", "1", time.Hour)
		after(t, 10*time.Second, "x=1 z=1", a, b)
	})
}

func TestOverridesAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := override.NewFile("", nil)
		a := join(t, store)
		a.sets(t, "x", "1", time.Hour)
		set := override.Override{Key: "y", Value: "1", Left: time.Hour}
		no := errors.New("no")
		if _, err := a.Set(t.Context(), set, func(all []override.Held) error {
			if show(all) != "x=1 y=1" {
				t.Errorf("checked %s", show(all))
			}
			return no
		}); !errors.Is(err, no) {
			t.Error(err)
		}
		cannot := errors.New("cannot")
		a.refuse(cannot)
		if _, err := a.Set(t.Context(), set, fine); !errors.Is(err, cannot) {
			t.Error(err)
		}
		a.refuse(nil)
		after(t, 0, "x=1", a)
		if got := show(a.Current()); got != "x=1" {
			t.Errorf("holds %s", got)
		}
		for i := range override.Most - 1 {
			a.sets(t, fmt.Sprint("k", i), "1", time.Hour)
		}
		if _, err := a.Set(t.Context(), set, fine); !errors.Is(err, override.ErrFull) {
			t.Error(err)
		}
		a.sets(t, "x", "2", time.Hour) // in place of another one
		if n := len(a.Current()); n != override.Most {
			t.Errorf("%d hold", n)
		}
	})
}

func TestOverridesUntilReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := override.NewFile("", nil)
		a, b := join(t, store).runs(t), join(t, store).runs(t)
		a.sets(t, "x", "1", time.Hour)
		for key, config := range map[string]string{"old": "h0", "new": "h1", "unknown": ""} {
			if _, err := a.Set(t.Context(), override.Override{Key: key, Value: "1", Left: time.Hour, UntilReload: true, Config: config}, fine); err != nil {
				t.Fatal(err)
			}
		}
		after(t, 2*time.Second, "new=1 old=1 unknown=1 x=1", a, b)
		for _, want := range []string{"old=1 unknown=1", ""} { // the second replica that comes to it ends nothing
			if done, err := b.Reloaded(t.Context(), "h1"); err != nil || show(done.Held) != want {
				t.Errorf("%+v, %v", done, err)
			}
			after(t, 2*time.Second, "new=1 x=1", a, b)
		}
	})
}

// A replica that cannot go by what holds tries again until it can.
func TestOverridesAreTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := override.NewFile("", nil)
		a, b := join(t, store).runs(t), join(t, store)
		cannot := errors.New("cannot")
		b.refuse(cannot)
		b.runs(t)
		a.sets(t, "x", "1", time.Hour)
		if err := b.Sync(t.Context()); !errors.Is(err, cannot) {
			t.Error(err)
		}
		after(t, 0, "", b)
		before, _ := b.attempts()
		after(t, 10*time.Second, "", b)
		if tried, told := b.attempts(); tried != before+5 || told != 1 {
			t.Errorf("tried %d times in five looks, told %d times", tried-before, told)
		}
		b.refuse(nil)
		after(t, 2*time.Second, "x=1", b)
	})
}

// An order that is taken back holds nowhere, also where a reload has met it.
func TestOverrideThatIsTakenBackDuringAReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := override.NewFile("", nil)
		a, b := join(t, store), join(t, store).runs(t)
		a.sets(t, "x", "1", time.Hour)
		cannot := errors.New("cannot")
		a.refuse(cannot)
		a.meets = func() { a.meets = nil; a.reloads(); a.refuse(nil) }
		if _, err := a.Set(t.Context(), override.Override{Key: "y", Value: "1", Left: time.Hour}, fine); !errors.Is(err, cannot) {
			t.Error(err)
		}
		after(t, 2*time.Second, "x=1", a, b)
	})
}

// What was set while the store was away and finds no place in it holds where it
// was set, keeps nobody from hearing of others, and is told once there is a place.
func TestOverrideWithoutAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &unsteady{File: override.NewFile("", nil)}
		a, b := join(t, store).runs(t), join(t, store)
		store.away.Store(true)
		a.sets(t, "alone", "1", time.Hour)
		after(t, 0, "alone=1", a)
		store.away.Store(false)
		var all []string
		for i := range override.Most {
			all = append(all, fmt.Sprintf("k%02d=1", i))
			b.sets(t, fmt.Sprintf("k%02d", i), "1", time.Hour)
		}
		after(t, 4*time.Second, "alone=1 "+strings.Join(all, " "), a)
		a.clears(t, "k00")
		after(t, 4*time.Second, "alone=1 "+strings.Join(all[1:], " "), a)
		if err := b.Sync(t.Context()); err != nil {
			t.Error(err)
		}
		after(t, 0, "alone=1 "+strings.Join(all[1:], " "), b)
		if !slices.Equal(a.full, []bool{true, false}) {
			t.Errorf("told %v", a.full)
		}
	})
}
