package limiter_test

import (
	"net/http"
	"testing"
	"time"

	"iqgateway/limiter"
)

func TestTellsReset(t *testing.T) {
	const date = "Wed, 21 Oct 2026 07:28:00 GMT"
	tests := map[string]struct {
		fields []string
		want   bool
	}{
		"nothing":                    {nil, false},
		"Retry-After":                {[]string{"Retry-After", "7"}, true},
		"Retry-After, a date":        {[]string{"Date", date, "Retry-After", "Wed, 21 Oct 2026 07:28:30 GMT"}, true},
		"Retry-After, a past date":   {[]string{"Date", date, "Retry-After", "Wed, 21 Oct 2026 07:27:30 GMT"}, false},
		"Retry-After 0":              {[]string{"Retry-After", "0"}, false},
		"Retry-After, unreadable":    {[]string{"Retry-After", "soon"}, false},
		"a window used up":           {[]string{"X-RateLimit-Limit", "20", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "10/09/2018 20:26:00"}, true},
		"in seconds":                 {[]string{"X-RateLimit-Limit", "20", "X-RateLimit-Remaining", "0", "X-RateLimit-ResetSeconds", "9"}, true},
		"a window without a limit":   {[]string{"X-RateLimit-Remaining", "0", "X-RateLimit-ResetSeconds", "9"}, false},
		"a window of year 1":         {[]string{"Date", date, "X-RateLimit-Limit", "20", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "01/01/0001 00:00:00"}, false},
		"a window with some left":    {[]string{"X-RateLimit-Limit", "20", "X-RateLimit-Remaining", "12", "X-RateLimit-ResetSeconds", "9"}, false},
		"a window that does not end": {[]string{"X-RateLimit-Limit", "20", "X-RateLimit-Remaining", "0"}, false},
		"only when it ends":          {[]string{"X-RateLimit-ResetSeconds", "9"}, false},
	}
	for name, tt := range tests {
		h := http.Header{}
		for i := 0; i < len(tt.fields); i += 2 {
			h.Set(tt.fields[i], tt.fields[i+1])
		}
		if got := limiter.Read(http.StatusTooManyRequests, h, 0).TellsReset(time.Now()); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
