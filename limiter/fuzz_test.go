package limiter

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// FuzzRead gives each field's lines as one text.
func FuzzRead(f *testing.F) {
	add := func(status int, h map[string]string) {
		f.Add(status, int64(time.Minute), h["X-RateLimit-Limit"], h["X-RateLimit-Remaining"], h["X-RateLimit-Reset"],
			h["X-RateLimit-ResetSeconds"], h["IQ-APIM-RateLimit-Limit"], h["Date"], h["Retry-After"])
	}
	for _, c := range readCaptures(f) {
		add(c.Status, c.Headers)
	}
	add(429, map[string]string{"X-RateLimit-Limit": "0", "X-RateLimit-Remaining": "0", "X-RateLimit-ResetSeconds": "1\n1", "Retry-After": "99999999999"})
	add(200, map[string]string{"X-RateLimit-Limit": "1, 1", "X-RateLimit-Remaining": "-1", "X-RateLimit-Reset": "9999-12-31T23:59:59.123456789-23:59"})
	add(503, map[string]string{"Retry-After": sampleDate, "Date": sampleDate, "IQ-APIM-RateLimit-Limit": "+1"})

	f.Fuzz(func(t *testing.T, status int, window int64, limit, remaining, at, seconds, layer, date, after string) {
		h := http.Header{}
		for name, text := range map[string]string{
			fieldLimit: limit, fieldRemaining: remaining, fieldReset: at, fieldResetSeconds: seconds,
			fieldIQLimit: layer, "Date": date, "Retry-After": after,
		} {
			if text != "" {
				h[name] = strings.Split(text, "\n")
			}
		}
		checkObservation(t, Read(status, h, time.Duration(window)))
	})
}

func checkObservation(t *testing.T, o Observation) {
	t.Helper()
	named := !o.Reset.IsZero() || o.HasResetSeconds
	switch o.Kind {
	case Windowed:
		if o.Remaining < 0 || o.Remaining > o.Limit || o.Limit > maxCount || !named || o.Used() < 0 {
			t.Errorf("not a window: %+v", o)
		}
	case LimitOnly:
		if o.Limit < 0 || o.Limit > maxCount || o.Remaining != 0 || named {
			t.Errorf("not a limit alone: %+v", o)
		}
	case Unusable, Silent:
		if o.Limit != 0 || o.Remaining != 0 || named || (o.Kind == Unusable) && o.Anomalies == 0 {
			t.Errorf("values that are not to be used: %+v", o)
		}
	}
	if o.Limit == 0 && (o.Kind == Windowed || o.Kind == LimitOnly) && !o.Refused() {
		t.Errorf("a limit of 0 that let a request through: %+v", o)
	}
	if wait, ok := o.Wait(time.Unix(0, 0)); wait < 0 || !ok && wait != 0 {
		t.Errorf("a wait of %v: %+v", wait, o)
	}
	if end, ok := o.Boundary(at(0), at(1)); ok && end.Empty() {
		t.Errorf("no boundary: %+v", o)
	}
	if !o.Reset.IsZero() {
		again, form, ok := parseReset(o.ResetForm.Format(o.Reset))
		if !ok || form != o.ResetForm || again != o.Reset {
			t.Errorf("%v is written %s", o.Reset, o.ResetForm.Format(o.Reset))
		}
	}
	if o.Anomalies >= 1<<anomalies {
		t.Errorf("anomalies without a name: %b", o.Anomalies)
	}
}
