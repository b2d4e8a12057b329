package limiter

import (
	"testing"
	"time"
)

func TestParseReset(t *testing.T) {
	for _, c := range []struct {
		text string
		want string // RFC 3339, "" = refused
		form ResetForm
	}{
		{"10/09/2018 20:26:00", "2018-10-09T20:26:00Z", ResetUS}, // October 9, not September 10
		{"02/29/2024 23:59:59", "2024-02-29T23:59:59Z", ResetUS},
		{"2016-02-25T13:00:00.0000000Z", "2016-02-25T13:00:00Z", ResetISO},
		{"2016-02-25T13:00:00Z", "2016-02-25T13:00:00Z", ResetISO},
		{"2016-02-25T13:00:00.5Z", "2016-02-25T13:00:00.5Z", ResetISO},
		{"2016-02-25T13:00:00.123456789Z", "2016-02-25T13:00:00.123456789Z", ResetISO},
		{"2016-02-25T07:00:00.0000000-06:00", "2016-02-25T13:00:00Z", ResetISO},
		{"2016-02-25T13:00:00+00:00", "2016-02-25T13:00:00Z", ResetISO},

		{text: "2016-02-25T13:00:00.1234567890Z"}, // 10 digits
		{text: "2016-02-25T13:00:00.Z"},
		{text: "2016-02-25T13:00:00."},
		{text: "2016-02-25T13:00:00,5Z"},
		{text: "2016-02-25T13:00:00.0000000"}, // no zone
		{text: "2016-02-25T13:00:00"},
		{text: "2016-02-25t13:00:00z"},
		{text: "2016-02-25 13:00:00Z"},
		{text: "2016-02-25T1:00:00Z"},
		{text: "2016-02-25T13:00:00+0000"},
		{text: "2016-02-25T13:00:00+99:99"},
		{text: "2016-02-25"},
		{text: "2015-02-29T13:00:00Z"},
		{text: "02/30/2018 13:00:00"},
		{text: "02/29/2023 13:00:00"},
		{text: "13/10/2018 20:26:00"}, // D/M/Y
		{text: "00/10/2018 20:26:00"},
		{text: "10/00/2018 20:26:00"},
		{text: "10/09/2018 24:00:00"},
		{text: "10/09/2018 23:59:60"},
		{text: "10/09/2018 8:26:00 PM"},
		{text: "10/9/2018 20:26:00"},
		{text: "10/09/18 20:26:00"},
		{text: "10/09/2018 20:26:00Z"},
		{text: "10-09-2018 20:26:00"},
		{text: "10/09/2018"},
		{text: "1539116760"},
		{text: "1539116760000"},
		{text: "23"},
		{text: "Tue, 09 Oct 2018 20:26:00 GMT"},
		{text: ""},
	} {
		at, form, ok := parseReset(c.text)
		switch {
		case ok != (c.want != ""):
			t.Errorf("%q: %v, %v", c.text, at, ok)
		case ok && (!at.Equal(utc(c.want)) || form != c.form || at.Location() != time.UTC):
			t.Errorf("%q: %v in form %d, want %s in %d", c.text, at, form, c.want, c.form)
		}
	}
}

func TestReadResetYears(t *testing.T) {
	for text, bad := range map[string]bool{
		"12/31/1999 23:59:59":       true,
		"01/01/2000 00:00:00":       false,
		"12/31/9999 23:59:59":       false,
		"9999-12-31T23:59:59-01:00": true, // year 10000
		"2000-01-01T00:30:00+01:00": true, // year 1999
	} {
		if got := readReset([]string{text}); (got.bad == AnomaliesOf(AnomalyRange)) != bad || got.usable() == bad {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

func TestResetFormat(t *testing.T) {
	at := utc("2016-02-25T07:00:00.25-06:00")
	for _, c := range []struct {
		form ResetForm
		at   time.Time
		want string
	}{
		{ResetUS, at, "02/25/2016 13:00:00"},
		{ResetISO, at, "2016-02-25T13:00:00.2500000Z"},
		{ResetISO, at.Add(1), "2016-02-25T13:00:00.250000001Z"},
	} {
		if got := c.form.Format(c.at); got != c.want {
			t.Errorf("form %d of %v: %s, want %s", c.form, c.at, got, c.want)
		}
	}
}
