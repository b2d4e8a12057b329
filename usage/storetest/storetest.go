// Package storetest is what every [usage.Store] must pass.
package storetest

import (
	"sync"
	"testing"

	"iqgateway/usage"
)

// Fleet are stores of several processes that share what they keep; it is empty. One
// of a single process stands in it alone.
type Fleet []usage.Store

const day = usage.Day(21_000)

func shop(caller string) usage.Names {
	return usage.Names{Environment: "production", Service: "crm", Caller: caller, Credential: "retail"}
}

func known() []string { return []string{"production", "crm", "shop", "erp", "retail"} }

// Run checks the stores that fleet makes.
func Run(t *testing.T, fleet func(t *testing.T) Fleet) {
	t.Helper()
	t.Run("batches add up, each once", func(t *testing.T) { addUp(t, fleet(t)) })
	t.Run("days are apart", func(t *testing.T) { daysAreApart(t, fleet(t)) })
	t.Run("names may be unknown", func(t *testing.T) { unknownNames(t, fleet(t)) })
}

func add(t *testing.T, s usage.Store, b usage.Batch) {
	t.Helper()
	if err := s.Add(t.Context(), b); err != nil {
		t.Error(err)
	}
}

func read(t *testing.T, s usage.Store, first, last usage.Day) usage.Days {
	t.Helper()
	days, err := s.Read(t.Context(), first, last, known())
	if err != nil {
		t.Fatal(err)
	}
	return days
}

// Several writers at once; each tells every batch three times, as who got no answer
// does.
func addUp(t *testing.T, fleet Fleet) {
	t.Helper()
	one := usage.Counts{Requests: 1, Attempts: 2, Tokens: 3, Hits: 4, Refusals: 5, BytesOut: 6 << 40}
	const batches = 5
	var writers sync.WaitGroup
	for i, s := range fleet {
		writers.Go(func() {
			for seq := range int64(batches) {
				b := usage.Batch{
					Writer: string(rune('a' + i)), Seq: seq + 1, Day: day,
					Counts: map[usage.Names]usage.Counts{shop("shop"): one, shop("erp"): {Hits: 1}},
				}
				for range 3 {
					add(t, s, b)
				}
			}
		})
	}
	writers.Wait()
	n := int64(batches * len(fleet))
	want := usage.Counts{Requests: n, Attempts: 2 * n, Tokens: 3 * n, Hits: 4 * n, Refusals: 5 * n, BytesOut: n * 6 << 40}
	for _, s := range fleet {
		counts := read(t, s, day, day)[day]
		if len(counts) != 2 || counts[shop("shop")] != want || counts[shop("erp")] != (usage.Counts{Hits: n}) {
			t.Errorf("%+v, want %+v", counts, want)
		}
	}
}

func daysAreApart(t *testing.T, fleet Fleet) {
	t.Helper()
	s := fleet[0]
	for i := range 3 {
		add(t, s, usage.Batch{Writer: "w", Seq: int64(i + 1), Day: day + usage.Day(i), Counts: map[usage.Names]usage.Counts{shop("shop"): {Requests: int64(i + 1)}}})
	}
	days := read(t, s, day+1, day+5)
	if len(days) != 2 || days[day+1][shop("shop")].Requests != 2 || days[day+2][shop("shop")].Requests != 3 {
		t.Errorf("%v", days)
	}
}

// A request that was not routed, of a caller that is not known.
func unknownNames(t *testing.T, fleet Fleet) {
	t.Helper()
	add(t, fleet[0], usage.Batch{Writer: "w", Seq: 1, Day: day, Counts: map[usage.Names]usage.Counts{{}: {Refusals: 1}}})
	if counts := read(t, fleet[0], day, day)[day]; counts[usage.Names{}].Refusals != 1 {
		t.Errorf("%v", counts)
	}
}
