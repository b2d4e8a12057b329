package auth

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"iqgateway/internal/exchange"
)

func TestInstant(t *testing.T) {
	begun := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	clock := begun.Add(time.Hour)
	before := time.Now()
	tests := map[string]struct {
		now      func() time.Time
		start    time.Time
		from, to time.Time
	}{
		"the beginning of the exchange": {nil, begun, begun, begun},
		"a clock counts more":           {func() time.Time { return clock }, begun, clock, clock},
		"no beginning":                  {nil, time.Time{}, before, before.Add(time.Minute)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
			r = r.WithContext(exchange.With(r.Context(), &exchange.Exchange{Start: tt.start}))
			if got := instant(tt.now, r); got.Before(tt.from) || got.After(tt.to) {
				t.Errorf("%v, want one from %v to %v", got, tt.from, tt.to)
			}
		})
	}
}
