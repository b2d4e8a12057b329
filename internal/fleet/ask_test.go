package fleet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/internal/fleet"
)

// asks is a replica that answers what it is asked with its own name.
func asks(t *testing.T, name string, store fleet.Store, more map[string]fleet.Answerer) *fleet.Fleet {
	t.Helper()
	answers := map[string]fleet.Answerer{"name": func(_ context.Context, payload []byte) ([]byte, error) {
		return append([]byte(name+" "), payload...), nil
	}}
	maps.Copy(answers, more)
	f := fleet.New(fleet.Options{Replica: name, Store: store, Answer: answers})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return f
}

func TestOneReplicaAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := fleet.NewMemory()
		a, b := asks(t, "a", store, nil), asks(t, "b", store, nil)
		asks(t, "c", store, nil)
		pass(1500 * time.Millisecond)
		for to, asker := range map[string]*fleet.Fleet{"c": a, "a": b, "b": b} {
			begin := time.Now()
			answer, err := asker.Ask(t.Context(), "", to, "name", []byte("x"))
			if err != nil || string(answer) != to+" x" {
				t.Errorf("%s: %q, %v", to, answer, err)
			}
			if d := time.Since(begin); d > 1100*time.Millisecond {
				t.Errorf("%s: answered after %v, more than a beat", to, d)
			}
		}
		var all sync.WaitGroup
		for range 5 { // together
			all.Go(func() {
				if answer, err := a.Ask(t.Context(), "", "b", "name", []byte("y")); err != nil || string(answer) != "b y" {
					t.Errorf("%q, %v", answer, err)
				}
			})
		}
		all.Wait()
	})
}

func TestQuestionsThatNobodyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := fleet.NewMemory()
		a := asks(t, "a", store, nil)
		asks(t, "b", store, map[string]fleet.Answerer{
			"fails":  func(context.Context, []byte) ([]byte, error) { return nil, errors.New("no") },
			"panics": func(context.Context, []byte) ([]byte, error) { panic("nil map") },
			"much":   func(context.Context, []byte) ([]byte, error) { return make([]byte, fleet.MaxAnswer+1), nil },
			"slow":   func(ctx context.Context, _ []byte) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() },
		})
		pass(1500 * time.Millisecond)
		for _, kind := range []string{"fails", "panics", "much", "slow", "unknown"} {
			begin := time.Now()
			if answer, err := a.Ask(t.Context(), "", "b", kind, nil); !errors.Is(err, fleet.ErrNoAnswer) || time.Since(begin) != fleet.AskPatience {
				t.Errorf("%s: %q, %v after %v", kind, answer, err, time.Since(begin))
			}
		}
		pass(3 * time.Second)
		if answer, err := a.Ask(t.Context(), "", "b", "name", []byte("z")); err != nil || string(answer) != "b z" {
			t.Errorf("afterwards: %q, %v", answer, err)
		}
	})
}

func TestReplicasThatCannotBeAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &cutOff{Store: fleet.NewMemory()} // has no mail
		a := asks(t, "a", store, nil)
		asks(t, "b", store.Store, nil)
		alone := asks(t, "alone", nil, nil)
		other := asks(t, "other", store.Store, nil)
		pass(1500 * time.Millisecond)
		begin := time.Now()
		for name, err := range map[string]error{
			"no mail":      second(a.Ask(t.Context(), "", "b", "name", nil)),
			"no store":     second(alone.Ask(t.Context(), "", "b", "name", nil)),
			"not a member": second(other.Ask(t.Context(), "", "z", "name", nil)),
		} {
			if !errors.Is(err, fleet.ErrNobody) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if time.Since(begin) != 0 {
			t.Errorf("it took %v", time.Since(begin))
		}
		if err := second(other.Ask(t.Context(), "", "b", "name", make([]byte, fleet.MaxPayload+1))); err == nil {
			t.Error("a payload without bounds is sent")
		}
		if err := second(other.Ask(t.Context(), "", "other", "unknown", nil)); !errors.Is(err, fleet.ErrKind) {
			t.Errorf("of itself: %v", err)
		}
		if answer, err := alone.Ask(t.Context(), "", "alone", "name", nil); err != nil || !bytes.HasPrefix(answer, []byte("alone")) {
			t.Errorf("%q, %v", answer, err)
		}
	})
}

func second(_ []byte, err error) error { return err }

// Whoever asks without end waits for nobody, costs the store a few places, and
// leaves others theirs.
func TestQuestionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := fleet.NewMemory()
		a := asks(t, "a", store, nil)
		if _, err := store.Beat(t.Context(), fleet.Beat{Member: fleet.Member{Replica: "mute"}}); err != nil {
			t.Fatal(err)
		}
		// open tries to ask, and returns what came of it at once; nil = it waits.
		open := func(asker string) error {
			result := make(chan error, 1)
			go func() { result <- second(a.Ask(t.Context(), asker, "mute", "name", nil)) }()
			synctest.Wait()
			select {
			case err := <-result:
				return err
			default:
				return nil
			}
		}
		for i, step := range []struct {
			asker string
			asked int
		}{{"pos", 2}, {"web", 2}, {"app", 2}, {"etl", 0}, {"", 2}} {
			for n := range 10 {
				if err := open(step.asker); (err == nil) != (n < step.asked) || err != nil && !errors.Is(err, fleet.ErrAsking) {
					t.Errorf("step %d: question %d of %q: %v", i, n, step.asker, err)
				}
			}
		}
		pass(fleet.AskPatience + time.Second)
		if err := open("pos"); err != nil {
			t.Errorf("afterwards: %v", err)
		}
		pass(fleet.AskPatience + time.Second)
	})
}

// A replica that is asked too much at the moment is no replica that is gone.
func TestAReplicaThatIsAskedTooMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := fleet.NewMemory()
		a := asks(t, "a", store, nil)
		if _, err := store.Beat(t.Context(), fleet.Beat{Member: fleet.Member{Replica: "mute"}}); err != nil {
			t.Fatal(err)
		}
		for range fleet.MaxAsked {
			if refused, err := store.Ask(t.Context(), []fleet.Question{{To: "mute"}}); err != nil || refused[0] != nil {
				t.Fatal(refused, err)
			}
		}
		if err := second(a.Ask(t.Context(), "", "mute", "name", nil)); !errors.Is(err, fleet.ErrAsking) {
			t.Errorf("%v", err)
		}
		if err := second(a.Ask(t.Context(), "", "gone", "name", nil)); !errors.Is(err, fleet.ErrNobody) {
			t.Errorf("%v", err)
		}
	})
}

// All are asked at once, and who does not answer, or cannot be asked, is named.
func TestAllReplicasAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := fleet.NewMemory()
		a := asks(t, "a", store, nil)
		asks(t, "b", store, nil)
		asks(t, "c", store, map[string]fleet.Answerer{"name": func(context.Context, []byte) ([]byte, error) { return nil, nil }})
		pass(1500 * time.Millisecond)
		for _, mute := range []string{"mute", "full"} {
			if _, err := store.Beat(t.Context(), fleet.Beat{Member: fleet.Member{Replica: mute}}); err != nil {
				t.Fatal(err)
			}
		}
		for range fleet.MaxAsked {
			if _, err := store.Ask(t.Context(), []fleet.Question{{To: "full"}}); err != nil {
				t.Fatal(err)
			}
		}
		begin := time.Now()
		answers, err := a.AskAll(t.Context(), "", "name", []byte("x"))
		if err != nil || len(answers) != 5 || time.Since(begin) != fleet.AskPatience {
			t.Fatalf("%+v, %v after %v", answers, err, time.Since(begin))
		}
		for i, want := range []struct {
			replica, text string
			err           error
		}{{"a", "a x", nil}, {"b", "b x", nil}, {"c", "", nil}, {"full", "", fleet.ErrAsking}, {"mute", "", fleet.ErrNoAnswer}} {
			if got := answers[i]; got.Replica != want.replica || string(got.Text) != want.text || !errors.Is(got.Err, want.err) {
				t.Errorf("%+v, want %+v", got, want)
			}
		}
	})
}

// Whoever is alone asks itself; of a store that is away, that is told.
func TestAskingAllWithoutOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := fleet.NewMemory()
		cut := &cutOff{Store: store}
		alone, first := asks(t, "alone", nil, nil), asks(t, "first", store, nil)
		pass(1500 * time.Millisecond)
		begin := time.Now()
		for name, f := range map[string]*fleet.Fleet{"no store": alone, "no others": first} {
			if answers, err := f.AskAll(t.Context(), "", "name", nil); err != nil || len(answers) != 1 || answers[0].Err != nil {
				t.Errorf("%s: %+v, %v", name, answers, err)
			}
		}
		if time.Since(begin) != 0 {
			t.Errorf("it took %v", time.Since(begin))
		}
		away := asks(t, "away", cut, nil)
		cut.set(true)
		if answers, err := away.AskAll(t.Context(), "", "name", nil); !errors.Is(err, fleet.ErrStore) || len(answers) != 1 || string(answers[0].Text) != "away " {
			t.Errorf("%+v, %v", answers, err)
		}
		if _, err := first.AskAll(t.Context(), "", "name", make([]byte, fleet.MaxPayload+1)); err == nil {
			t.Error("a payload without bounds is sent")
		}
	})
}

// A fleet that is too large is asked in part, and the rest named.
func TestAskingAllIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := fleet.NewMemory()
		a := asks(t, "a", store, nil)
		pass(1500 * time.Millisecond)
		for i := range fleet.MaxReplicas + 3 {
			if _, err := store.Beat(t.Context(), fleet.Beat{Member: fleet.Member{Replica: fmt.Sprintf("m%03d", i)}}); err != nil {
				t.Fatal(err)
			}
		}
		answers, err := a.AskAll(t.Context(), "pos", "name", nil)
		left := 0
		for _, answer := range answers {
			if errors.Is(answer.Err, fleet.ErrNotAsked) {
				left++
			}
		}
		if err != nil || len(answers) != 1+fleet.MaxReplicas+3 || left != 3 {
			t.Errorf("%d answers, %d not asked, %v", len(answers), left, err)
		}
	})
}

// counted counts how often its members are read.
type counted struct {
	*fleet.Memory
	read atomic.Int64
}

// Members implements [fleet.Store].
func (c *counted) Members(ctx context.Context) ([]fleet.Member, error) {
	c.read.Add(1)
	return c.Memory.Members(ctx)
}

// Whoever asks all without end costs neither the store nor this replica more than
// its questions.
func TestAskingAllTooOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &counted{Memory: fleet.NewMemory()}
		var looked atomic.Int64
		a := asks(t, "a", store, map[string]fleet.Answerer{"look": func(context.Context, []byte) ([]byte, error) {
			looked.Add(1)
			return nil, nil
		}})
		pass(1500 * time.Millisecond)
		if _, err := store.Beat(t.Context(), fleet.Beat{Member: fleet.Member{Replica: "mute"}}); err != nil {
			t.Fatal(err)
		}
		before := store.read.Load()
		var all sync.WaitGroup
		var refused atomic.Int64
		for range 10 {
			all.Go(func() {
				if answers, err := a.AskAll(t.Context(), "pos", "look", nil); errors.Is(err, fleet.ErrAsking) && answers == nil {
					refused.Add(1)
				}
			})
		}
		all.Wait()
		if refused.Load() != 8 || looked.Load() != 2 || store.read.Load()-before != 2 {
			t.Errorf("%d are refused, this replica has looked %d times, its store %d times", refused.Load(), looked.Load(), store.read.Load()-before)
		}
	})
}
