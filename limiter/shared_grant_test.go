package limiter

import (
	"slices"
	"testing"
)

// Where less is left than the guarantees promise, because others have used it,
// each gets the part that its need is of all needs, rounded up.
func TestGuaranteesShareWhatIsLeft(t *testing.T) {
	tests := []struct {
		name  string
		left  int64
		x, y  int64 // guarantees, all of it waited for
		gives []int64
	}{
		{"enough for both", 80, 40, 40, []int64{40, 40}},
		{"a part each", 20, 40, 40, []int64{10, 6}}, // 20*40/80, and 10*40/70 of what is left then
		{"by need", 20, 60, 20, []int64{15, 2}},     // 20*60/80, 5*20/65
		{"the last token", 1, 40, 40, []int64{1, 0}},
		{"nothing", 0, 40, 40, []int64{0, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFleet(t, window(100))
			f.known(100, 5)
			r := f.of("a")
			r.uses = []Use{waiting("early", Batch, 100-tt.left-r.sent)}
			f.ask("a")
			f.with.SharesID, f.with.Shares = 1, []Share{
				{Caller: "x", Guarantee: Amount{Tokens: tt.x}}, {Caller: "y", Guarantee: Amount{Tokens: tt.y}},
			}
			r.uses = []Use{waiting("x", Interactive, tt.x), waiting("y", Interactive, tt.y)}
			if a := f.ask("a"); !slices.Equal(a.Grants, tt.gives) {
				t.Errorf("of %d left, guarantees of %d and %d get %v, want %v", tt.left, tt.x, tt.y, a.Grants, tt.gives)
			}
		})
	}
}

// Tokens ahead are granted while four times as much is left for every replica.
func TestTokensAheadLeaveFourTimesAsMuchForAll(t *testing.T) {
	for _, tt := range []struct {
		replicas []string
		want     int64
		least    int64 // that must be left
	}{
		{nil, 10, 40},
		{[]string{"b"}, 10, 80},
		{[]string{"b", "c"}, 10, 120},
		{[]string{"b", "c"}, 1, 12},
	} {
		for _, left := range []int64{tt.least - 1, tt.least} {
			f := newFleet(t, window(left+1)) // one is the probe
			f.known(left+1, 50)
			f.meet(tt.replicas...)
			f.of("a").ahead = tt.want
			a, want := f.ask("a"), tt.want
			if left < tt.least {
				want = 0
			}
			if a.Pool != want {
				t.Errorf("%d of %d tokens ahead with %d left for %d replicas, want %d", a.Pool, tt.want, left, a.Replicas, want)
			}
		}
	}
}

// What a class must leave: the guarantees of others, batch what is expected of
// interactive callers, these a tenth of the limit for batch that waits. What the
// guarantees need for batch is part of that tenth.
func TestWhatAClassLeavesToOthers(t *testing.T) {
	batch := func(p party, waits int64) party {
		p.cap, p.waiting[Batch] = -1, waits
		return p
	}
	tests := []struct {
		name        string
		p           party
		interactive int64 // forecast
		want        [Classes]int64
	}{
		{"nobody", batch(party{}, 0), 0, [Classes]int64{}},
		{"batch waits", batch(party{}, 30), 0, [Classes]int64{10, 0, 30}},
		{"less than a tenth", batch(party{}, 4), 0, [Classes]int64{4, 0, 4}},
		{"batch has had some", batch(party{usedBatch: 7}, 30), 0, [Classes]int64{3, 0, 30}},
		{"and a tenth", batch(party{usedBatch: 10}, 30), 0, [Classes]int64{0, 0, 30}},
		{"promised to batch", batch(party{need: 6, needBatch: 6}, 30), 0, [Classes]int64{10, 6, 36}},
		{"more than a tenth", batch(party{need: 15, needBatch: 15}, 30), 0, [Classes]int64{15, 15, 45}},
		{"promised to screens", batch(party{need: 6}, 30), 0, [Classes]int64{16, 6, 36}},
		{"screens are expected", batch(party{need: 15, needBatch: 15}, 30), 20, [Classes]int64{15, 35, 65}},
		{"so many that batch has its tenth only", batch(party{}, 30), 99, [Classes]int64{10, 90, 129}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &Shared{Mode: ModeKnown, Limit: 100}
			r := &round{s: s, all: []party{tt.p}, left: 100, interactive: tt.interactive}
			for c, want := range tt.want {
				if got := r.leave(Class(c), nil); got != want {
					t.Errorf("%s leaves %d, want %d", Class(c), got, want)
				}
			}
		})
	}
}
