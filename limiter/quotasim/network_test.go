package quotasim

import (
	"math"
	"slices"
	"testing"
	"time"
)

func TestWaysHaveTheirDistribution(t *testing.T) {
	n := Network{
		RTT: 100 * time.Millisecond, Sigma: 0.4, Tail: 0.05, TailMin: time.Second, TailMax: 6 * time.Second,
		Unsent: 0.02, Lost: 0.04,
	}
	const draws = 20000
	rnd := newSource(1, drawNetwork)
	var times []time.Duration
	var slow, unsent, lost, vanished float64
	for range draws {
		w := n.draw(rnd)
		times = append(times, w.there+w.back)
		slow += one(w.there+w.back > time.Second)
		unsent += one(w.unsent)
		lost += one(w.lost)
		vanished += one(w.vanishes)
	}
	slices.Sort(times)
	if median := times[draws/2]; median < 95*time.Millisecond || median > 115*time.Millisecond {
		t.Errorf("the median is %v, want about 100ms", median)
	}
	for name, part := range map[string][2]float64{
		"slow": {slow, 0.05}, "unsent": {unsent, 0.02}, "lost": {lost, 0.04}, "vanished": {vanished, 0.02},
	} {
		if got := part[0] / draws; math.Abs(got-part[1]) > 0.006 {
			t.Errorf("%s: %.3f of the requests, want %.3f", name, got, part[1])
		}
	}
}

func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func TestPatienceEnds(t *testing.T) {
	w := way{there: time.Second, back: 2 * time.Second}
	gone := way{there: time.Second, back: 2 * time.Second, lost: true}
	tests := []struct {
		name    string
		way     way
		timeout time.Duration
		want    time.Duration
	}{
		{"answered, no timeout", w, 0, 0},
		{"answered, timeout", w, 2 * time.Second, 2 * time.Second},
		{"lost, no timeout", gone, 0, 3 * time.Second},
		{"lost, timeout", gone, 2 * time.Second, 2 * time.Second},
		{"lost before the timeout", gone, 9 * time.Second, 3 * time.Second},
	}
	for _, tt := range tests {
		if got := tt.way.patience(Network{Patience: tt.timeout}); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestWeightsDrawTheirPart(t *testing.T) {
	rnd := newSource(2, drawDemand)
	var got [3]int
	for range 6000 {
		got[rnd.weighted([]float64{3, 2, 1}, 3)]++
	}
	for i, want := range []int{3000, 2000, 1000} {
		if got[i] < want-150 || got[i] > want+150 {
			t.Errorf("index %d came %d times, want about %d", i, got[i], want)
		}
	}
	if i := rnd.weighted(nil, 1); i != 0 {
		t.Errorf("index %d of one", i)
	}
}
