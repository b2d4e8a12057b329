package quotasim

import (
	"runtime"
	"strings"
	"sync"
	"testing"
)

// compare runs all strategies in all columns, a few seeds each.
func compare(t *testing.T, seeds, windows int) ([]Column, []Row) {
	t.Helper()
	columns := Columns(1, windows)
	strategies := append([]Strategy{Design()}, Baselines()...)
	rows := make([]Row, len(strategies))
	var all sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, s := range strategies {
		rows[i] = Row{Strategy: s.Name, Cells: make([]Cell, len(columns))}
		for j := range columns {
			all.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				var results []Result
				for seed := range uint64(seeds) {
					c := Columns(seed+1, windows)[j]
					r, broken := Run(c.Scenario, s)
					if broken != nil {
						t.Errorf("%s, %s: %s", s.Name, c.Name, broken)
					}
					results = append(results, r)
				}
				rows[i].Cells[j] = Summarise(columns[j].Scenario.Length(), results)
			})
		}
	}
	all.Wait()
	return columns, rows
}

// TestTable compares the design with the usual strategies, and holds it to its
// targets.
func TestTable(t *testing.T) {
	seeds, windows := 2, 6
	if *long {
		seeds, windows = 5, 24
	}
	columns, rows := compare(t, seeds, windows)
	if err := WriteTable(t.Output(), columns, rows); err != nil {
		t.Fatal(err)
	}
	targets := []struct {
		used, refused, trips float64
	}{
		{0.995, 0, 0.3},
		{0.99, 0, 0.45},
		{0.99, 0.5, 0.5},
		{0.98, 1, 0.5},
		{0.99, 1, 0.5},
		{0.93, 0, 3},
	}
	for j, want := range targets {
		got := rows[0].Cells[j]
		if all := seeds * (windows - 2); got.Windows < all { // no request has opened the others
			t.Errorf("%s: %d of %d windows saw a request", columns[j].Name, got.Windows, all)
		}
		if got.Used < want.used || got.Refused > want.refused || got.Trips > want.trips {
			t.Errorf("%s: %.2f %% used, %.2f 429s per window, %.3f trips per request; want %.1f %%, %.2f, %.2f",
				columns[j].Name, 100*got.Used, got.Refused, got.Trips, 100*want.used, want.refused, want.trips)
		}
	}
}

// TestBaselinesAreRefused: the comparison would mean nothing if the usual
// strategies met no difficulty in it.
func TestBaselinesAreRefused(t *testing.T) {
	for _, s := range Baselines() {
		var refused int64
		for _, c := range Columns(3, 4) {
			r, broken := Run(c.Scenario, s)
			if broken != nil {
				t.Fatalf("%s is held to a promise: %s", s.Name, broken)
			}
			for _, w := range r.Windows {
				refused += w.Refused
			}
		}
		if refused == 0 {
			t.Errorf("%s: no request was refused in any column", s.Name)
		}
	}
}

func TestSummarise(t *testing.T) {
	r := Result{Sent: 10, Trips: 5, Windows: []WindowCount{
		{End: 1, Limit: 100, Own: 1},                            // the first
		{End: 2, Limit: 100, Own: 80, External: 20},             // all of what others left
		{End: 3, Limit: 100, Own: 40, External: 20, Refused: 3}, // half
		{End: 9, Limit: 100, Own: 1},                            // not over yet
	}}
	got := Summarise(5, []Result{r})
	want := Cell{Used: 0.75, Refused: 1.5, Worst: 3, Trips: 0.5, Windows: 2}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestWriteTable(t *testing.T) {
	var b strings.Builder
	err := WriteTable(&b, []Column{{Name: "calm"}}, []Row{{"a", []Cell{{Used: 0.5, Refused: 0.25, Worst: 2, Trips: 0.125}}}})
	if err != nil {
		t.Fatal(err)
	}
	want := "strategy  calm\na         50.0 % / 0.25 (2) 0.125\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}
