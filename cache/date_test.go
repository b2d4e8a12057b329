package cache

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// sunday is the moment of most tests.
func sunday() time.Time { return time.Date(2026, time.November, 22, 8, 0, 0, 0, time.UTC) }

func TestRFC9110_5_6_7_Dates(t *testing.T) {
	classic := time.Date(1994, time.November, 6, 8, 49, 37, 0, time.UTC)
	tests := []struct {
		text string
		want time.Time // zero: no date
	}{
		{"Sun, 06 Nov 1994 08:49:37 GMT", classic},
		{"Sunday, 06-Nov-94 08:49:37 GMT", classic},
		{"Sun Nov  6 08:49:37 1994", classic},
		{"Sun Nov 06 08:49:37 1994", classic},
		{"Wed Nov 16 08:49:37 1994", time.Date(1994, time.November, 16, 8, 49, 37, 0, time.UTC)},
		{"Thu, 29 Feb 2024 00:00:00 GMT", time.Date(2024, time.February, 29, 0, 0, 0, 0, time.UTC)},
		// RFC 9111, section 4.2: case does not matter.
		{"sun, 06 nov 1994 08:49:37 gmt", classic},
		{"SUNDAY, 06-NOV-94 08:49:37 GMT", classic},
		{"sUN nOV  6 08:49:37 1994", classic},
		// Other zones, and other ways to write this one, are none.
		{text: "Sun, 06 Nov 1994 08:49:37 UTC"},
		{text: "Sun, 06 Nov 1994 08:49:37 Z"},
		{text: "Sun, 06 Nov 1994 08:49:37 +0000"},
		{text: "Sun, 06 Nov 1994 08:49:37 EST"},
		{text: "Sun, 06 Nov 1994 08:49:37"},
		{text: "Sunday, 06-Nov-94 08:49:37 EST"},
		{text: "Sun Nov  6 08:49:37 1994 GMT"},
		{text: "Sun Nov  6 08:49:37 GMT 1994"},
		// No mixtures and no other widths.
		{text: "Sunday, 06 Nov 1994 08:49:37 GMT"},
		{text: "Sun, 06-Nov-1994 08:49:37 GMT"},
		{text: "Sun, 06-Nov-94 08:49:37 GMT"},
		{text: "Sun, 06 Nov 94 08:49:37 GMT"},
		{text: "Sun, 6 Nov 1994 08:49:37 GMT"},
		{text: "Sun,  6 Nov 1994 08:49:37 GMT"},
		{text: "Sun, 06 Nov 1994 8:49:37 GMT"},
		{text: "Sun, 06 Nov 1994 08:49 GMT"},
		{text: "Sun, 06 Nov 1994 08:49:37.5 GMT"},
		{text: "Sun, 06 Nov 1994 08:49:37,5 GMT"},
		{text: "Sun, 06 Nov 1994  08:49:37 GMT"},
		{text: "Sun,06 Nov 1994 08:49:37 GMT"},
		{text: " Sun, 06 Nov 1994 08:49:37 GMT"},
		{text: "Sun, 06 Nov 1994 08:49:37 GMT "},
		{text: "Sun, 06 November 1994 08:49:37 GMT"},
		{text: "1994-11-06T08:49:37Z"},
		{text: "06 Nov 1994 08:49:37 GMT"},
		{text: "Sun Nov 6 08:49:37 1994"},
		// No moments that do not exist.
		{text: "Mon, 06 Nov 1994 08:49:37 GMT"},
		{text: "Sun, 31 Nov 1994 08:49:37 GMT"},
		{text: "Wed, 29 Feb 2023 00:00:00 GMT"},
		{text: "Sun, 06 Nov 1994 24:00:00 GMT"},
		{text: "Sun, 06 Nov 1994 08:60:37 GMT"},
		{text: "Sun, 00 Nov 1994 08:49:37 GMT"},
		// Nothing else.
		{text: ""},
		{text: "0"},
		{text: "-1"},
		{text: "now"},
		{text: "\u017fun, 06 Nov 1994 08:49:37 GMT"},
		{text: "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT"},
	}
	for _, test := range tests {
		got, ok := parseHTTPDateAt(test.text, sunday())
		if ok == test.want.IsZero() || ok && !got.Equal(test.want) {
			t.Errorf("%q = %v, %t, want %v", test.text, got, ok, test.want)
		}
	}
}

// A two-digit year that seems to be more than 50 years ahead is the last one in
// the past that ends so.
func TestRFC9110_5_6_7_TwoDigitYears(t *testing.T) {
	now := sunday()
	tests := []struct {
		now, date time.Time
	}{
		{now, now},
		{now, now.AddDate(1, 0, 0)},
		{now, now.AddDate(49, 0, 0)},
		{now, now.AddDate(50, 0, 0)},
		{now, now.AddDate(-1, 0, 0)},
		{now, now.AddDate(50, 0, 0).Add(time.Second).AddDate(-100, 0, 0)},
		{now, now.AddDate(-40, 0, 0)},
		{now, time.Date(2000, time.February, 29, 0, 0, 0, 0, time.UTC)},
		{now.AddDate(30, 0, 0), now.AddDate(60, 0, 0)},
		{now.AddDate(-30, 0, 0), now.AddDate(-50, 0, 0)},
		{now.AddDate(73, 0, 0), now.AddDate(80, 0, 0)}, // in 2099, of 2106
		{now.AddDate(74, 0, 0), now.AddDate(73, 0, 0)},
		{now.AddDate(24, 0, 0), now.AddDate(74, 0, 0)},
	}
	for _, test := range tests {
		text := test.date.Format(rfc850)
		if got, ok := parseHTTPDateAt(text, test.now); !ok || !got.Equal(test.date) {
			t.Errorf("in %d, %q = %v, %t, want %v", test.now.Year(), text, got, ok, test.date)
		}
	}
	for year, want := range map[string]int{"Saturday, 01-Jan-00": 2000, "Saturday, 01-Jan-50": 2050, "Monday, 01-Jan-51": 1951, "Friday, 01-Jan-99": 1999} {
		if got, ok := parseHTTPDate(year + " 00:00:00 GMT"); !ok || got.Year() != want {
			t.Errorf("without a clock, %s is in %v, %t, want %d", year, got, ok, want)
		}
	}
}

func FuzzHTTPDate(f *testing.F) {
	for _, seed := range []string{
		"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun Nov 06 08:49:37 1994",
		"Saturday, 01-Jan-00 00:00:00 gmt", "0", "Sun, 06 Nov 1994 08:49:37.5 GMT",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := parseHTTPDateAt(text, sunday())
		if !ok {
			return
		}
		if again, ok := parseHTTPDateAt(got.Format(http.TimeFormat), sunday()); !ok || !again.Equal(got) {
			t.Errorf("%q = %v, which is written and read again as %v, %t", text, got, again, ok)
		}
		if lower, ok := parseHTTPDateAt(strings.ToLower(text), sunday()); !ok || !lower.Equal(got) {
			t.Errorf("%q in lower case is %v, %t", text, lower, ok)
		}
		if n := len(text); n != len(time.ANSIC) && n != len(http.TimeFormat) && !strings.Contains(text, "-") {
			t.Errorf("%q of %d bytes is taken for a date", text, n)
		}
	})
}
