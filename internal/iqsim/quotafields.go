package iqsim

import (
	"strconv"
	"time"
)

const (
	resetUS  = "01/02/2006 15:04:05"
	resetISO = "2006-01-02T15:04:05.0000000Z"
)

// quotaFields returns the X-RateLimit-* fields of an answer. ResetSeconds
// counts from arrival, when the request came, not from when the answer leaves:
// so it is too long on slow answers, as observed.
func quotaFields(p *profile, c quotaCount, arrival time.Time) []Field {
	if p.RateHeaders == RateNone || c.limit < 0 {
		return nil
	}
	layout := resetUS
	if p.RateHeaders == RateISO {
		layout = resetISO
	}
	seconds := roundSeconds(p.Rounding, c.resets.Sub(arrival)) + p.ResetSkew
	return []Field{
		{"X-RateLimit-Limit", strconv.Itoa(c.limit)},
		{"X-RateLimit-Remaining", strconv.Itoa(max(0, c.limit-c.used))},
		{"X-RateLimit-Reset", c.resets.UTC().Format(layout)},
		{"X-RateLimit-ResetSeconds", strconv.Itoa(seconds)},
	}
}

func roundSeconds(how string, d time.Duration) int {
	switch how {
	case RoundCeil:
		d += time.Second - 1
	case RoundNearest:
		d += time.Second / 2
	}
	return int(d / time.Second)
}
