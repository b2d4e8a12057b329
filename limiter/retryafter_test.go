package limiter

import (
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	received := utc("2018-10-30T19:10:00Z") // our clock, 11 min 40 s ahead of the upstream's
	const year = maxSeconds * time.Second
	for _, c := range []struct {
		name, value, date string
		window            time.Duration
		want              time.Duration
		found             Anomalies
		absent            bool
	}{
		{name: "RFC 9110 10.2.3: seconds", value: "120", date: sampleDate, want: 2 * time.Minute},
		{name: "0 seconds are given", value: "0"},
		{name: "RFC 9110 10.2.3: date, by the upstream's clock", value: "Tue, 30 Oct 2018 18:59:20 GMT", date: sampleDate, want: time.Minute},
		{name: "date without Date: our clock has to do", value: "Tue, 30 Oct 2018 19:10:30 GMT", want: 30 * time.Second},
		{name: "date that has passed", value: "Tue, 30 Oct 2018 18:58:19 GMT", date: sampleDate},
		{name: "obsolete form of a date", value: "Tuesday, 30-Oct-18 18:59:20 GMT", date: sampleDate, want: time.Minute},
		{name: "two windows", value: "120", window: time.Minute, want: 2 * time.Minute},
		{name: "more than two windows", value: "121", window: time.Minute, want: 121 * time.Second, found: AnomaliesOf(AnomalyRetryAfterAbsurd)},
		{
			name: "date beyond two windows", value: "Tue, 30 Oct 2018 19:58:20 GMT", date: sampleDate, window: time.Minute,
			want: time.Hour, found: AnomaliesOf(AnomalyRetryAfterAbsurd),
		},
		{name: "date that cannot be judged", value: "Wed, 30 Oct 2019 19:10:00 GMT", window: time.Minute, want: 365 * 24 * time.Hour},
		{name: "no window known", value: "31622400", want: year},
		{name: "more than a year", value: "31622401", want: year, found: AnomaliesOf(AnomalyRetryAfterAbsurd)},
		{name: "beyond int64", value: "99999999999999999999", want: year, found: AnomaliesOf(AnomalyRetryAfterAbsurd)},
		{name: "decimals", value: "1.5", absent: true, found: AnomaliesOf(AnomalyRetryAfterUnreadable)},
		{name: "negative", value: "-1", absent: true, found: AnomaliesOf(AnomalyRetryAfterUnreadable)},
		{name: "plus sign", value: "+1", absent: true, found: AnomaliesOf(AnomalyRetryAfterUnreadable)},
		{name: "a Go duration", value: "30s", absent: true, found: AnomaliesOf(AnomalyRetryAfterUnreadable)},
		{name: "empty", absent: true, found: AnomaliesOf(AnomalyRetryAfterUnreadable)},
	} {
		lines := [][2]string{{"Retry-After", c.value}}
		if c.date != "" {
			lines = append(lines, [2]string{"Date", c.date})
		}
		o := Read(429, fields(t, lines...), c.window)
		wait, ok := o.Wait(received)
		if wait != c.want || ok == c.absent || o.Anomalies != c.found || o.Kind != Silent || !o.Refused() {
			t.Errorf("%s: wait %v, %v; %+v", c.name, wait, ok, o)
		}
	}
}

func TestRetryAfterRepeated(t *testing.T) {
	same := Read(503, map[string][]string{"Retry-After": {"5", " 5"}}, 0)
	if wait, ok := same.Wait(time.Time{}); wait != 5*time.Second || !ok || same.Anomalies != 0 || same.Refused() {
		t.Errorf("equal: %+v", same)
	}
	other := Read(503, map[string][]string{"Retry-After": {"5", "6"}}, 0)
	if _, ok := other.Wait(time.Time{}); ok || other.Anomalies != AnomaliesOf(AnomalyRetryAfterUnreadable) {
		t.Errorf("different: %+v", other)
	}
	if wait, ok := Read(429, nil, time.Minute).Wait(time.Time{}); wait != 0 || ok {
		t.Errorf("absent: %v, %v", wait, ok)
	}
}
