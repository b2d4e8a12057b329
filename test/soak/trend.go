package soak

import "math"

// Drift returns by which part of their mean the values rise or fall from the
// first to the last, along the line that fits them best. Noise, which has no
// direction, mostly cancels out.
func Drift(values []float64) float64 {
	n := float64(len(values))
	var sumX, sumY float64
	for i, y := range values {
		sumX, sumY = sumX+float64(i), sumY+y
	}
	meanX, meanY := sumX/n, sumY/n
	var covariance, variance float64
	for i, y := range values {
		dx := float64(i) - meanX
		covariance, variance = covariance+dx*(y-meanY), variance+dx*dx
	}
	if variance == 0 || meanY == 0 {
		return 0
	}
	return covariance / variance * (n - 1) / meanY
}

// Spread returns how far the values are from the first one, at most.
func Spread(values []float64) float64 {
	most := 0.0
	for _, v := range values {
		most = max(most, math.Abs(v-values[0]))
	}
	return most
}
