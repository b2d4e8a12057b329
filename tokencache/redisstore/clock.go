package redisstore

import "time"

// measured is one reading of Redis' clock between two of the local one. All
// conversions count from it, so that only differences of one clock are used.
type measured struct {
	before, after time.Time // local
	redis         time.Time
}

// middle is the best guess of the local moment of the reading; it errs by at
// most half of the round trip.
func (m measured) middle() time.Time { return m.before.Add(m.after.Sub(m.before) / 2) }

// maxMoment is the year 2100 in milliseconds: beyond it lies garbage, not a
// time.
const maxMoment = 4102444800000

// shared converts a local time to milliseconds of Redis' clock. 0 = never.
func (m measured) shared(local time.Time) int64 { return m.sharedFrom(m.middle(), local) }

// sharedEarly does, and never gives a later moment than the true one: what an
// expiry needs.
func (m measured) sharedEarly(local time.Time) int64 { return m.sharedFrom(m.after, local) }

func (m measured) sharedFrom(reading, local time.Time) int64 {
	if local.IsZero() {
		return 0
	}
	return min(max(m.redis.Add(local.Sub(reading)).UnixMilli(), 1), maxMoment)
}

// local converts milliseconds of Redis' clock to a local time.
func (m measured) local(shared int64) time.Time { return m.localFrom(m.middle(), shared) }

// localEarly does, and never gives a later moment than the true one.
func (m measured) localEarly(shared int64) time.Time { return m.localFrom(m.before, shared) }

func (m measured) localFrom(reading time.Time, shared int64) time.Time {
	if shared == 0 {
		return time.Time{}
	}
	return reading.Add(time.UnixMilli(shared).Sub(m.redis))
}
