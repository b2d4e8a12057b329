package usage

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Row is a sum: what it is of stands in the fields that were asked for.
type Row struct {
	Day string `json:"day,omitempty"`
	Names
	Counts
}

// Dimensions are what usage can be told apart by.
func Dimensions() []string {
	return []string{"day", "environment", "service", "caller", "credential"}
}

// ParseBy reads a list of dimensions, as caller,service.
func ParseBy(text string) ([]string, error) {
	by := strings.Split(text, ",")
	for i, d := range by {
		if !slices.Contains(Dimensions(), d) || slices.Contains(by[:i], d) {
			return nil, fmt.Errorf("by is %q: want some of %s, each once, separated by commas", text, strings.Join(Dimensions(), ", "))
		}
	}
	return by, nil
}

// field is where a row has a dimension.
func (r *Row) field(dimension string) *string {
	switch dimension {
	case "day":
		return &r.Day
	case "environment":
		return &r.Environment
	case "service":
		return &r.Service
	case "caller":
		return &r.Caller
	default:
		return &r.Credential
	}
}

// Value is what the row is of, in a dimension.
func (r *Row) Value(dimension string) string { return *r.field(dimension) }

// Sum adds days up by dimensions, sorted by them.
func Sum(days Days, by []string) []Row {
	sums := map[Row]Counts{}
	for day, counts := range days {
		for names, c := range counts {
			full, row := Row{Day: day.String(), Names: names}, Row{}
			for _, d := range by {
				*row.field(d) = full.Value(d)
			}
			sums[row] = sums[row].Plus(c)
		}
	}
	rows := make([]Row, 0, len(sums))
	for row, c := range sums {
		row.Counts = c
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b Row) int {
		for _, d := range by {
			if c := cmp.Compare(a.Value(d), b.Value(d)); c != 0 {
				return c
			}
		}
		return 0
	})
	return rows
}
