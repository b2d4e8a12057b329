package exchange_test

import (
	"slices"
	"testing"
	"time"

	"iqgateway/internal/exchange"
)

func TestTried(t *testing.T) {
	begin := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	ex := &exchange.Exchange{Start: begin}
	ex.Tried(begin.Add(time.Second), 0, "dns", time.Millisecond)
	ex.Tried(begin.Add(-time.Second), 200, "", 2*time.Millisecond)
	want := []exchange.Try{
		{Failure: "dns", At: time.Second, Took: time.Millisecond},
		{Status: 200, Took: 2 * time.Millisecond}, // not before its exchange, whatever the clocks say
	}
	if !slices.Equal(ex.Tries, want) {
		t.Errorf("%+v", ex.Tries)
	}
	for range 20 {
		ex.Tried(begin, 503, "", 0)
	}
	if len(ex.Tries) != 8 || ex.Tries[0] != want[0] {
		t.Errorf("%d attempts are kept", len(ex.Tries))
	}
	var shared exchange.Exchange // a flight's: nobody told it when it began
	shared.Tried(begin, 200, "", time.Millisecond)
	if shared.Tries[0].At != 0 {
		t.Errorf("%+v", shared.Tries)
	}
}
