package limiter

import "testing"

// Windows of a second whose names have whole seconds lie no further apart than
// a stray name of one long window may: what tells them apart is that the old
// one was over for certain when the request was sent.
func TestShortWindowsAreToldApart(t *testing.T) {
	ended := func() Shared {
		return Shared{Mode: ModeKnown, Named: unnamed, Name: 1000 * 60, Prev: 1000 * 60, Span: defaultSpan, Opened: epoch0, Used: 50}
	}
	for _, tt := range []struct {
		name  string
		after int64 // of the name before
		sent  int64 // since the epoch began
		sure  bool
		want  bool
	}{
		{"the next second", 1000, 3, false, true},
		{"sent as the window ended", 1000, -rollGuard, false, true},
		{"sent before", 1000, -rollGuard - 1, false, false},
		{"a stray name", minApart - 1, 3, false, false},
		{"windows are known to be long", 1000, 3, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := ended()
			s.Sure = tt.sure
			sent := epoch0 + tt.sent
			o := Seen{Name: s.Name + tt.after, Limit: 50, Used: 1, Sent: sent, First: sent, Last: sent + 50, Lo: sent, Hi: sent + 1050}
			s.proceed(&o, epoch0+100)
			if got := s.Named == confirmed && s.Name == o.Name; got != tt.want {
				t.Errorf("is the next window: %v, want %v", got, tt.want)
			}
			if tt.want && (!s.Sure || s.Span != 1000) {
				t.Errorf("windows last %d ms (sure: %v), want a second", s.Span, s.Sure)
			}
		})
	}
}

// A window that began with our own request has not begun without us, however
// long that request was on its way before it arrived.
func TestALateFirstRequestProvesNoAlignment(t *testing.T) {
	s := Shared{Mode: ModeKnown, Sure: true, Span: 60000, Aligned: 3, Lead: 60000, Longest: 62842}
	if s.clock() {
		t.Error("windows are taken to be aligned with the clock")
	}
	if s.Lead = 58000; !s.clock() {
		t.Error("a window that had begun two seconds before us proves nothing")
	}
}
