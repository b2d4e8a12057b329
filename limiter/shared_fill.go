package limiter

import "math"

// taker is one that wants a part of what there is.
type taker struct {
	used   int64
	weight int64
	want   int64
	got    int64
}

// fill divides total among takers so that those who want more than they get
// all end at the same level of used/weight: weighted max-min fairness. What is
// left by rounding goes to those furthest below the level.
func fill(total int64, takers []taker) {
	sum, top := int64(0), 0.0
	for i := range takers {
		t := &takers[i]
		t.got = 0
		sum += t.want
		top = max(top, float64(t.used+t.want)/float64(t.weight))
	}
	if total <= 0 {
		return
	}
	if sum <= total {
		for i := range takers {
			takers[i].got = takers[i].want
		}
		return
	}
	level := water(total, takers, top)
	for i := range takers {
		t := &takers[i]
		t.got = min(t.want, max(0, int64(math.Floor(float64(float64(t.weight)*level)+1e-9))-t.used))
		total -= t.got
	}
	for ; total > 0; total-- {
		best, lowest := -1, 0.0
		for i := range takers {
			t := &takers[i]
			if at := float64(t.used+t.got) / float64(t.weight); t.got < t.want && (best < 0 || at < lowest) {
				best, lowest = i, at
			}
		}
		takers[best].got++
	}
}

// water finds the highest level that total fills.
func water(total int64, takers []taker, top float64) float64 {
	low, high := 0.0, top
	for range 50 {
		level, need := (low+high)/2, 0.0
		for i := range takers {
			t := &takers[i]
			need += min(float64(t.want), max(0, float64(float64(t.weight)*level)-float64(t.used)))
		}
		if need > float64(total) {
			high = level
		} else {
			low = level
		}
	}
	return low
}
