package limiter

import (
	"testing"

	"pgregory.net/rapid"
)

// TestLedger has every outcome of a request whose ticket is of this epoch, or of
// the one before. What counts is what the fleet is told: Done, so that it is in
// no later window, and Carry, of older ones that may be in this.
func TestLedger(t *testing.T) {
	const previous, current, next, tolerance = 100, 200, 300, 25
	type told struct{ sent, done, carry int64 }
	for _, tt := range []struct {
		name    string
		named   bool // an answer has named the current window
		old     bool // the ticket is of the epoch before
		outcome func(*ledger, int64)
		now     told  // afterwards
		then    int64 // Carry in the next epoch, which is named
		last    int64 // and in the one after it
	}{
		{"under way", true, false, nothing, told{1, 0, 0}, 1, 1},
		{"under way, old", true, true, nothing, told{0, 0, 1}, 1, 1},
		{"unsent", true, false, unsent, told{0, 0, 0}, 0, 0},
		{"unsent, old", true, true, unsent, told{0, 0, 0}, 0, 0},
		{"this window", true, false, names(current), told{1, 1, 0}, 0, 0},
		{"this window, jittered", true, false, names(current + tolerance), told{1, 1, 0}, 0, 0},
		{"an older window", true, false, names(previous), told{1, 1, 0}, 0, 0},
		{"the next window", true, false, names(next), told{1, 0, 0}, 1, 0},
		{"old, its own window", true, true, names(previous), told{0, 0, 0}, 0, 0},
		{"old, this window", true, true, names(current), told{0, 0, 1}, 0, 0},
		{"old, the next window", true, true, names(next), told{0, 0, 1}, 1, 0},
		{"unnamed window, some answer", false, false, names(current), told{1, 0, 0}, 0, 0},
		{"unnamed window, the one before", false, false, names(previous), told{1, 1, 0}, 0, 0},
		{"unnamed window, the next", false, false, names(next), told{1, 0, 0}, 1, 0},
		{"unnamed window, old, its own", false, true, names(previous), told{0, 0, 0}, 0, 0},
		{"unnamed window, old, some answer", false, true, names(current), told{0, 0, 1}, 0, 0},
		{"unnamed window, old, the next", false, true, names(next), told{0, 0, 1}, 1, 0},
		{"lost", true, false, lose, told{1, 0, 0}, 1, 0},
		{"lost, old", true, true, lose, told{0, 0, 1}, 1, 0},
		{"no name, in time", true, false, silent(true), told{1, 1, 0}, 0, 0},
		{"no name, late", true, false, silent(false), told{1, 0, 0}, 1, 0},
		{"no name, in time, old", true, true, silent(true), told{0, 0, 1}, 0, 0},
		{"no name, late, old", true, true, silent(false), told{0, 0, 1}, 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := ledger{}
			b.roll(1, previous, tolerance)
			var stamp int64
			if tt.old {
				stamp = b.take()
			}
			b.roll(2, 0, tolerance)
			if tt.named {
				b.call(current, tolerance)
			}
			if !tt.old {
				stamp = b.take()
			}
			tt.outcome(&b, stamp)
			if got := (told{b.sent, b.done, b.carry()}); got != tt.now {
				t.Errorf("%+v is told, want %+v", got, tt.now)
			}
			b.roll(3, next, tolerance)
			if b.carry() != tt.then || b.sent != 0 || b.done != 0 {
				t.Errorf("then %d carried, %d sent and %d done, want %d carried alone", b.carry(), b.sent, b.done, tt.then)
			}
			b.roll(4, next+100, tolerance)
			if b.carry() != tt.last {
				t.Errorf("at last %d carried, want %d", b.carry(), tt.last)
			}
		})
	}
}

func nothing(*ledger, int64)        {}
func unsent(b *ledger, stamp int64) { b.unsent(stamp) }
func lose(b *ledger, stamp int64)   { b.lost(stamp) }
func names(n int64) func(*ledger, int64) {
	return func(b *ledger, stamp int64) { b.named(stamp, n, 25) }
}

func silent(inside bool) func(*ledger, int64) {
	return func(b *ledger, stamp int64) { b.unnamed(stamp, inside) }
}

// TestLedgerLearnsItsName: answers that came before the name of the window was
// known are sorted once it is.
func TestLedgerLearnsItsName(t *testing.T) {
	var b ledger
	b.roll(1, 100, 25)
	old := b.take()
	older := b.take()
	b.roll(2, 0, 25)
	here, ahead := b.take(), b.take()
	b.named(old, 200, 25)
	b.named(older, 300, 25)
	b.named(here, 200, 25)
	b.named(ahead, 300, 25)
	if b.done != 0 || b.carry() != 2 || b.most() != 4 {
		t.Errorf("before: %d done, %d carried, at most %d", b.done, b.carry(), b.most())
	}
	b.call(201, 25)
	if b.done != 1 || b.carry() != 2 || b.older.landed != 1 {
		t.Errorf("after: %d done, %d carried, %d landed", b.done, b.carry(), b.older.landed)
	}
}

// TestLedgerNeverForgets is I2 of one replica: whatever happens, a request that
// the upstream counts in a window is told to the fleet as Sent or Carry while
// that window is current; and nothing ever becomes negative.
func TestLedgerNeverForgets(t *testing.T) {
	const span, tolerance = 100, 25
	rapid.Check(t, func(t *rapid.T) {
		var b ledger
		window := int64(1) // of the upstream
		epoch := int64(1)  // as far as the replica knows
		b.roll(epoch, epoch*span, tolerance)
		type sent struct{ stamp, counted int64 }
		var open []sent
		counted := map[int64]int64{} // by window
		t.Repeat(map[string]func(*rapid.T){
			"take": func(*rapid.T) { open = append(open, sent{stamp: b.take()}) },
			"count": func(t *rapid.T) {
				for i := range open {
					if open[i].counted == 0 && rapid.Bool().Draw(t, "counts") {
						open[i].counted = window
						counted[window]++
					}
				}
			},
			"answer": func(t *rapid.T) {
				for i := range open {
					if s := open[i]; s.counted != 0 {
						b.named(s.stamp, s.counted*span+rapid.Int64Range(-10, 10).Draw(t, "jitter"), tolerance)
						open = append(open[:i], open[i+1:]...)
						return
					}
				}
			},
			"upstream": func(*rapid.T) { window++ },
			"roll": func(t *rapid.T) {
				if epoch < window {
					epoch++
					name := epoch * span
					if rapid.Bool().Draw(t, "unnamed") {
						name = 0
					}
					b.roll(epoch, name, tolerance)
				}
			},
			"name": func(*rapid.T) { b.call(epoch*span, tolerance) },
			"": func(t *rapid.T) {
				if own := b.sent + b.carry(); counted[epoch] > own {
					t.Fatalf("the upstream counts %d in window %d, told are %d", counted[epoch], epoch, own)
				}
				later := int64(0)
				for w, n := range counted {
					if w > epoch {
						later += n
					}
				}
				if later > b.most() {
					t.Fatalf("the upstream counts %d in later windows, told are %d", later, b.most())
				}
				if b.open+b.older.open != int64(len(open)) || min(b.sent, b.done, b.open, b.doubtful, b.older.open, b.older.landed) < 0 || b.done > b.sent {
					t.Fatalf("%+v of %d requests under way", b, len(open))
				}
			},
		})
	})
}
