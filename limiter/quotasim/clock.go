package quotasim

import "time"

// clock is one party's idea of the time.
type clock struct {
	Offset time.Duration
	Drift  float64 // seconds gained per second
}

// origin is the true time at which every run begins: a full minute.
func origin() time.Time { return time.Date(2026, time.January, 5, 8, 0, 0, 0, time.UTC) }

// reads returns what the clock shows at true time t, since the origin.
func (c clock) reads(t time.Duration) time.Duration {
	return t + c.Offset + time.Duration(c.Drift*float64(t))
}

// when returns the true time at which the clock shows the reading.
func (c clock) when(reading time.Duration) time.Duration {
	return time.Duration(float64(reading-c.Offset) / (1 + c.Drift))
}
