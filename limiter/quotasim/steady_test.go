package quotasim

import (
	"fmt"
	"math"
	"testing"
	"time"

	"iqgateway/limiter"
)

// steady is a saturated bucket without any fault: 500 tokens per 10 s for three
// replicas, and what each of the callers wants of them.
func steady(seed uint64, demand ...Demand) Scenario {
	s := Compared(seed, 8)
	s.Upstream.Limit, s.Upstream.Window, s.Fleet.Replicas = 500, 10*time.Second, 3
	s.Network.Tail, s.Upstream.Phase = 0, 5*time.Second
	s.Settings.MaxWait[limiter.Batch] = 12500 * time.Millisecond
	s.Demand = demand
	return s
}

// uses returns how many tokens each caller had in each window that lies within
// the run, but for the first two.
func uses(t *testing.T, s Scenario) []map[string]int64 {
	t.Helper()
	r, broken := Run(s, Design())
	if broken != nil {
		t.Fatal(broken.Report())
	}
	var in []map[string]int64
	for i, w := range r.Windows {
		if i > 1 && w.End <= s.Length() {
			in = append(in, r.Uses[i])
		}
	}
	if len(in) < 4 {
		t.Fatalf("%d windows, want 4 at least", len(in))
	}
	return in
}

// TestEqualCallersGetEqualParts is I15 for equal weights, with unequal demand.
func TestEqualCallersGetEqualParts(t *testing.T) {
	var demand []Demand
	for i := range 10 {
		demand = append(demand, Demand{Caller: fmt.Sprint("caller-", i), Class: limiter.Batch, Rate: 10 + 5*float64(i)})
	}
	for i, w := range uses(t, steady(1, demand...)) {
		var sum, squares float64
		for _, n := range w {
			sum, squares = sum+float64(n), squares+float64(n)*float64(n)
		}
		if jain := sum * sum / (10 * squares); jain < 0.99 {
			t.Errorf("window %d: Jain's index is %.4f, want 0.99: %v", i, jain, w)
		}
	}
}

// TestWeightsDivide is I15 for unequal weights.
func TestWeightsDivide(t *testing.T) {
	s := steady(
		2,
		Demand{Caller: "heavy", Class: limiter.Batch, Rate: 40},
		Demand{Caller: "light", Class: limiter.Batch, Rate: 40},
	)
	s.Upstream.Limit = 200 // less than may wait of one caller
	s.Settings.Shares = []limiter.Share{{Caller: "heavy", Weight: 3}, {Caller: "light", Weight: 1}}
	for i, w := range uses(t, s) {
		if off := math.Abs(float64(w["heavy"])/3 - float64(w["light"])); off > 10 {
			t.Errorf("window %d: %v, want three to one", i, w)
		}
	}
}

// TestGuaranteesHold is I13: a flood takes nothing from a caller that stays
// within its guarantee, nor does a cap let one have more.
func TestGuaranteesHold(t *testing.T) {
	s := steady(
		3,
		Demand{Caller: "app", Class: limiter.Interactive, Rate: 5},
		Demand{Caller: "flood", Class: limiter.Batch, Rate: 150},
		Demand{Caller: "capped", Class: limiter.Batch, Rate: 100},
	)
	s.Windows = 12
	s.Settings.Shares = []limiter.Share{
		{Caller: "app", Weight: 1, Guarantee: limiter.Amount{Percent: 20}},
		{Caller: "capped", Weight: 1, Cap: limiter.Amount{Percent: 10}},
	}
	r, broken := Run(s, Design())
	if broken != nil {
		t.Fatal(broken.Report())
	}
	known := 5 * s.Upstream.Window // until then it is not certain when windows end
	late, all := 0, 0
	for _, w := range r.Waits[limiter.Interactive] {
		if w.Came < known {
			continue
		}
		if all++; w.For > 50*time.Millisecond {
			late++
		}
	}
	if late*100 > all || all < 200 {
		t.Errorf("%d of %d requests within the guarantee waited longer than 50ms", late, all)
	}
	for i, w := range r.Uses {
		if w["capped"] > 50+3 { // what was under way at the turn of the window
			t.Errorf("window %d: the capped caller had %d of its 50", i, w["capped"])
		}
	}
}

// TestMarginGoesAway is I18: fifty windows after the others have gone nothing is
// kept for them.
func TestMarginGoesAway(t *testing.T) {
	s := steady(4, Demand{Caller: "app", Class: limiter.Batch, Rate: 20})
	s.Upstream.Limit, s.Windows = 100, 60
	s.External = External{Rate: 5, Stop: 100 * time.Second}
	w := newWorld(s, Design())
	var during int64
	w.at(95*time.Second, func() { during = w.check.last.Margin })
	w.play()
	if w.check.first != nil {
		t.Fatal(w.check.first.Report())
	}
	if a := w.check.last; during == 0 || a.Margin >= 1 {
		t.Errorf("the margin is %d while others come and %d after 50 windows without, want some and 0", during, a.Margin)
	}
}
