package limiter

import (
	"fmt"
	"slices"
	"testing"
)

// Where nobody asks no epoch ends: the next forecast is about all windows that
// went by, rounded, at most twenty.
func TestAForecastIsPerWindow(t *testing.T) {
	for _, tt := range []struct {
		after int64 // milliseconds, of windows of ten seconds
		want  float64
	}{
		{100, 60}, {10_000, 60}, {14_999, 60}, {15_000, 30}, {60_000, 10}, {200_000, 3}, {86_400_000, 3},
	} {
		s := Shared{
			Mode: ModeKnown, Span: 10_000, Opened: epoch0,
			Members: []Member{{Replica: "a", Uses: []Use{{Caller: "x", Class: Batch, Arrived: 60}}}},
		}
		s.forecast(epoch0 + tt.after)
		if len(s.Demand) != 1 || s.Demand[0].Rate[Batch] != tt.want {
			t.Errorf("60 requests in %d ms: %+v, want %v in a window", tt.after, s.Demand, tt.want)
		}
	}
}

// Of many callers the busiest of all classes are kept, those of the first names
// among equals, and the list stays sorted by caller.
func TestTheBusiestCallersAreForecast(t *testing.T) {
	for _, tt := range []struct {
		name    string
		callers int
		arrived func(i int) int64
		from    int // the first that is kept
	}{
		{"as many as fit", maxUsers, func(i int) int64 { return int64(i + 1) }, 0},
		{"six too many", maxUsers + 6, func(i int) int64 { return int64(i + 1) }, 6},
		{"six too many, alike", maxUsers + 6, func(int) int64 { return 5 }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := Shared{Mode: ModeKnown, Span: 10_000, Opened: epoch0, Members: []Member{{Replica: "a"}}}
			for i := range tt.callers {
				s.Members[0].Uses = append(s.Members[0].Uses, Use{Caller: caller(i), Class: Class(i % Classes), Arrived: tt.arrived(i)})
			}
			s.forecast(epoch0 + 10_000)
			var got, want []string
			for _, d := range s.Demand {
				got = append(got, d.Caller)
			}
			for i := range maxUsers {
				want = append(want, caller(tt.from+i))
			}
			if !slices.Equal(got, want) {
				t.Errorf("kept are %v, want %v", got, want)
			}
		})
	}
}

func caller(i int) string { return fmt.Sprintf("caller-%03d", i) }
