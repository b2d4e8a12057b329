package iqsim

import (
	"testing"
	"time"
)

func TestDCDate(t *testing.T) {
	for s, want := range map[string]string{
		"2019-10-01T18:00:00.000":        "2019-10-01T18:00:00Z",
		"2019-10-01T18:00:00":            "2019-10-01T18:00:00Z",
		"2016-11-09T18:00:00.000Z":       "2016-11-09T18:00:00Z",
		"2016-11-09T18:00:00.1234567Z":   "2016-11-09T18:00:00.1234567Z",
		"2016-11-09T18:00:00-06:00":      "2016-11-10T00:00:00Z",
		"2019-10-01 18:00:00":            "2019-10-01T18:00:00Z",
		"2019-10-01T18:00":               "2019-10-01T18:00:00Z",
		"2019-10-01":                     "2019-10-01T00:00:00Z",
		"10/01/2019":                     "",
		"2019-13-01":                     "",
		"now":                            "",
		"":                               "",
		"2019-10-01T18:00:00.000Z extra": "",
	} {
		got, ok := parseDCDate(s)
		if ok != (want != "") || ok && got.Format(time.RFC3339Nano) != want {
			t.Errorf("%q: %v, %v, want %q", s, got, ok, want)
		}
	}
}

func FuzzDCDate(f *testing.F) {
	for _, seed := range []string{"2019-10-01T18:00:00.000", "2016-11-09T18:00:00-06:00", "2019-10-01", "", "0000-00-00", "9999-12-31T23:59:59+23:59"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, ok := parseDCDate(s)
		if !ok {
			return
		}
		if y := at.Year(); y < 0 || y > 9999 {
			return // an offset may carry the ends of the range over
		}
		again, ok := parseDCDate(at.Format("2006-01-02T15:04:05.999999999"))
		if !ok || !again.Equal(at) {
			t.Errorf("%q is %v and then %v, %v", s, at, again, ok)
		}
	})
}

func TestDCWindow(t *testing.T) {
	tests := []struct {
		name, query string
		required    bool
		from, to    string
		wantErr     string
	}{
		{"both", "StartDate=2019-10-01&StopDate=2019-10-02", true, "2019-10-01", "2019-10-02", ""},
		{"neither", "", false, "1753-01-01", "2019-10-02", ""},
		{"StopDate is now", "StartDate=2019-10-01", false, "2019-10-01", "2019-10-02", ""},
		{"a missing start", "StopDate=2019-10-01", true, "", "", "StartDate is required."},
		{"a missing stop", "StartDate=2019-10-01", true, "", "", "StopDate is required."},
		{"an empty stop", "StartDate=2019-10-01&StopDate=", true, "", "", "StopDate is required."},
		{"equal", "StartDate=2019-10-01&StopDate=2019-10-01", true, "2019-10-01", "2019-10-01", ""},
		{"reversed", "StartDate=2019-10-02&StopDate=2019-10-01", true, "", "", "StopDate is before StartDate."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			win, err := dcRequest{params: parseDCQuery(tt.query), now: dcNow()}.window(tt.required)
			if tt.wantErr != "" {
				if err == nil || err.Error() != tt.wantErr {
					t.Errorf("error %v, want %q", err, tt.wantErr)
				}
				return
			}
			if err != nil || win.from.Format(time.DateOnly) != tt.from || win.to.Format(time.DateOnly) != tt.to {
				t.Errorf("%v, %v", win, err)
			}
		})
	}
}

// Windows that meet share no slot and miss none.
func TestDCSlotsOfWindows(t *testing.T) {
	now := dcNow()
	at := func(s string) time.Time {
		v, ok := parseDCDate(s)
		if !ok {
			t.Fatal(s)
		}
		return v
	}
	whole := dcWindow{at("2019-10-01T00:01:30"), at("2019-10-01T10:00:00")}
	first, end := whole.slots(saleEvery, now)
	for cut := whole.from; cut.Before(whole.to); cut = cut.Add(47 * time.Minute) {
		a, b := dcWindow{whole.from, cut}.slots(saleEvery, now)
		c, d := dcWindow{cut, whole.to}.slots(saleEvery, now)
		if a != first || b != c || d != end {
			t.Errorf("cut at %v: [%d %d) [%d %d), whole [%d %d)", cut, a, b, c, d, first, end)
		}
	}
	if a, b := (dcWindow{at("2019-10-02T11:00:00"), at("2030-01-01")}).slots(saleEvery, now); b-a != 20 {
		t.Errorf("the future holds %d sales", b-a-20)
	}
	if a, b := (dcWindow{at("1753-01-01"), at("2009-12-31")}).slots(saleEvery, now); a != b {
		t.Errorf("%d sales before the first day", b-a)
	}
}
