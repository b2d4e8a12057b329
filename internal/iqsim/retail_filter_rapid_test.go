package iqsim

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// term is a filter that was made together with what it must say.
type term struct {
	text string
	want bool
}

// comparisons of the field N, which holds n, with numbers around it.
func drawComparison(t *rapid.T, n int) term {
	with := rapid.IntRange(n-2, n+2).Draw(t, "with")
	op := rapid.SampledFrom([]string{"eq", "ne", "lt", "le", "gt", "ge"}).Draw(t, "op")
	want := map[string]bool{"eq": n == with, "ne": n != with, "lt": n < with, "le": n <= with, "gt": n > with, "ge": n >= with}[op]
	return term{fmt.Sprintf("N %s %d", op, with), want}
}

func drawFilter(t *rapid.T, n, depth int) term {
	if depth == 0 {
		return drawComparison(t, n)
	}
	a, b := drawFilter(t, n, depth-1), drawFilter(t, n, depth-1)
	switch rapid.IntRange(0, 4).Draw(t, "form") {
	case 0:
		return term{"(" + a.text + ") and (" + b.text + ")", a.want && b.want}
	case 1:
		return term{"(" + a.text + ") or (" + b.text + ")", a.want || b.want}
	case 2:
		return term{"not (" + a.text + ")", !a.want}
	case 3: // "and" binds tighter than "or"
		c, d, e := drawComparison(t, n), drawComparison(t, n), drawComparison(t, n)
		return term{c.text + " or " + d.text + " and " + e.text, c.want || d.want && e.want}
	default:
		return a
	}
}

// Any filter built from comparisons says what its parts say.
func TestFilterMeansWhatItSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(-5, 5).Draw(t, "n")
		made := drawFilter(t, n, rapid.IntRange(0, 3).Draw(t, "depth"))
		f, err := parseFilter(made.text)
		if err != nil {
			t.Fatalf("parseFilter(%q): %v", made.text, err)
		}
		if got := f(document{"N": n}); got != made.want {
			t.Errorf("N = %d: %q = %v, want %v", n, made.text, got, made.want)
		}
	})
}
