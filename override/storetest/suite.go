// Package storetest is what every store of overrides must pass.
package storetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"iqgateway/override"
)

// Fleet is two replicas' view of one store that holds nothing.
type Fleet struct{ One, Other override.Store }

// Run tests the stores that open returns.
func Run(t *testing.T, open func(t *testing.T) Fleet) {
	for name, test := range map[string]func(*testing.T, Fleet){
		"what one writes the other reads":   shares,
		"an error leaves all as it was":     refuses,
		"what has ended is not told":        ends,
		"changes at once are all made":      atOnce,
		"what was cleared is not forgotten": clears,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func an(id string, left time.Duration) override.Override {
	return override.Override{ID: id, Key: "callers." + id + ".blocked", Value: "true", Reason: "why", By: "127.0.0.1", Replica: "r1", Left: left}
}

// add returns a change that appends.
func add(more ...override.Override) func([]override.Override) ([]override.Override, error) {
	return func(all []override.Override) ([]override.Override, error) {
		return append(slices.Clone(all), more...), nil
	}
}

func update(t *testing.T, s override.Store, change func([]override.Override) ([]override.Override, error)) {
	t.Helper()
	if _, err := s.Update(t.Context(), change); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, s override.Store) override.Snapshot {
	t.Helper()
	found, err := s.Load(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func ids(all []override.Override) []string {
	names := make([]string, 0, len(all))
	for _, o := range all {
		names = append(names, o.ID)
	}
	slices.Sort(names)
	return names
}

func shares(t *testing.T, f Fleet) {
	if found := load(t, f.Other); len(found.All) > 0 {
		t.Fatalf("a new store holds %+v", found.All)
	}
	set := an("a", time.Hour)
	set.UntilReload, set.Config, set.Age = true, "4f53cda18c2b", time.Minute
	update(t, f.One, add(set))
	found := load(t, f.Other)
	if len(found.All) != 1 || found.Empty {
		t.Fatalf("%+v", found)
	}
	got := found.All[0]
	if got.Left > time.Hour || got.Left < time.Hour-time.Minute || got.Age < time.Minute || got.Age > 2*time.Minute {
		t.Errorf("left %s, age %s", got.Left, got.Age)
	}
	if got.Left, got.Age = set.Left, set.Age; got != set {
		t.Errorf("%+v, want %+v", got, set)
	}
}

func refuses(t *testing.T, f Fleet) {
	update(t, f.One, add(an("a", time.Hour)))
	no := errors.New("no")
	if _, err := f.Other.Update(t.Context(), func([]override.Override) ([]override.Override, error) { return nil, no }); !errors.Is(err, no) {
		t.Error(err)
	}
	if got := ids(load(t, f.One).All); !slices.Equal(got, []string{"a"}) {
		t.Error(got)
	}
}

func ends(t *testing.T, f Fleet) {
	update(t, f.One, add(an("a", time.Millisecond), an("b", time.Hour)))
	deadline := time.Now().Add(10 * time.Second)
	for !slices.Equal(ids(load(t, f.Other).All), []string{"b"}) {
		if time.Now().After(deadline) {
			t.Fatal("it is told of still")
		}
	}
}

func atOnce(t *testing.T, f Fleet) {
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			s := f.One
			if i%2 == 0 {
				s = f.Other
			}
			if _, err := s.Update(t.Context(), add(an(string(rune('a'+i)), time.Hour))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := len(load(t, f.One).All); n != 16 {
		t.Errorf("%d of 16 hold", n)
	}
}

func clears(t *testing.T, f Fleet) {
	update(t, f.One, add(an("a", time.Hour)))
	update(t, f.Other, func([]override.Override) ([]override.Override, error) { return nil, nil })
	if found := load(t, f.One); len(found.All) > 0 || found.Empty {
		t.Errorf("%+v", found)
	}
}
