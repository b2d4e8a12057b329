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
	ex.Tried(begin.Add(time.Second), exchange.Try{Failure: "dns", Took: time.Millisecond})
	ex.Tried(begin.Add(-time.Second), exchange.Try{Status: 200, Took: 2 * time.Millisecond})
	want := []exchange.Try{
		{Failure: "dns", At: time.Second, Took: time.Millisecond},
		{Status: 200, Took: 2 * time.Millisecond}, // not before its exchange, whatever the clocks say
	}
	if !slices.Equal(ex.Tries, want) {
		t.Errorf("%+v", ex.Tries)
	}
	for range 20 {
		ex.Tried(begin, exchange.Try{Status: 503})
	}
	if len(ex.Tries) != 8 || ex.Tries[0] != want[0] {
		t.Errorf("%d attempts are kept", len(ex.Tries))
	}
	var shared exchange.Exchange // a flight's: nobody told it when it began
	shared.Tried(begin, exchange.Try{Status: 200, Took: time.Millisecond})
	if shared.Tries[0].At != 0 {
		t.Errorf("%+v", shared.Tries)
	}
}

func TestBodyEnd(t *testing.T) {
	var none *exchange.BodyEnd
	if _, _, ok := none.Get(); ok {
		t.Error("no body has ended")
	}
	var end exchange.BodyEnd
	if _, _, ok := end.Get(); ok {
		t.Error("it has not ended yet")
	}
	end.Set(time.Second, "reset")
	if took, failure, ok := end.Get(); !ok || took != time.Second || failure != "reset" {
		t.Errorf("%v %q %t", took, failure, ok)
	}
}
