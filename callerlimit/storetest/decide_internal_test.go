package storetest

import "testing"

func TestFair(t *testing.T) {
	for _, tt := range []struct {
		all, need int
		others    []int
		want      int
	}{
		{90, 10, nil, 90},
		{90, 200, nil, 90},
		{90, 10, []int{10, 10}, 30},
		{90, 50, []int{10, 10}, 56},
		{90, 100, []int{10, 100}, 40},
		{90, 10, []int{10, 100}, 10},
		{90, 100, []int{100, 100}, 30},
		{2, 5, []int{5, 5}, 0},
	} {
		if got := fair(tt.all, tt.need, append([]int{tt.need}, tt.others...)); got != tt.want {
			t.Errorf("%d of %d beside %v: %d, want %d", tt.need, tt.all, tt.others, got, tt.want)
		}
	}
}
