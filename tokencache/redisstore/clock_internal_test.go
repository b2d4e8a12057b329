package redisstore

import (
	"testing"
	"time"
)

// reading is a clock of Redis an hour behind the local one, read in a call of
// 40 ms whose true moment was offset after its start.
func reading(offset time.Duration) (m measured, moment time.Time) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	moment = start.Add(offset)
	return measured{before: start, after: start.Add(40 * time.Millisecond), redis: moment.Add(-time.Hour)}, moment
}

func TestConversionErrsByHalfOfTheRoundTripAtMost(t *testing.T) {
	for _, offset := range []time.Duration{0, 7 * time.Millisecond, 20 * time.Millisecond, 40 * time.Millisecond} {
		m, moment := reading(offset)
		for _, away := range []time.Duration{-48 * time.Hour, 0, time.Minute, 12 * time.Hour} {
			local := moment.Add(away)
			truth := local.Add(-time.Hour)
			if off := time.UnixMilli(m.shared(local)).Sub(truth).Abs(); off > 20*time.Millisecond {
				t.Errorf("offset %v, %v away: shared is off by %v", offset, away, off)
			}
			if off := m.local(truth.UnixMilli()).Sub(local).Abs(); off > 20*time.Millisecond {
				t.Errorf("offset %v, %v away: local is off by %v", offset, away, off)
			}
		}
	}
}

func TestExpiryIsNeverConvertedToALaterMoment(t *testing.T) {
	for _, offset := range []time.Duration{0, 13 * time.Millisecond, 40 * time.Millisecond} {
		m, moment := reading(offset)
		expires := moment.Add(12 * time.Hour)
		truth := expires.Add(-time.Hour)
		if got := time.UnixMilli(m.sharedEarly(expires)); got.After(truth) || truth.Sub(got) > 40*time.Millisecond {
			t.Errorf("offset %v: shared as %v, truly %v", offset, got, truth)
		}
		if got := m.localEarly(truth.UnixMilli()); got.After(expires) || expires.Sub(got) > 40*time.Millisecond {
			t.Errorf("offset %v: local %v, truly %v", offset, got, expires)
		}
	}
}

func TestAStepOfTheWallClockChangesNoConversion(t *testing.T) {
	now := time.Now() // with a monotonic reading
	m := measured{before: now, after: now, redis: time.UnixMilli(1_790_000_000_000)}
	later := now.Add(30 * time.Second)
	if got := m.shared(later); got != 1_790_000_030_000 {
		t.Errorf("30 s later is %d", got)
	}
	if !m.local(1_790_000_030_000).Equal(later) {
		t.Errorf("it comes back as %v, want %v", m.local(1_790_000_030_000), later)
	}
}

func TestNeverStaysNever(t *testing.T) {
	m, _ := reading(0)
	if m.shared(time.Time{}) != 0 || m.sharedEarly(time.Time{}) != 0 {
		t.Error("the zero time is shared as a moment")
	}
	if !m.local(0).IsZero() || !m.localEarly(0).IsZero() {
		t.Error("never is read as a moment")
	}
}

func TestAbsurdTimesStayInRange(t *testing.T) {
	m, _ := reading(0)
	for _, absurd := range []time.Time{time.Unix(0, 0), time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if ms := m.shared(absurd); ms < 0 || ms > maxMoment {
			t.Errorf("%v is shared as %d", absurd, ms)
		}
	}
}
