package cache

import (
	"net/http"
	"strings"
	"time"
)

// rfc850 is the obsolete date with a two-digit year.
const rfc850 = "Monday, 02-Jan-06 15:04:05 GMT"

// parseHTTPDate reads a date where no clock is at hand, as for comparing two
// fields. Two-digit years up to 50 are of this century; see parseHTTPDateAt for
// the rest.
func parseHTTPDate(s string) (time.Time, bool) {
	return parseHTTPDateAt(s, time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC))
}

// parseHTTPDateAt reads one of the three forms of RFC 9110, section 5.6.7, and
// nothing else: no other zone than GMT, no fractions, no weekday that is not the
// date's. Case does not matter (RFC 9111, section 4.2). [http.ParseTime] is both
// too lax and too strict for that.
//
// A two-digit year that would be more than 50 years after now is the most
// recent one in the past that ends so.
func parseHTTPDateAt(s string, now time.Time) (time.Time, bool) {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return time.Time{}, false
		}
	}
	s = strings.ToUpper(s)
	// The last two are asctime's: its grammar has the day as " 6" and as "06".
	for _, layout := range [...]string{http.TimeFormat, rfc850, time.ANSIC, "Mon Jan 02 15:04:05 2006"} {
		t, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		if layout == rfc850 {
			t = inCentury(t, now)
		}
		// time.Parse forgives more than it should; what it understood must be
		// what was written.
		if strings.ToUpper(t.Format(layout)) == s {
			return t, true
		}
	}
	return time.Time{}, false
}

// inCentury moves a date whose year had two digits to the last century in which
// it is not more than 50 years ahead.
func inCentury(t, now time.Time) time.Time {
	limit := now.AddDate(50, 0, 0)
	year := limit.Year()/100*100 + t.Year()%100
	moved := time.Date(year, t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
	if moved.After(limit) {
		year -= 100
	}
	return time.Date(year, t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// dateOf returns when an answer says that it was made; received where it does
// not say so (RFC 9110, section 6.6.1).
func dateOf(h http.Header, received time.Time) time.Time {
	if date, ok := parseHTTPDateAt(h.Get("Date"), received); ok {
		return date
	}
	return received
}
