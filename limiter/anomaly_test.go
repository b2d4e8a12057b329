package limiter

import (
	"math"
	"regexp"
	"slices"
	"testing"
	"time"
)

func TestReadAnomalies(t *testing.T) {
	const limit, remaining, at, seconds = "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-RateLimit-ResetSeconds"
	for _, c := range []struct {
		name, field string
		values      []string // instead of the sample's
		want        []Anomaly
	}{
		{"plus sign", limit, []string{"+1000"}, []Anomaly{AnomalyUnparsable}},
		{"decimals", limit, []string{"1000.0"}, []Anomaly{AnomalyUnparsable}},
		{"exponent", limit, []string{"1e3"}, []Anomaly{AnomalyUnparsable}},
		{"hexadecimal", limit, []string{"0x3E8"}, []Anomaly{AnomalyUnparsable}},
		{"thousands separator", limit, []string{"1_000"}, []Anomaly{AnomalyUnparsable}},
		{"space inside", limit, []string{"1 000"}, []Anomaly{AnomalyUnparsable}},
		{"digits of another script", limit, []string{"١٠٠٠"}, []Anomaly{AnomalyUnparsable}},
		{"a word", limit, []string{"unlimited"}, []Anomaly{AnomalyUnparsable}},
		{"empty", remaining, []string{""}, []Anomaly{AnomalyUnparsable}},
		{"a sign alone", remaining, []string{"-"}, []Anomaly{AnomalyUnparsable}},
		{"negative", remaining, []string{"-1"}, []Anomaly{AnomalyNegative}},
		{"negative time", seconds, []string{"-2"}, []Anomaly{AnomalyNegative}},
		{"beyond 2^53-1", limit, []string{"9007199254740992"}, []Anomaly{AnomalyRange}},
		{"beyond int64", limit, []string{"99999999999999999999999999"}, []Anomaly{AnomalyRange}},
		{"2^53-1 is a limit", limit, []string{"9007199254740991"}, nil},
		{"leading zeros are a number", limit, []string{"0001000"}, nil},
		{"Remaining = Limit", remaining, []string{"1000"}, nil},
		{"Remaining > Limit", remaining, []string{"1001"}, []Anomaly{AnomalyRemainingAboveLimit}},
		{"limit 0 with a 200", limit, []string{"0"}, []Anomaly{AnomalyZeroLimit, AnomalyRemainingAboveLimit}},
		{"repeated, equal", limit, []string{"1000", "1000 "}, nil},
		{"repeated, joined, equal", limit, []string{"1000, 1000"}, nil},
		{"repeated, different", limit, []string{"1000", "900"}, []Anomaly{AnomalyRepeated}},
		{"repeated, joined, different", remaining, []string{"999, 998"}, []Anomaly{AnomalyRepeated}},
		{"repeated, different Reset", at, []string{sampleReset, "10/30/2018 19:00:00"}, []Anomaly{AnomalyRepeated}},
		{"joined Reset", at, []string{sampleReset + ", " + sampleReset}, nil},
		{"two windows of seconds", seconds, []string{"120"}, nil},
		{"more than two windows", seconds, []string{"121"}, []Anomaly{AnomalyResetSecondsAbsurd}},
		{"an epoch for seconds", seconds, []string{"1540925940"}, []Anomaly{AnomalyResetSecondsAbsurd}},
		{"seconds that overflow", seconds, []string{"9007199254740991"}, []Anomaly{AnomalyResetSecondsAbsurd}},
		{"epoch", at, []string{"1540925940"}, []Anomaly{AnomalyUnparsable}},
		{"D/M/Y of no month", at, []string{"30/10/2018 18:59:00"}, []Anomaly{AnomalyUnparsable}},
		{"D/M/Y read as M/D/Y", at, []string{"11/10/2018 18:59:00"}, []Anomaly{AnomalyResetFar}},
		{"unset .NET date", at, []string{"01/01/0001 00:00:00"}, []Anomaly{AnomalyRange}},
		{"unset .NET date, ISO", at, []string{"0001-01-01T00:00:00.0000000Z"}, []Anomaly{AnomalyRange}},
		{"a later year", at, []string{"10/30/2099 18:59:00"}, []Anomaly{AnomalyResetFar}},
		{"a clock off by minutes", at, []string{"10/30/2018 18:40:00"}, nil},
		{"a local time zone", at, []string{"10/31/2018 08:59:00"}, nil},
		{"the day before, not the second before that", at, []string{"10/29/2018 18:59:01"}, nil},
		{"the second before that", at, []string{"10/29/2018 18:59:00"}, []Anomaly{AnomalyResetFar}},
	} {
		h := fields(t, [2]string{limit, "1000"}, [2]string{remaining, "999"},
			[2]string{at, sampleReset}, [2]string{seconds, "41"}, [2]string{"Date", sampleDate})
		h.Del(c.field)
		for _, v := range c.values {
			h.Add(c.field, v)
		}
		o := Read(200, h, time.Minute)
		if want := AnomaliesOf(c.want...); o.Anomalies != want {
			t.Errorf("%s: %v, want %v", c.name, slices.Collect(o.Anomalies.All()), c.want)
		}
		if usable := len(c.want) == 0; usable != (o.Kind == Windowed) || !usable && o.Kind != Unusable {
			t.Errorf("%s: %v", c.name, o.Kind)
		}
		if o.Kind == Unusable && (o.Limit != 0 || o.Remaining != 0 || !o.Reset.IsZero() || o.HasResetSeconds) {
			t.Errorf("%s: refused values are kept: %+v", c.name, o)
		}
	}
}

// TestUnknownWindow: as long as no window is known, nothing but the impossible
// is refused.
func TestUnknownWindow(t *testing.T) {
	for seconds, want := range map[string]Kind{"3600": Windowed, "86400": Windowed, "86401": Unusable} {
		h := fields(t, [2]string{"X-RateLimit-Limit", "10"}, [2]string{"X-RateLimit-Remaining", "9"}, [2]string{"X-RateLimit-ResetSeconds", seconds})
		if o := Read(200, h, 0); o.Kind != want {
			t.Errorf("%s s: %v, want %v", seconds, o.Kind, want)
		}
	}
}

// TestAbsurdWindow: a window of no possible length is as good as none.
func TestAbsurdWindow(t *testing.T) {
	h := fields(t, [2]string{"X-RateLimit-Limit", "10"}, [2]string{"X-RateLimit-Remaining", "9"},
		[2]string{"X-RateLimit-Reset", sampleReset}, [2]string{"Date", sampleDate}, [2]string{"Retry-After", "61"})
	for _, window := range []time.Duration{math.MinInt64, -time.Minute, math.MaxInt64} {
		if o := Read(200, h, window); o.Kind != Windowed || o.Anomalies != 0 {
			t.Errorf("window %v: %v, %v", window, o.Kind, slices.Collect(o.Anomalies.All()))
		}
	}
}

// TestFarReset without ResetSeconds allows for the window itself.
func TestFarReset(t *testing.T) {
	for _, c := range []struct {
		date, reset string
		window      time.Duration
		want        Kind
	}{
		{sampleDate, "10/31/2018 18:58:20", 0, Windowed},
		{sampleDate, "10/31/2018 18:58:21", 0, Unusable},
		{sampleDate, "11/01/2018 18:58:20", 12 * time.Hour, Windowed},
		{sampleDate, "11/01/2018 18:58:21", 12 * time.Hour, Unusable},
		{sampleDate, "10/29/2018 18:58:19", 0, Unusable},
		{"yesterday", "01/01/2030 00:00:00", 0, Windowed}, // nothing to compare with
	} {
		o := Read(200, fields(t, [2]string{"X-RateLimit-Limit", "10"}, [2]string{"X-RateLimit-Remaining", "9"},
			[2]string{"X-RateLimit-Reset", c.reset}, [2]string{"Date", c.date}), c.window)
		if o.Kind != c.want || (o.Kind == Unusable) != o.Anomalies.Has(AnomalyResetFar) {
			t.Errorf("Reset %s, window %v: %v, %v", c.reset, c.window, o.Kind, slices.Collect(o.Anomalies.All()))
		}
	}
}

func TestUnreadableDate(t *testing.T) {
	for _, dates := range [][]string{{""}, {"2018-10-30T18:58:20Z"}, {sampleDate, "Tue, 30 Oct 2018 18:58:21 GMT"}} {
		o := Read(200, map[string][]string{"Date": dates}, 0)
		if want := (Observation{Status: 200, Anomalies: AnomaliesOf(AnomalyDateUnreadable)}); o != want {
			t.Errorf("Date %q: %+v", dates, o)
		}
	}
}

func TestAnomalyLabels(t *testing.T) {
	label := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	seen := map[string]bool{anomalies.String(): true}
	for a := range anomalies {
		if seen[a.String()] || !label.MatchString(a.String()) {
			t.Errorf("anomaly %d is called %q", a, a)
		}
		seen[a.String()] = true
	}
	for kind := Silent; kind <= Windowed; kind++ {
		if seen[kind.String()] || !label.MatchString(kind.String()) {
			t.Errorf("kind %d is called %q", kind, kind)
		}
		seen[kind.String()] = true
	}
}

func TestAnomaliesSet(t *testing.T) {
	var all []Anomaly
	for a := range anomalies {
		all = append(all, a)
	}
	if got := slices.Collect(AnomaliesOf(all...).All()); !slices.Equal(got, all) {
		t.Errorf("all of them: %v", got)
	}
	some := AnomaliesOf(AnomalyRetryAfterAbsurd, AnomalyUnparsable, AnomalyUnparsable)
	if got := slices.Collect(some.All()); !slices.Equal(got, []Anomaly{AnomalyUnparsable, AnomalyRetryAfterAbsurd}) {
		t.Errorf("some: %v", got)
	}
	for range some.All() {
		break // the iterator must stop, or it panics
	}
	if some.Has(AnomalyNegative) || !some.Has(AnomalyRetryAfterAbsurd) {
		t.Errorf("%b", some)
	}
}
