package tokencache

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// refusalsAt makes refusals of the given minutes after the epoch.
func refusalsAt(minutes ...int) []Refusal {
	var all []Refusal
	for i, m := range minutes {
		all = append(all, Refusal{ID: fmt.Sprint(i, "@", m), At: epoch().Add(time.Duration(m) * time.Minute)})
	}
	return all
}

func TestBarred(t *testing.T) {
	cases := map[string]struct {
		minutes []int
		until   int // minutes after the epoch
		stopped bool
	}{
		"the first":                     {[]int{0}, 1, false},
		"the second":                    {[]int{0, 1}, 11, false},
		"the third of an hour":          {[]int{0, 1, 11}, 60, false},
		"the fourth":                    {[]int{0, 1, 11, 60}, 61, false},
		"the fifth":                     {[]int{0, 1, 11, 60, 61}, 71, false},
		"the sixth":                     {[]int{0, 1, 11, 60, 61, 71}, 0, true},
		"the second, hours later":       {[]int{0, 300}, 301, false},
		"the third, hours later":        {[]int{0, 300, 600}, 601, false},
		"two at once, of two replicas":  {[]int{0, 0}, 10, false},
		"four at once, of four of them": {[]int{0, 0, 0, 0}, 60, false},
		"six, each hours later":         {[]int{0, 300, 600, 900, 1200, 1500}, 0, true},
	}
	for name, c := range cases {
		until, stopped := barred(refusalsAt(c.minutes...))
		if want := epoch().Add(time.Duration(c.until) * time.Minute); stopped != c.stopped || !stopped && !until.Equal(want) {
			t.Errorf("%s: until %s, stopped %t", name, until, stopped)
		}
	}
	if until, stopped := barred(nil); !until.IsZero() || stopped {
		t.Errorf("nothing bars until %s, %t", until, stopped)
	}
}

func TestUniteRefusals(t *testing.T) {
	one := refusalsAt(0, 1, 11)
	cases := map[string]struct {
		mine, theirs []Refusal
		cleared      int // minutes after the epoch, -1 = never
		want         []Refusal
	}{
		"nothing":          {nil, nil, -1, nil},
		"the same":         {one, one, -1, one},
		"one knows more":   {one[:1], one, -1, one},
		"each knows one":   {one[2:], one[:2], -1, one},
		"forgiven":         {one, nil, 1, one[2:]},
		"all forgiven":     {one, one, 60, nil},
		"from the future":  {nil, refusalsAt(500), -1, []Refusal{{ID: "0@500", At: epoch().Add(2 * time.Hour)}}},
		"more than matter": {refusalsAt(1, 2, 3, 4, 5, 6, 7), nil, -1, refusalsAt(1, 2, 3, 4, 5, 6, 7)[1:]},
	}
	for name, c := range cases {
		cleared := time.Time{}
		if c.cleared >= 0 {
			cleared = epoch().Add(time.Duration(c.cleared) * time.Minute)
		}
		got := uniteRefusals(c.mine, c.theirs, cleared, epoch().Add(2*time.Hour))
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

// However often anybody asks, whatever else fails in between and whichever
// replica of three hears of it when: a refused credential is tried at most
// three times in any hour and six times in all, as long as replicas look at
// what is shared before they try.
func TestRefusalsAreRare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var local [3]History
		var shared History
		var tried []time.Time
		now := epoch()
		for step := range 80 {
			now = now.Add(time.Duration(rapid.Int64Range(1, int64(20*time.Minute)).Draw(t, "wait")))
			me := rapid.IntRange(0, len(local)-1).Draw(t, "replica")
			if rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
				local[me] = History{}
			}
			local[me] = merge(local[me], shared, time.Time{}, now)
			if at, stopped := local[me].next(true, 0); stopped || now.Before(at) {
				continue
			}
			if rapid.Bool().Draw(t, "refused") {
				local[me] = local[me].refused(Refusal{ID: fmt.Sprint(step), At: now}, &FetchError{Refused: true})
				tried = append(tried, now)
			} else {
				local[me] = local[me].failed(now, &FetchError{})
			}
			shared = local[me]
			if n := len(tried); n > maxRefusals && tried[n-1].Sub(tried[n-1-maxRefusals]) < refusalWindow {
				t.Fatalf("four refusals within %s", tried[n-1].Sub(tried[n-1-maxRefusals]))
			}
		}
		if len(tried) > stopRefusals {
			t.Fatalf("%d refusals", len(tried))
		}
	})
}

// Merging is the same in any order and any number of times: replicas that
// have heard the same say the same.
func TestMergeConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) History {
			var h History
			minutes := rapid.SliceOfN(rapid.IntRange(0, 100), 0, 4).Draw(t, name)
			slices.Sort(minutes)
			for _, m := range minutes {
				h = h.refused(Refusal{ID: fmt.Sprint(m), At: epoch().Add(time.Duration(m) * time.Minute)}, &FetchError{Refused: true, text: "no"})
			}
			return h
		}
		now := epoch().Add(time.Duration(rapid.IntRange(0, 200).Draw(t, "now")) * time.Minute)
		a, b := draw("a"), draw("b")
		ab, ba := merge(a, b, time.Time{}, now), merge(b, a, time.Time{}, now)
		if diff := cmp.Diff(ab, ba); diff != "" {
			t.Fatalf("a+b is not b+a\n%s", diff)
		}
		if diff := cmp.Diff(ab, merge(ab, b, time.Time{}, now)); diff != "" {
			t.Fatalf("a+b+b is not a+b\n%s", diff)
		}
		for _, r := range ab.Refusals {
			if r.At.After(now) {
				t.Fatalf("a refusal of the future: %s", r.At)
			}
		}
		if cleared := merge(a, b, now, now); len(cleared.Refusals) != 0 || cleared.LastError != "" {
			t.Fatalf("cleared, and yet %+v", cleared)
		}
	})
}
