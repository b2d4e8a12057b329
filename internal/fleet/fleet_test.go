package fleet_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/internal/fleet"
)

// replica is a running fleet that notes what it executes.
type replica struct {
	*fleet.Fleet
	stop func()

	mu   sync.Mutex
	did  []string
	runs []fleet.Execution
	lost int
}

func (r *replica) note(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.did = append(r.did, text)
}

func (r *replica) executed() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.did)
}

func (r *replica) executions() []fleet.Execution {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.runs)
}

// join starts a replica; handle nil = it notes payloads of the kind "do".
func join(t *testing.T, name string, store fleet.Store, handle func(*replica, []byte) error) *replica {
	t.Helper()
	r := &replica{}
	if handle == nil {
		handle = func(*replica, []byte) error { return nil }
	}
	r.Fleet = fleet.New(fleet.Options{
		Replica: name, Version: "1.0", Store: store,
		Handle: map[string]fleet.Handler{"do": func(_ context.Context, payload []byte) error {
			r.note(string(payload))
			return handle(r, payload)
		}},
		Hooks: fleet.Hooks{
			Executed: func(e fleet.Execution) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.runs = append(r.runs, e)
			},
			Missed: func() {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.lost++
			},
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	r.stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(r.stop)
	return r
}

func names(t *testing.T, f *fleet.Fleet) []string {
	t.Helper()
	members, err := f.Members(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, m := range members {
		list = append(list, m.Replica)
	}
	return list
}

// within reports whether d lies in [from, to].
func within(d, from, to time.Duration) bool { return d >= from && d <= to }

func pass(d time.Duration) { <-time.After(d) }

func TestMembersComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &cutOff{Store: fleet.NewMemory()}
		a := join(t, "a", store, nil)
		b := join(t, "b", store, nil)
		lone := &cutOff{Store: store.Store}
		c := join(t, "c", lone, nil)
		pass(1500 * time.Millisecond)
		if got := names(t, a.Fleet); !slices.Equal(got, []string{"a", "b", "c"}) || a.Size() != 3 {
			t.Fatalf("members %v, size %d", got, a.Size())
		}
		b.stop()
		if got := names(t, a.Fleet); !slices.Equal(got, []string{"a", "c"}) {
			t.Errorf("after b has left: %v", got)
		}
		lone.set(true)
		pass(2 * time.Second)
		if got := names(t, a.Fleet); !slices.Equal(got, []string{"a", "c"}) {
			t.Errorf("c was silent for 2 s only: %v", got)
		}
		pass(2 * time.Second)
		if got := names(t, a.Fleet); !slices.Equal(got, []string{"a"}) {
			t.Errorf("c is silent for 4 s: %v", got)
		}
		lone.set(false)
		pass(1100 * time.Millisecond)
		if got := names(t, a.Fleet); !slices.Equal(got, []string{"a", "c"}) {
			t.Errorf("c is back: %v", got)
		}
		if c.Size() != 2 {
			t.Errorf("c counts %d", c.Size())
		}
	})
}

func TestEveryReplicaFollowsInOrderAndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := fleet.NewMemory()
		a, b, c := join(t, "a", store, nil), join(t, "b", store, nil), join(t, "c", store, nil)
		pass(2500 * time.Millisecond)
		var want []string
		for _, payload := range []string{"1", "2", "3", "4"} {
			begin := time.Now()
			result, err := a.Send(t.Context(), "do", []byte(payload))
			if err != nil || result.Replicas != 3 || result.Followed != 3 || result.Alone || result.Behind != nil {
				t.Fatalf("%+v, %v", result, err)
			}
			if d := time.Since(begin); d > 1200*time.Millisecond {
				t.Errorf("it took %v, more than a beat and a poll", d)
			}
			want = append(want, payload)
		}
		pass(10 * time.Second)
		for _, r := range []*replica{a, b, c} {
			if got := r.executed(); !slices.Equal(got, want) {
				t.Errorf("executed %v, want %v", got, want)
			}
		}
		if runs := b.executions(); len(runs) != 4 || runs[0].From != "a" || runs[0].Kind != "do" || runs[0].ID == 0 || runs[0].ID >= runs[1].ID {
			t.Errorf("hooks saw %+v", runs)
		}
	})
}

func TestOneTripPerInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &cutOff{Store: fleet.NewMemory()}
		join(t, "a", store, nil)
		pass(10*time.Second + 500*time.Millisecond)
		if n := store.trips(); n != 11 {
			t.Errorf("%d trips in 10.5 s, want one at the start and one a second", n)
		}
	})
}

func TestLaterReplicasDoNotRepeatOldCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := fleet.NewMemory()
		a := join(t, "a", store, nil)
		pass(time.Second)
		if _, err := a.Send(t.Context(), "do", []byte("old")); err != nil {
			t.Fatal(err)
		}
		late := join(t, "late", store, nil)
		pass(5 * time.Second)
		if got := late.executed(); len(got) != 0 {
			t.Errorf("executed %v from before its start", got)
		}
		if result, err := a.Send(t.Context(), "do", []byte("new")); err != nil || result.Followed != 2 {
			t.Errorf("%+v, %v", result, err)
		}
		if got := late.executed(); !slices.Equal(got, []string{"new"}) {
			t.Errorf("executed %v", got)
		}
	})
}

// A replica that began without Redis executes what was sent since it began:
// it may hold what the command is about.
func TestCutOffReplicaCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := fleet.NewMemory()
		a := join(t, "a", memory, nil)
		pass(time.Second)
		lone := &cutOff{Store: memory, away: true}
		b := join(t, "b", lone, nil)
		pass(time.Second)
		if result, err := a.Send(t.Context(), "do", []byte("x")); err != nil || result.Replicas != 1 || result.Followed != 1 {
			t.Errorf("nobody knows b yet: %+v, %v", result, err)
		}
		lone.set(false)
		pass(2 * time.Second)
		lone.set(true)
		begin := time.Now()
		result, err := a.Send(t.Context(), "do", []byte("y"))
		if err != nil || result.Replicas != 2 || result.Followed != 1 || !slices.Equal(result.Behind, []string{"b"}) {
			t.Errorf("b is cut off: %+v, %v", result, err)
		}
		if d := time.Since(begin); d > fleet.Patience+100*time.Millisecond {
			t.Errorf("waited %v", d)
		}
		pass(10 * time.Minute)
		lone.set(false)
		pass(2 * time.Second)
		if got := b.executed(); !slices.Equal(got, []string{"x", "y"}) {
			t.Errorf("b executed %v", got)
		}
	})
}

// keyless is a store whose commands cannot be read until a key arrives.
type keyless struct {
	fleet.Store
	until time.Time
}

func (s *keyless) Beat(ctx context.Context, b fleet.Beat) (fleet.News, error) {
	news, err := s.Store.Beat(ctx, b)
	for i, c := range news.Commands {
		if time.Now().Before(s.until) {
			news.Commands[i] = fleet.Command{ID: c.ID, Err: errors.New("unknown key"), Later: true}
		}
	}
	return news, err
}

// The encryption key rotates and a command comes before it: the replica
// follows when it has the key, and is not held up for ever by one that never
// comes.
func TestCommandWaitsForItsKey(t *testing.T) {
	for _, test := range []struct {
		late time.Duration
		want []string
	}{{10 * time.Second, []string{"x", "y"}}, {time.Hour, []string{"z"}}} {
		synctest.Test(t, func(t *testing.T) {
			memory := fleet.NewMemory()
			store := &keyless{Store: memory, until: time.Now().Add(test.late)}
			a, b := join(t, "a", memory, nil), join(t, "b", store, nil)
			pass(time.Second)
			for _, text := range []string{"x", "y"} {
				if result, err := a.Send(t.Context(), "do", []byte(text)); err != nil || !slices.Equal(result.Behind, []string{"b"}) {
					t.Errorf("%+v, %v", result, err)
				}
			}
			pass(test.late + 3*time.Second)
			if test.late > fleet.Grace {
				if result, err := a.Send(t.Context(), "do", []byte("z")); err != nil || result.Followed != 2 {
					t.Errorf("afterwards: %+v, %v", result, err)
				}
				if n := len(b.executions()); n != 3 {
					t.Errorf("%d commands are accounted for, want 3", n)
				}
			}
			if got := b.executed(); !slices.Equal(got, test.want) {
				t.Errorf("b executed %v, want %v", got, test.want)
			}
		})
	}
}

// Away in both forms: refused at once, and refused only for the sender.
func TestSendWithoutStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alone := join(t, "alone", nil, nil)
		result, err := alone.Send(t.Context(), "do", []byte("1"))
		if err != nil || result.Replicas != 1 || result.Followed != 1 || !result.Alone || !strings.Contains(result.Reason, "no Redis") {
			t.Errorf("%+v, %v", result, err)
		}
		if got := names(t, alone.Fleet); !slices.Equal(got, []string{"alone"}) {
			t.Errorf("members %v", got)
		}
		store := &cutOff{Store: fleet.NewMemory()}
		a := join(t, "a", store, nil)
		join(t, "b", store.Store, nil)
		pass(2500 * time.Millisecond)
		store.set(true)
		begin := time.Now()
		result, err = a.Send(t.Context(), "do", []byte("2"))
		if err != nil || result.Replicas != 2 || result.Followed != 1 || !result.Alone || !strings.Contains(result.Reason, errAway.Error()) {
			t.Errorf("%+v, %v", result, err)
		}
		if got := a.executed(); !slices.Equal(got, []string{"2"}) || time.Since(begin) != 0 {
			t.Errorf("executed %v after %v", got, time.Since(begin))
		}
		if _, err := a.Members(t.Context()); !errors.Is(err, errAway) {
			t.Errorf("Members: %v", err)
		}
	})
}

// deaf takes commands and answers nothing about members.
type deaf struct{ fleet.Store }

func (deaf) Members(context.Context) ([]fleet.Member, error) { return nil, errAway }

func TestStoreThatIsGoneAfterTheCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := fleet.NewMemory()
		a, b := join(t, "a", deaf{memory}, nil), join(t, "b", memory, nil)
		pass(1500 * time.Millisecond)
		begin := time.Now()
		result, err := a.Send(t.Context(), "do", []byte("1"))
		if err != nil || result.Replicas != 2 || result.Followed != 1 || result.Alone || result.Reason == "" || time.Since(begin) != fleet.Patience {
			t.Errorf("%+v, %v after %v", result, err, time.Since(begin))
		}
		if got := b.executed(); !slices.Equal(got, []string{"1"}) {
			t.Errorf("b executed %v", got)
		}
	})
}

func TestFailuresAreNotCountedAsFollowed(t *testing.T) {
	for name, handle := range map[string]func(*replica, []byte) error{
		"error": func(*replica, []byte) error { return errors.New("disk full") },
		"panic": func(*replica, []byte) error { panic("nil map") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := fleet.NewMemory()
				a, bad, c := join(t, "a", store, nil), join(t, "bad", store, handle), join(t, "c", store, nil)
				pass(1500 * time.Millisecond)
				begin := time.Now()
				result, err := a.Send(t.Context(), "do", []byte("1"))
				if err != nil || result.Replicas != 3 || result.Followed != 2 || !slices.Equal(result.Behind, []string{"bad"}) {
					t.Errorf("%+v, %v", result, err)
				}
				if d := time.Since(begin); d > 1200*time.Millisecond {
					t.Errorf("waited %v for a replica that has failed already", d)
				}
				runs := bad.executions()
				if len(runs) != 1 || runs[0].Err == nil || (name == "panic") != (runs[0].Stack != nil) {
					t.Fatalf("hooks saw %+v", runs)
				}
				// The one that fails here fails for its own sender too, and goes on.
				result, err = bad.Send(t.Context(), "do", []byte("2"))
				if err == nil || result.Replicas != 3 || result.Followed != 2 || !slices.Equal(result.Behind, []string{"bad"}) {
					t.Errorf("%+v, %v", result, err)
				}
				if got := c.executed(); !slices.Equal(got, []string{"1", "2"}) {
					t.Errorf("c executed %v", got)
				}
				if got := bad.executed(); !slices.Equal(got, []string{"1", "2"}) {
					t.Errorf("the failing replica executed %v, want each once", got)
				}
			})
		})
	}
}

func TestSlowHandlersDoNotLookDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := fleet.NewMemory()
		a := join(t, "a", store, nil)
		join(t, "slow", store, func(*replica, []byte) error { pass(20 * time.Second); return nil })
		pass(1500 * time.Millisecond)
		result, err := a.Send(t.Context(), "do", []byte("1"))
		if err != nil || !slices.Equal(result.Behind, []string{"slow"}) {
			t.Errorf("%+v, %v", result, err)
		}
		pass(10 * time.Second)
		if got := names(t, a.Fleet); !slices.Equal(got, []string{"a", "slow"}) {
			t.Errorf("members %v", got)
		}
	})
}

func TestHandlersHaveADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var left time.Duration
		f := fleet.New(fleet.Options{Handle: map[string]fleet.Handler{"do": func(ctx context.Context, _ []byte) error {
			deadline, _ := ctx.Deadline()
			left = time.Until(deadline)
			return ctx.Err()
		}}})
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // the operator has gone; the command has not
		if _, err := f.Send(ctx, "do", nil); err != nil || left != fleet.Patience {
			t.Errorf("%v, %v left", err, left)
		}
	})
}

func TestSenderWhoLeavesLeavesTheCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := fleet.NewMemory()
		a, b := join(t, "a", store, nil), join(t, "b", store, nil)
		pass(1100 * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		begin := time.Now()
		result, err := a.Send(ctx, "do", []byte("1"))
		if err != nil || result.Replicas != 2 || result.Followed != 1 || !within(time.Since(begin), 0, 150*time.Millisecond) {
			t.Errorf("%+v, %v after %v", result, err, time.Since(begin))
		}
		pass(2 * time.Second)
		if got := b.executed(); !slices.Equal(got, []string{"1"}) {
			t.Errorf("b executed %v", got)
		}
	})
}

func TestWhatCannotBeSent(t *testing.T) {
	f := fleet.New(fleet.Options{Handle: map[string]fleet.Handler{"do": func(context.Context, []byte) error {
		t.Error("executed")
		return nil
	}}})
	if result, err := f.Send(t.Context(), "undo", nil); !errors.Is(err, fleet.ErrKind) || result.Replicas != 0 {
		t.Errorf("%+v, %v", result, err)
	}
	if result, err := f.Send(t.Context(), "do", make([]byte, fleet.MaxPayload+1)); err == nil || result.Replicas != 0 {
		t.Errorf("%+v, %v", result, err)
	}
}

// A replica of another version lacks a kind: it says so and goes on.
func TestUnknownKindsAreFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := fleet.NewMemory()
		a := join(t, "a", store, nil)
		newer := fleet.New(fleet.Options{Replica: "newer", Store: store, Handle: map[string]fleet.Handler{
			"fly": func(context.Context, []byte) error { return nil },
		}})
		pass(1500 * time.Millisecond)
		result, err := newer.Send(t.Context(), "fly", nil)
		if err != nil || result.Replicas != 2 || result.Followed != 1 || !slices.Equal(result.Behind, []string{"a"}) {
			t.Errorf("%+v, %v", result, err)
		}
		if runs := a.executions(); len(runs) != 1 || !errors.Is(runs[0].Err, fleet.ErrKind) {
			t.Errorf("hooks saw %+v", runs)
		}
	})
}

func TestReplicaCutOffForTooLongIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := fleet.NewMemory()
		lone := &cutOff{Store: memory}
		b := join(t, "b", lone, nil)
		pass(1500 * time.Millisecond)
		lone.set(true)
		sender := fleet.New(fleet.Options{Replica: "a", Store: memory, Handle: map[string]fleet.Handler{
			"do": func(context.Context, []byte) error { return nil },
		}})
		pass(fleet.Silence + time.Second)
		for range fleet.Kept + 5 {
			if _, err := sender.Send(t.Context(), "do", []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		lone.set(false)
		pass(5 * time.Second)
		if n := len(b.executed()); n != fleet.Kept || b.lost != 1 {
			t.Errorf("executed %d, told %d times; want the newest %d, once", n, b.lost, fleet.Kept)
		}
		lone.set(true)
		if _, err := sender.Send(t.Context(), "do", []byte("x")); err != nil {
			t.Fatal(err)
		}
		pass(2 * fleet.KeptFor)
		lone.set(false)
		pass(5 * time.Second)
		if n := len(b.executed()); n != fleet.Kept || b.lost != 2 {
			t.Errorf("executed %d, told %d times; want none of two hours ago, once more", n, b.lost)
		}
	})
}

func TestNamesAreRandomByDefault(t *testing.T) {
	alone := fleet.New(fleet.Options{Version: "1"})
	alone.Serve("c0ffee")
	members, err := alone.Members(t.Context())
	again, _ := fleet.New(fleet.Options{}).Members(t.Context())
	if err != nil || len(members) != 1 || members[0].Replica == "" || members[0].Replica == again[0].Replica || members[0].Version != "1" || members[0].Config != "c0ffee" {
		t.Errorf("%+v, %+v, %v", members, again, err)
	}
}
