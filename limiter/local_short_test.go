package limiter

import (
	"testing"
	"time"
)

// Names of short windows lie as close as stray names of one long window: a
// request of the new one tells them apart while the length is not known.
func TestLocalTellsShortWindowsApart(t *testing.T) {
	const before = int64(1_000_000)
	for _, tt := range []struct {
		name  string
		later int64 // the new name
		span  int64 // as the store knows it
		stale bool  // the request was sent in the window before
		apart int64 // how much names of one window may differ from then on
	}{
		{"a second later", 1000, 0, false, 250},
		{"a stray name", minApart - 1, 0, false, maxJitter},
		{"sent in the window before", 1000, 0, true, maxJitter},
		{"windows are known to be long", 1000, 60_000, false, 15_000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := NewLocal(LocalOptions{Settings: settings()})
			l.heard = true
			l.last = Answer{Epoch: 1, Mode: ModeKnown, Limit: 50, Span: tt.span, Tolerance: maxJitter}
			if tt.span > 0 {
				l.last.Tolerance = tt.span / 4
			}
			now := time.UnixMilli(before)
			m := l.advance(now)
			l.ledger.generation, l.ledger.name, l.ledger.previous = 7, 0, before
			stamp := l.ledger.take()
			if tt.stale {
				stamp--
			}
			ticket := &Ticket{stamp: stamp, taken: m}
			o := Observation{Status: 200, Kind: Windowed, Limit: 50, Remaining: 49, Reset: time.UnixMilli(before + tt.later).UTC()}
			l.answeredNamed(m, ticket, o, before+tt.later)
			if got := l.tolerance(); got != tt.apart {
				t.Errorf("names of one window differ by %d ms, want %d", got, tt.apart)
			}
			if got, want := len(l.seen) == 1, tt.apart == 250; got != want {
				t.Errorf("the window is told of: %v, want %v (%+v)", got, want, l.seen)
			}
		})
	}
}
