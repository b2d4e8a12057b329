package iqsim

import (
	"net/http"
	"time"
)

// parseDCDate reads an ISO date or time; without an offset it is UTC.
func parseDCDate(s string) (time.Time, bool) {
	for _, layout := range []string{
		"2006-01-02T15:04:05Z07:00", // both take a fraction of any length
		"2006-01-02T15:04:05",
		"2006-01-02 15:04:05",
		"2006-01-02T15:04",
		"2006-01-02",
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// date returns the date parameter of that name and whether it is there.
func (p dcParams) date(name string) (time.Time, bool, error) {
	s := p.get(name)
	if s == "" {
		return time.Time{}, false, nil
	}
	t, ok := parseDCDate(s)
	if !ok {
		return t, true, refusef(http.StatusBadRequest, "%s must be an ISO 8601 date such as 2019-10-01T18:00:00.000, not %q.", name, s)
	}
	return t, true, nil
}

// dcWindow is a period, its start included and its end not.
type dcWindow struct{ from, to time.Time }

// window reads StartDate and StopDate. Where they may be missing, they stand
// for the beginning of SQL time and for now.
func (q dcRequest) window(required bool) (dcWindow, error) {
	win := dcWindow{time.Date(1753, 1, 1, 0, 0, 0, 0, time.UTC), q.now.UTC()}
	for _, side := range []struct {
		name string
		at   *time.Time
	}{{"StartDate", &win.from}, {"StopDate", &win.to}} {
		t, given, err := q.params.date(side.name)
		switch {
		case err != nil:
			return win, err
		case given:
			*side.at = t
		case required:
			return win, refusef(http.StatusBadRequest, "%s is required.", side.name)
		}
	}
	if win.to.Before(win.from) {
		return win, refusef(http.StatusBadRequest, "StopDate is before StartDate.")
	}
	return win, nil
}

// slots returns the numbers of the fixed time slots of that length that begin
// within the window, which reach from the company's first day to now: what a
// slot holds depends on its number alone, so a closed window never changes.
func (win dcWindow) slots(length time.Duration, now time.Time) (first, end int64) {
	epoch := time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)
	number := func(t time.Time) int64 {
		switch {
		case t.Before(epoch):
			t = epoch
		case t.After(now):
			t = now
		}
		seconds, step := t.Unix(), int64(length/time.Second)
		return (seconds + step - 1) / step
	}
	first = number(win.from)
	return first, max(first, number(win.to))
}
