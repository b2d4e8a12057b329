package limiter

import (
	"cmp"
	"slices"
	"time"
)

// sighting is a [Seen] in moments of this replica: what the answers that named
// one window said. To join two is commutative and associative, and to join one
// with itself changes nothing but the count of refusals.
type sighting struct {
	name, limit, used, excess int64
	sent, first, last         moment
	lo, hi                    moment // bounds of the window's end; 0 = none
	spent                     int64
}

// join returns what both know.
func (s sighting) join(t sighting) sighting {
	if t.sent > s.sent || t.sent == s.sent && t.limit < s.limit {
		s.sent, s.limit = t.sent, t.limit
	}
	s.name = min(s.name, t.name)
	s.used, s.excess = max(s.used, t.used), max(s.excess, t.excess)
	s.first, s.last = min(s.first, t.first), max(s.last, t.last)
	s.lo, s.hi = max(s.lo, t.lo), firstOf(s.hi, t.hi)
	s.spent += t.spent
	return s
}

// firstOf returns the smaller of two moments that may be unknown.
func firstOf(a, b moment) moment {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// sightings are those of the newest two windows, oldest first.
type sightings []sighting

// add joins one. It reports whether its window is newer than all before.
func (l *sightings) add(s sighting, tolerance int64) (newer bool) {
	list := *l
	if i := list.index(s.name, tolerance); i >= 0 {
		list[i] = list[i].join(s)
		return false
	}
	newer = len(list) == 0 || s.name > list[len(list)-1].name
	list = append(list, s)
	slices.SortFunc(list, func(a, b sighting) int { return cmp.Compare(a.name, b.name) })
	if len(list) > 2 {
		list = slices.Delete(list, 0, len(list)-2)
	}
	if len(list) == 2 { // an answer out of a window proves that the one before is over
		list[0].hi = firstOf(list[0].hi, list[1].last)
	}
	*l = list
	return newer
}

func (l sightings) index(name, tolerance int64) int {
	return slices.IndexFunc(l, func(s sighting) bool { return abs(s.name-name) <= tolerance })
}

// tell writes them in the store's clock, as far as that is known: lower bounds
// early and upper bounds late.
func (l sightings) tell(c *storeClock) []Seen {
	if len(l) == 0 {
		return nil
	}
	told := make([]Seen, len(l))
	for i, s := range l {
		told[i] = Seen{
			Name: s.name, Limit: s.limit, Used: s.used, Excess: s.excess, Spent: s.spent,
			Sent: c.early(s.sent), First: c.early(s.first), Last: c.late(s.last),
			Lo: c.early(s.lo), Hi: c.late(s.hi),
		}
	}
	return told
}

// see makes a sighting of one answer. own is how much of the window is this
// replica's own at most, span the window's length, 0 = unknown.
func see(o Observation, name, own int64, sent, received moment, span time.Duration) sighting {
	s := sighting{
		name: name, limit: o.Limit, used: o.Used(), excess: max(0, o.Used()-own),
		sent: sent, first: sent, last: received, lo: sent,
	}
	if span > 0 {
		s.hi = received + span
	}
	if o.HasResetSeconds {
		left := time.Duration(o.ResetSeconds) * time.Second
		s.lo = max(s.lo, sent+left-time.Second)
		s.hi = firstOf(s.hi, received+left+time.Second)
	}
	if o.Refused() && o.Remaining == 0 {
		s.spent = 1
	}
	return s
}
