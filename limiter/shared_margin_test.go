package limiter

import "testing"

// Rules for a bucket that others use too, each on a state that needs no other.
func TestWhatIsAllowedBesideOthers(t *testing.T) {
	known := func(change func(*Shared)) Shared {
		s := Shared{
			Mode: ModeKnown, Epoch: 1, Named: confirmed, Limit: 1000, Span: 10000, RTT: 100,
			Opened: epoch0, Lo: epoch0 + 9000, Hi: epoch0 + 10000, SeenAt: epoch0 + 100, Last: epoch0, Outside: 0.02,
		}
		change(&s)
		return s
	}
	open := func(n int64) []Member { return []Member{{Replica: "a", Granted: n, Open: n, Expires: epoch0 + 3000}} }
	tests := []struct {
		name  string
		s     Shared
		want  int64
		ahead int64 // now, after epoch0
	}{
		{"nobody else", known(func(s *Shared) { s.Outside = 0; s.Members = open(400) }), 600, 100},
		// 0.02 a millisecond, unseen for 100: 2 + 2√2 = 5.
		{"others", known(func(*Shared) {}), 995, 100},
		{"unseen for longer", known(func(*Shared) {}), 971, 1000}, // 20 + 2√20 = 29
		{"seen in an older window only", known(func(s *Shared) { s.SeenAt = epoch0 - 5000 }), 995, 0},
		// Half of what they leave, until an answer has named the window.
		{"unconfirmed", known(func(s *Shared) { s.Named = expected; s.Members = open(100) }), 390, 1000},
		{"unconfirmed, but nobody else for ten windows", known(func(s *Shared) { s.Named, s.Clean = expected, 10 }), 971, 1000},
		{"unconfirmed, nobody else for nine", known(func(s *Shared) { s.Named, s.Clean = expected, 9 }), 490, 1000},
		// The last tokens go out one after the other.
		{"the landing zone", known(func(s *Shared) { s.Members = open(990); s.Members[0].Open = 0 }), 2, 100},
		{"with one under way", known(func(s *Shared) { s.Members = open(990); s.Members[0].Open = 1 }), 1, 100},
		{"with all of them", known(func(s *Shared) { s.Members = open(990); s.Members[0].Open = 2 }), 0, 100},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.s.allowed(epoch0 + tt.ahead); got != tt.want {
				t.Errorf("%d, want %d (available %d, margin %d)", got, tt.want, tt.s.available(epoch0+tt.ahead), tt.s.margin(epoch0+tt.ahead))
			}
		})
	}
}

// While the end of a window is known to more than 50 ms only, up to three tokens
// are kept for requests that tell more.
func TestTokensAreKeptForTheEndOfAWindow(t *testing.T) {
	s := Shared{Mode: ModeKnown, Limit: 1000, Span: 10000, Sure: true, Aligned: 100, Lo: epoch0 + 9000, Hi: epoch0 + 10000}
	exact := s
	exact.Lo = s.Hi - 50
	small := s
	small.Limit = 99
	began := s
	began.Aligned = 0 // windows may begin with a request of ours
	for _, tt := range []struct {
		name            string
		s               Shared
		left, now, want int64
	}{
		{"before", s, 500, 0, 3},
		{"the last ones", s, 2, 0, 2},
		{"when one tells most", s, 3, 9500, 2},
		{"with more left", s, 4, 9500, 0},
		{"known exactly", exact, 500, 0, 0},
		{"a small limit", small, 50, 0, 0},
		{"not aligned", began, 500, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.s.doubt(tt.left, epoch0+tt.now); got != tt.want {
				t.Errorf("%d are kept, want %d", got, tt.want)
			}
		})
	}
}

// A hidden limit's cut grows by one a second and ends after a minute.
func TestTheCutOfAHiddenLimitGrows(t *testing.T) {
	s := Shared{Mode: ModeKnown, Cut: 4, CutAt: epoch0}
	slots := Shared{Mode: ModeSlots, Cut: 4, CutAt: epoch0}
	for _, tt := range []struct{ after, want, slots int64 }{
		{0, 4, 4}, {999, 4, 4}, {1000, 5, 4}, {59999, 63, 4}, {60000, 0, 0},
	} {
		if got, fixed := s.cut(epoch0+tt.after), slots.cut(epoch0+tt.after); got != tt.want || fixed != tt.slots {
			t.Errorf("%d ms later: %d and %d, want %d and %d", tt.after, got, fixed, tt.want, tt.slots)
		}
	}
}
