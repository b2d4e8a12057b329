package cache

import (
	"math"
	"net/http"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestRFC9111_4_2_3_Age(t *testing.T) {
	received := sunday()
	at := func(d time.Duration) string { return received.Add(d).Format(http.TimeFormat) }
	tests := []struct {
		name  string
		delay time.Duration
		h     http.Header
		want  time.Duration
	}{
		{"nothing known", 0, http.Header{}, 0},
		{"apparent age", 0, http.Header{"Date": {at(-10 * time.Second)}}, 10 * time.Second},
		{"a clock ahead", 0, http.Header{"Date": {at(time.Hour)}}, 0},
		{"a date that is none", 0, http.Header{"Date": {"yesterday"}}, 0},
		{"Age", 0, http.Header{"Age": {"7"}}, 7 * time.Second},
		{"delay", 2500 * time.Millisecond, http.Header{}, 2500 * time.Millisecond},
		{"Age and delay", 3 * time.Second, http.Header{"Age": {"7"}}, 10 * time.Second},
		{"the larger: Date", 3 * time.Second, http.Header{"Age": {"7"}, "Date": {at(-time.Minute)}}, time.Minute},
		{"the larger: Age", 3 * time.Second, http.Header{"Age": {"70"}, "Date": {at(-time.Minute)}}, 73 * time.Second},
		{"delay is no part of apparent age", 3 * time.Second, http.Header{"Date": {at(-3 * time.Second)}}, 3 * time.Second},
		{"requested after received", -time.Hour, http.Header{"Age": {"7"}}, 7 * time.Second},
		{"as long as can be", time.Hour, http.Header{"Age": {"99999999999"}}, maxDelta},
		{"a date long ago", 0, http.Header{"Date": {"Mon, 01 Jan 0001 00:00:00 GMT"}}, maxDelta},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := ageOf(test.h, received.Add(-test.delay), received); got != test.want {
				t.Errorf("age = %v, want %v", got, test.want)
			}
		})
	}
}

func TestRFC9111_5_1_AgeField(t *testing.T) {
	tests := []struct {
		lines []string
		want  time.Duration
	}{
		{nil, 0},
		{[]string{"7"}, 7 * time.Second},
		{[]string{"7, 8"}, 7 * time.Second},
		{[]string{"7 ,x"}, 7 * time.Second},
		{[]string{"7", "8"}, 7 * time.Second},
		{[]string{"x, 7"}, 0},
		{[]string{", 7"}, 0},
		{[]string{""}, 0},
		{[]string{"-7"}, 0},
		{[]string{"7.5"}, 0},
		{[]string{`"7"`}, 0},
		{[]string{"2147483649"}, maxDelta},
	}
	for _, test := range tests {
		if got := ageValue(http.Header{"Age": test.lines}); got != test.want {
			t.Errorf("Age: %q = %v, want %v", test.lines, got, test.want)
		}
	}
}

func TestRFC9111_4_2_3_CurrentAge(t *testing.T) {
	now := sunday()
	tests := []struct {
		name string
		o    Object
		want time.Duration
	}{
		{"resident time", Object{Received: now.Add(-5 * time.Second)}, 5 * time.Second},
		{"and the age that it had", Object{Received: now.Add(-5 * time.Second), Age: 2500 * time.Millisecond}, 7500 * time.Millisecond},
		{"a clock that went back", Object{Received: now.Add(time.Minute), Age: time.Second}, time.Second},
		{"received never", Object{Age: math.MaxInt64}, maxDelta},
	}
	for _, test := range tests {
		if got := currentAge(&test.o, now); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func FuzzAge(f *testing.F) {
	f.Add("7, 8", "Sun, 22 Nov 2026 07:00:00 GMT", int64(time.Second), int64(time.Hour))
	f.Add("x", "0", int64(-1), int64(math.MaxInt64))
	f.Add("99999999999999999999", "Mon, 01 Jan 0001 00:00:00 GMT", int64(math.MinInt64), int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, age, date string, delay, resident int64) {
		received := sunday()
		h := http.Header{"Age": {age}, "Date": {date}}
		got := ageOf(h, received.Add(-time.Duration(delay)), received)
		if got < 0 || got > maxDelta || got < ageValue(h) {
			t.Fatalf("Age: %q, Date: %q, delay %v: %v", age, date, time.Duration(delay), got)
		}
		o := &Object{Received: received, Age: got}
		later := currentAge(o, received.Add(time.Duration(resident)))
		if later < got || later > maxDelta {
			t.Errorf("%v after an age of %v: %v", time.Duration(resident), got, later)
		}
	})
}

// A stored answer never grows younger, however the clock is read.
func TestAgeGrows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := &Object{Received: sunday(), Age: time.Duration(rapid.Int64Range(0, int64(2*maxDelta)).Draw(t, "age"))}
		first := time.Duration(rapid.Int64().Draw(t, "first"))
		second := time.Duration(rapid.Int64Range(int64(first), math.MaxInt64).Draw(t, "second"))
		if a, b := currentAge(o, sunday().Add(first)), currentAge(o, sunday().Add(second)); a > b {
			t.Errorf("%v at %v, but %v at %v", a, first, b, second)
		}
	})
}
