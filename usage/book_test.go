package usage_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"iqgateway/usage"
)

// shaky is a store that may be away, and may lose its answers.
type shaky struct {
	mu    sync.Mutex
	seen  map[string]int64 // numbers of batches, by writer and day
	days  usage.Days
	fails func() (before, after error)
}

func newShaky() *shaky {
	return &shaky{seen: map[string]int64{}, days: usage.Days{}, fails: func() (error, error) { return nil, nil }}
}

func (s *shaky) Add(_ context.Context, b usage.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, after := s.fails()
	if before != nil {
		return before
	}
	if id := b.Writer + b.Day.String(); s.seen[id] < b.Seq {
		s.seen[id] = b.Seq
		if s.days[b.Day] == nil {
			s.days[b.Day] = map[usage.Names]usage.Counts{}
		}
		for n, c := range b.Counts {
			s.days[b.Day][n] = s.days[b.Day][n].Plus(c)
		}
	}
	return after
}

func (s *shaky) Read(context.Context, usage.Day, usage.Day, []string) (usage.Days, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	copied := usage.Days{}
	for d, counts := range s.days {
		copied[d] = maps.Clone(counts)
	}
	return copied, nil
}

// clock is set by hand.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func newClock() *clock { return &clock{at: time.Date(2026, 3, 31, 23, 59, 0, 0, time.UTC)} }

func total(days usage.Days) (all usage.Counts) {
	for _, counts := range days {
		for _, c := range counts {
			all = all.Plus(c)
		}
	}
	return all
}

func caller(name string) usage.Names {
	return usage.Names{Environment: "production", Service: "crm", Caller: name, Credential: "retail"}
}

var errAway = errors.New("away")

// Whatever becomes of calls to the store, each count is there once in the end.
func TestCountsAreToldOnce(t *testing.T) {
	store, at := newShaky(), newClock()
	calls := 0
	store.fails = func() (before, after error) {
		switch calls++; calls % 3 {
		case 0:
			return errAway, nil
		case 1:
			return nil, errAway // it counts, and nobody knows
		}
		return nil, nil
	}
	book := usage.NewBook(usage.Options{Writer: "one", Store: store, Now: at.now})
	const workers, each = 4, 1000
	var crowd sync.WaitGroup
	for w := range workers {
		crowd.Go(func() {
			for i := range each {
				book.Count(caller(fmt.Sprint("c", w)), usage.Counts{Requests: 1, Attempts: 2, Tokens: 3, Hits: 4, Refusals: 5, BytesOut: 6})
				if i%100 == 0 {
					_ = book.Tell(t.Context())
				}
			}
		})
	}
	crowd.Wait()
	for err := errAway; err != nil; {
		err = book.Tell(t.Context())
	}
	const n = workers * each
	if got, want := total(store.days), (usage.Counts{Requests: n, Attempts: 2 * n, Tokens: 3 * n, Hits: 4 * n, Refusals: 5 * n, BytesOut: 6 * n}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if left := book.Untold(); len(left) > 0 {
		t.Errorf("not told: %v", left)
	}
}

// What was used before midnight is of the day before, also when it is told later.
func TestDaysEndAtMidnightUTC(t *testing.T) {
	store, at := newShaky(), newClock()
	book := usage.NewBook(usage.Options{Writer: "one", Store: store, Now: at.now})
	book.Count(caller("shop"), usage.Counts{Requests: 1})
	at.pass(2 * time.Minute)
	book.Count(caller("shop"), usage.Counts{Requests: 10})
	days, err := book.Read(t.Context(), 0, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	rows := usage.Sum(days, []string{"day", "caller"})
	if len(rows) != 2 || rows[0].Day != "2026-03-31" || rows[0].Requests != 1 || rows[1].Day != "2026-04-01" || rows[1].Requests != 10 {
		t.Errorf("%+v", rows)
	}
}

// A store that is away for days, and names without end: what is kept is bounded,
// and no count is lost.
func TestABookIsBounded(t *testing.T) {
	store, at := newShaky(), newClock()
	store.fails = func() (error, error) { return errAway, nil }
	book := usage.NewBook(usage.Options{Writer: "one", Store: store, Now: at.now})
	const days, names = 3, usage.MaxKeys + 500
	for range days {
		for i := range names {
			book.Count(caller(fmt.Sprint("c", i)), usage.Counts{Requests: 1})
		}
		_ = book.Tell(t.Context())
		at.pass(24 * time.Hour)
	}
	days3 := book.Untold()
	for day, counts := range days3 {
		if len(counts) != usage.MaxKeys+1 {
			t.Errorf("%s: %d names, want %d and the rest", day, len(counts), usage.MaxKeys)
		}
		if rest := counts[usage.Names{Environment: usage.Rest, Service: usage.Rest, Caller: usage.Rest, Credential: usage.Rest}]; rest.Requests != 500 {
			t.Errorf("%s: the rest is %+v", day, rest)
		}
	}
	if got := total(days3).Requests; got != days*names {
		t.Errorf("%d kept, want %d", got, days*names)
	}
	store.fails = func() (error, error) { return nil, nil }
	if err := book.Tell(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := total(store.days).Requests; got != days*names {
		t.Errorf("%d told, want %d", got, days*names)
	}
}

// While the store is away there is what it does not know yet, and the reason.
func TestReadWithoutTheStore(t *testing.T) {
	store, at := newShaky(), newClock()
	store.fails = func() (error, error) { return errAway, nil }
	book := usage.NewBook(usage.Options{Writer: "one", Store: store, Now: at.now})
	book.Count(caller("shop"), usage.Counts{Requests: 7})
	today := usage.DayOf(at.now())
	days, err := book.Read(t.Context(), today, today, nil)
	if !errors.Is(err, errAway) || total(days).Requests != 7 {
		t.Errorf("%v, %v", days, err)
	}
}

func TestParseBy(t *testing.T) {
	for text, want := range map[string]bool{"caller": true, "day,environment,service,caller,credential": true, "": false, "caller,": false, "path": false, "day,day": false} {
		if _, err := usage.ParseBy(text); (err == nil) != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func BenchmarkCount(b *testing.B) {
	book := usage.NewBook(usage.Options{Writer: "one", Store: newShaky()})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			book.Count(caller("shop"), usage.Counts{Requests: 1, BytesOut: 1024})
		}
	})
}
