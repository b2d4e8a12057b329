package bulkhead

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// standing is one line as a case tells it.
type standing struct {
	caller string
	class  class
	since  int64
	places int
}

// standings returns lines in which somebody waits, of callers that have slots.
func standings(taken map[string]int, all []standing) []*line {
	s := &slots{}
	for name, n := range taken {
		s.holder(name).taken = n
	}
	for _, each := range all {
		l := &s.holder(each.caller).lines[each.class]
		for range each.places {
			s.places++
			s.insert(&waiter{line: l, place: s.places})
		}
		l.since = each.since
	}
	return s.lines
}

func nameOf(lines []*line, l *line, all []standing) string {
	if l == nil {
		return "nobody"
	}
	at := all[slices.Index(lines, l)]
	return fmt.Sprintf("%s %d", at.caller, at.class)
}

func TestWhoseTurnItIs(t *testing.T) {
	const turns, limit = 100, 10 // who was served no later than at turn 80 comes first
	for name, tt := range map[string]struct {
		taken map[string]int
		lines []standing
		want  string
	}{
		"the fewest slots":             {map[string]int{"a": 3, "b": 1}, []standing{{"a", interactive, 81, 5}, {"b", background, 99, 1}}, "b 2"},
		"then the most urgent":         {map[string]int{"a": 2, "b": 2}, []standing{{"a", batch, 81, 1}, {"b", interactive, 99, 1}}, "b 0"},
		"of one caller, too":           {map[string]int{"a": 9}, []standing{{"a", background, 81, 3}, {"a", batch, 99, 1}}, "a 1"},
		"then the one longest ago":     {nil, []standing{{"a", batch, 90, 9}, {"b", batch, 89, 1}}, "b 1"},
		"then the first to come":       {nil, []standing{{"a", batch, 90, 1}, {"b", batch, 90, 1}}, "a 1"},
		"passed over for too long":     {map[string]int{"a": 9}, []standing{{"a", background, 80, 1}, {"b", interactive, 99, 1}}, "a 2"},
		"the longest of two such":      {map[string]int{"a": 9}, []standing{{"a", background, 79, 1}, {"b", interactive, 80, 1}}, "a 2"},
		"the first to come of two":     {map[string]int{"a": 9}, []standing{{"a", background, 80, 1}, {"b", interactive, 80, 1}}, "a 2"},
		"one that is alone":            {map[string]int{"a": 9}, []standing{{"a", background, 100, 1}}, "a 2"},
		"one who has been here before": {map[string]int{"a": 1}, []standing{{"a", interactive, 99, 1}, {"b", interactive, 100, 1}}, "b 0"},
	} {
		t.Run(name, func(t *testing.T) {
			lines := standings(tt.taken, tt.lines)
			if got := nameOf(lines, next(lines, turns, limit), tt.lines); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
			slices.Reverse(lines) // the order in which they are asked means nothing
			slices.Reverse(tt.lines)
			if got := nameOf(lines, next(lines, turns, limit), tt.lines); got != tt.want {
				t.Errorf("in another order %s, want %s", got, tt.want)
			}
		})
	}
}

func TestWhoGivesAPlace(t *testing.T) {
	for name, tt := range map[string]struct {
		taken    map[string]int
		lines    []standing
		newcomer standing
		want     string
	}{
		"who has them all":            {nil, []standing{{"a", interactive, 0, 4}}, standing{caller: "b"}, "a 0"},
		"its least urgent":            {nil, []standing{{"a", interactive, 0, 3}, {"a", batch, 0, 1}}, standing{caller: "b", class: background}, "a 1"},
		"nobody to itself":            {nil, []standing{{"a", batch, 0, 4}}, standing{caller: "a", class: batch}, "nobody"},
		"but for what is more urgent": {nil, []standing{{"a", batch, 0, 4}}, standing{caller: "a"}, "a 1"},
		"nobody for what is less":     {nil, []standing{{"a", batch, 0, 4}}, standing{caller: "a", class: background}, "nobody"},
		"nobody with one more":        {nil, []standing{{"a", batch, 0, 2}, {"b", batch, 0, 1}}, standing{caller: "b", class: batch}, "nobody"},
		"who has two more":            {nil, []standing{{"a", batch, 0, 3}, {"b", batch, 0, 1}}, standing{caller: "b", class: batch}, "a 1"},
		"who has most of three":       {nil, []standing{{"a", batch, 0, 2}, {"b", background, 0, 3}}, standing{caller: "c"}, "b 2"},
		"who has more slots":          {map[string]int{"b": 4}, []standing{{"a", background, 0, 2}, {"b", batch, 0, 2}}, standing{caller: "c"}, "b 1"},
		"nobody where all have one":   {nil, []standing{{"a", batch, 0, 1}, {"b", batch, 0, 1}}, standing{caller: "c"}, "nobody"},
		"others before its own":       {nil, []standing{{"a", batch, 0, 3}, {"b", background, 0, 1}}, standing{caller: "b"}, "a 1"},
		"its own where others are few": {
			nil, []standing{{"a", batch, 0, 2}, {"b", background, 0, 1}}, standing{caller: "b"}, "b 2",
		},
	} {
		t.Run(name, func(t *testing.T) {
			all := append(slices.Clone(tt.lines), tt.newcomer)
			lines := standings(tt.taken, all[:len(tt.lines)])
			newcomer := &line{caller: &holder{}, class: tt.newcomer.class}
			for i, l := range lines {
				if all[i].caller == tt.newcomer.caller {
					newcomer.caller = l.caller
				}
			}
			if got := nameOf(lines, displaced(lines, newcomer), all); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// Whoever comes, leaves and ends in whatever order: there are never more than
// the limit, no slot is free while somebody waits, no line is passed over for
// longer than it may be, and nobody is refused a place for the sake of one who
// has two more.
func TestTurnsProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &crowd{slots: &slots{limit: rapid.IntRange(1, 6).Draw(t, "limit")}, held: map[*holder]int{}}
		t.Repeat(map[string]func(*rapid.T){"": m.check, "ask": m.ask, "end": m.end, "leave": m.leave})
		for m.slots.taken > 0 {
			m.end(t)
		}
		if m.slots.waiting != 0 || len(m.slots.lines) != 0 || len(m.waiting) != 0 {
			t.Errorf("%d of %d lines wait for ever", m.slots.waiting, len(m.slots.lines))
		}
	})
}

// crowd is slots with all who use them.
type crowd struct {
	slots   *slots
	held    map[*holder]int
	waiting []*waiter
}

const crowdCallers = 4

func (m *crowd) ask(t *rapid.T) {
	caller := string(rune('a' + rapid.IntRange(0, crowdCallers-1).Draw(t, "caller")))
	if h := m.slots.take(caller); h != nil {
		m.held[h]++
		return
	}
	w := m.slots.queue(caller, class(rapid.IntRange(0, int(classes)-1).Draw(t, "class")), nil)
	if w != nil {
		m.waiting = append(m.waiting, w)
	} else {
		own := m.slots.callers[caller].waiting
		for name, h := range m.slots.callers {
			if h.waiting > own+1 {
				t.Errorf("%s, with %d places, is refused one; %s has %d", caller, own, name, h.waiting)
			}
		}
	}
	m.settle()
}

func (m *crowd) end(t *rapid.T) {
	if len(m.held) == 0 {
		t.Skip("nothing is under way")
	}
	holders := slices.SortedFunc(maps.Keys(m.held), func(a, b *holder) int { return m.held[a] - m.held[b] })
	h := holders[rapid.IntRange(0, len(holders)-1).Draw(t, "whose")]
	m.drop(h)
	m.slots.free(h)
	m.settle()
}

func (m *crowd) drop(h *holder) {
	if m.held[h]--; m.held[h] == 0 {
		delete(m.held, h)
	}
}

func (m *crowd) leave(t *rapid.T) {
	if len(m.waiting) == 0 {
		t.Skip("nobody waits")
	}
	m.slots.remove(m.waiting[rapid.IntRange(0, len(m.waiting)-1).Draw(t, "who")])
	m.settle()
}

// settle books who waits no longer.
func (m *crowd) settle() {
	m.waiting = slices.DeleteFunc(m.waiting, func(w *waiter) bool {
		if w.granted {
			m.held[w.line.caller]++
		}
		return !slices.Contains(w.line.waiters, w)
	})
}

func (m *crowd) check(t *rapid.T) {
	s, held := m.slots, 0
	for h, n := range m.held {
		if held += n; h.taken != n {
			t.Fatalf("a caller is believed to have %d slots, it has %d", h.taken, n)
		}
	}
	if s.taken != held || s.taken > s.limit || s.waiting != len(m.waiting) || s.waiting > s.limit || s.waiting > 0 && !s.full() {
		t.Fatalf("%d of %d slots are taken, want %d; %d wait, want %d", s.taken, s.limit, held, s.waiting, len(m.waiting))
	}
	for _, l := range s.lines {
		if passed := s.turns - l.since; passed > int64(max(2*s.limit, leastPatience)+crowdCallers*int(classes)) {
			t.Fatalf("passed over for %d turns", passed)
		}
	}
}
