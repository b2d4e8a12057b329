package redisconn

import (
	"testing"
	"time"
)

func TestBreakerOpensAfterFailuresInARow(t *testing.T) {
	tests := []struct {
		name    string
		results []verdict
		want    bool
	}{
		{"two failures", []verdict{verdictWeak, verdictWeak}, false},
		{"three failures", []verdict{verdictWeak, verdictWeak, verdictWeak}, true},
		{"an answer between", []verdict{verdictWeak, verdictWeak, verdictFine, verdictWeak, verdictWeak}, false},
		{"nothing learnt between", []verdict{verdictWeak, verdictNeutral, verdictWeak, verdictNeutral, verdictWeak}, true},
		{"only callers who left", []verdict{verdictNeutral, verdictNeutral, verdictNeutral, verdictNeutral}, false},
		{"a demoted master", []verdict{verdictFine, verdictGone}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBreaker(50 * time.Millisecond)
			now := time.Unix(0, 0)
			var away bool
			for _, v := range test.results {
				if !b.enter(now) {
					t.Fatal("refused without a reason")
				}
				away = b.leave(now, v)
			}
			if away != test.want {
				t.Errorf("away %v, want %v", away, test.want)
			}
		})
	}
}

func TestBreakerBoundsWaiting(t *testing.T) {
	const timeout = 40 * time.Millisecond
	at := func(ms int) time.Time { return time.Unix(0, 0).Add(time.Duration(ms) * time.Millisecond) }
	b := newBreaker(timeout)
	for i := range 100 {
		if !b.enter(at(10)) {
			t.Fatalf("call %d of a burst refused before the server could answer", i)
		}
	}
	if b.enter(at(21)) {
		t.Error("a silent server gets one more call")
	}
	b.leave(at(22), verdictFine)
	if !b.enter(at(23)) {
		t.Error("refused although the server answers")
	}
	b.leave(at(33), verdictWeak)
	if b.enter(at(34)) {
		t.Error("a timeout counts as an answer")
	}
	for b.waiting > 0 {
		b.leave(at(35), verdictNeutral)
	}
	if !b.enter(at(1000)) {
		t.Error("the first call after a quiet time is refused")
	}
	if !b.enter(at(2000)) {
		t.Error("few calls are refused, however long they wait")
	}
}
