package limiter

import "testing"

// aligned is a fleet that knows windows of ten seconds to be aligned with the
// clock: nothing but their time ends them. It returns the name of the last.
func aligned(t *testing.T, limit int64) (*fleet, int64) {
	t.Helper()
	f := newFleet(t, window(limit))
	f.known(limit, 4)
	name := f.of("a").name
	for range 5 {
		name += 10000
		f.now = name - 9000
		f.ask("a")
		f.sees("a", name, limit, 1, 9)
		f.ask("a")
	}
	if !f.of("a").answer.Clock {
		t.Fatal("not aligned")
	}
	return f, name
}

// An answer with numbers that nobody can mean, or a limit that becomes much
// smaller, costs a window or two, never the bucket: as nothing is learned where
// nothing is granted, what it leaves behind must not close every window to come.
func TestNoAnswerClosesABucketForGood(t *testing.T) {
	const giant = int64(1)<<53 - 1
	tests := []struct {
		name               string
		limit, used, spent int64 // of the answer
		after              int64 // the limit from then on
	}{
		{"one that can be meant", 1000, 1, 0, 1000},
		{"limit 0", 0, 0, 1, 1000},
		{"a giant limit, spent", giant, giant, 0, 1000},
		{"a giant limit, refused", giant, giant, 1, 1000},
		{"a giant limit", giant, 1, 0, 1000},
		{"a limit that is cut", 100_000, 90_000, 1, 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, name := aligned(t, 1000)
			f.now += 1000
			f.sees("a", name, tt.limit, tt.used, 8)
			r := f.of("a")
			r.seen[len(r.seen)-1].Spent = tt.spent
			f.ask("a")
			got := int64(0)
			for range 20 {
				name += 10000
				got = f.empty("a", name, tt.after)
			}
			if got < tt.after*9/10 || got > tt.after {
				t.Errorf("%d of %d tokens are granted twenty windows later; limit %d, external %d, margin %d",
					got, tt.after, f.shared.Limit, f.shared.External, f.shared.margin(f.now))
			}
		})
	}
}

// empty has a replica take all that it gets of a window of ten seconds, with one
// answer before and one after, and returns how much that was.
func (f *fleet) empty(name string, window, limit int64) int64 {
	f.t.Helper()
	r := f.of(name)
	f.now = window - 9900
	for range 40 {
		r.uses = []Use{waiting("x", Batch, limit)}
		if r.done = r.sent; sum(f.ask(name).Grants) > 0 {
			f.sees(name, window, limit, r.sent, (window-f.now)/1000)
		}
		f.now += 200
	}
	r.done = r.sent
	return r.sent
}
