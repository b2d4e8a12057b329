package exchange_test

import (
	"strings"
	"testing"
	"time"

	"iqgateway/internal/exchange"
)

func TestParseRetryAfter(t *testing.T) {
	answered := time.Date(2018, 10, 30, 18, 58, 20, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"0":                               0,
		"120":                             2 * time.Minute,
		"007":                             7 * time.Second,
		"31622400":                        exchange.MaxRetryAfter,
		"31622401":                        exchange.MaxRetryAfter + time.Second,
		strings.Repeat("9", 100):          exchange.MaxRetryAfter + time.Second,
		"Tue, 30 Oct 2018 18:59:20 GMT":   time.Minute,
		"Tuesday, 30-Oct-18 18:59:20 GMT": time.Minute,
		"Tue Oct 30 18:59:20 2018":        time.Minute,
		"Tue, 30 Oct 2018 18:58:19 GMT":   0, // has passed
	} {
		r, ok := exchange.ParseRetryAfter(value)
		if got := r.Wait(answered); !ok || got != want {
			t.Errorf("%q: %v, %t, want %v", value, got, ok, want)
		}
	}
	for _, value := range []string{"", " ", "+1", "-1", "1.5", "1s", "0x1", "1e3", "1 ", "soon", "2018-10-30T18:59:20Z", "١"} {
		if r, ok := exchange.ParseRetryAfter(value); ok || r != (exchange.RetryAfter{}) {
			t.Errorf("%q was read as %+v", value, r)
		}
	}
}

func FuzzParseRetryAfter(f *testing.F) {
	for _, seed := range []string{"", "0", "120", "99999999999999999999", "-1", "1.5", "Tue, 30 Oct 2018 18:59:20 GMT", "Tuesday, 30-Oct-18 18:59:20 GMT"} {
		f.Add(seed, int64(1540925900))
	}
	f.Fuzz(func(t *testing.T, value string, at int64) {
		r, ok := exchange.ParseRetryAfter(value)
		wait := r.Wait(time.Unix(at, 0))
		if wait < 0 || r.Delay < 0 || r.Delay > exchange.MaxRetryAfter+time.Second {
			t.Errorf("%q: %+v, wait %v", value, r, wait)
		}
		if !ok && r != (exchange.RetryAfter{}) {
			t.Errorf("%q is not one, but %+v", value, r)
		}
		if ok && r.Delay > 0 && !r.At.IsZero() {
			t.Errorf("%q has both forms: %+v", value, r)
		}
	})
}
