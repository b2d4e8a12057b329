package limiter

import "time"

// ResetForm is how an upstream writes its X-RateLimit-Reset.
type ResetForm uint8

// The two forms. Neither is ever D/M/Y or seconds since an epoch.
const (
	// ResetUS is MM/DD/YYYY HH:MM:SS in UTC: what the services were seen to send.
	ResetUS ResetForm = iota
	// ResetISO is ISO-8601 with a zone and up to 9 fractional digits: what the
	// provider documents, with 7.
	ResetISO
)

// oldestYear is before every real window; .NET writes an unset date as year 1.
const oldestYear = 2000

// Format writes t, in UTC, in the form f. ResetUS drops fractions of a second;
// ResetISO writes the documented 7 digits, 9 where those would lose something.
func (f ResetForm) Format(t time.Time) string {
	t = t.UTC()
	switch {
	case f == ResetUS:
		return t.Format("01/02/2006 15:04:05")
	case t.Nanosecond()%100 == 0:
		return t.Format("2006-01-02T15:04:05.0000000Z")
	default:
		return t.Format("2006-01-02T15:04:05.000000000Z")
	}
}

// reset is the X-RateLimit-Reset of one answer.
type reset struct {
	at    time.Time
	form  ResetForm
	given bool      // the field is there, readable or not
	bad   Anomalies // why it cannot be read
}

func (r reset) usable() bool { return r.given && r.bad == 0 }

func readReset(values []string) reset {
	text, given, ok := onlyMember(values)
	switch {
	case !given:
		return reset{}
	case !ok:
		return reset{given: true, bad: AnomaliesOf(AnomalyRepeated)}
	}
	at, form, ok := parseReset(text)
	switch {
	case !ok:
		return reset{given: true, bad: AnomaliesOf(AnomalyUnparsable)}
	case at.Year() < oldestYear || at.Year() > 9999: // a zone can make it 10000
		return reset{given: true, bad: AnomaliesOf(AnomalyRange)}
	}
	return reset{at: at, form: form, given: true}
}

// parseReset reads both forms. The shape is checked first, because time.Parse
// is lenient: an hour of one digit, a comma for the point, any number of
// fractional digits. What it adds is the calendar: no February 30.
func parseReset(text string) (at time.Time, form ResetForm, ok bool) {
	layout := "01/02/2006 15:04:05"
	if !shaped(text, "dd/dd/dddd dd:dd:dd") {
		form, layout = ResetISO, time.RFC3339Nano
		if !isoShaped(text) {
			return time.Time{}, form, false
		}
	}
	at, err := time.Parse(layout, text)
	return at.UTC(), form, err == nil
}

// isoShaped reports whether text is dateTtime with 0 to 9 fractional digits and
// a zone; without one it would not be an instant.
func isoShaped(text string) bool {
	const seconds = "dddd-dd-ddTdd:dd:dd"
	if len(text) <= len(seconds) || !shaped(text[:len(seconds)], seconds) {
		return false
	}
	zone := text[len(seconds):]
	if zone[0] == '.' {
		digits := 0
		for digits+1 < len(zone) && isDigit(zone[digits+1]) {
			digits++
		}
		if digits > 9 { // none is refused by time.Parse
			return false
		}
		zone = zone[1+digits:]
	}
	return zone == "Z" || shaped(zone, "+dd:dd") || shaped(zone, "-dd:dd")
}

// shaped reports whether text is the pattern, with a digit for each d.
func shaped(text, pattern string) bool {
	if len(text) != len(pattern) {
		return false
	}
	for i := range len(pattern) {
		if pattern[i] == 'd' && !isDigit(text[i]) || pattern[i] != 'd' && text[i] != pattern[i] {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
