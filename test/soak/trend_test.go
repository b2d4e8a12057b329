package soak_test

import (
	"math"
	"testing"

	"iqgateway/test/soak"
)

func TestTrend(t *testing.T) {
	for name, tt := range map[string]struct {
		values        []float64
		drift, spread float64
	}{
		"flat":         {[]float64{7, 7, 7, 7}, 0, 0},
		"noise":        {[]float64{10, 11, 11, 10}, 0, 1},
		"a leak":       {[]float64{95, 100, 105}, 0.1, 10},
		"a fall":       {[]float64{105, 100, 95}, -0.1, 10},
		"one value":    {[]float64{5}, 0, 0},
		"nothing held": {[]float64{0, 0}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := soak.Drift(tt.values); math.Abs(got-tt.drift) > 1e-9 {
				t.Errorf("drift %v, want %v", got, tt.drift)
			}
			if got := soak.Spread(tt.values); got != tt.spread {
				t.Errorf("spread %v, want %v", got, tt.spread)
			}
		})
	}
}
