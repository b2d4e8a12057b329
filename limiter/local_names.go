package limiter

import "time"

// believable tells names that a clock can have given from stray ones. The
// upstream's clock may be wrong by any amount, but it stays wrong by the same: a
// name far from where the others of this upstream lie would be taken for a much
// newer window, and all true ones for old ones from then on.
type believable struct {
	known  bool
	offset time.Duration // of the upstream's clock to this replica's moments
	other  time.Duration // where the last names lay that were not believed
	others int           // in a row, close to each other
}

// newClock is how many answers in a row must agree before the upstream's clock
// is taken to have been set anew.
const newClock = 3

// judge reports whether a name is believed whose window ends at about end, give
// or take slack. moved says that from now on another clock is believed, and all
// names before were not of it.
func (b *believable) judge(name int64, end moment, slack time.Duration) (ok, moved bool) {
	offset := time.Duration(name)*time.Millisecond - end
	if !b.known {
		b.known, b.offset = true, offset
		return true, false
	}
	if (offset - b.offset).Abs() <= slack {
		b.others = 0
		b.offset += (offset - b.offset) / 8 // clocks drift
		return true, false
	}
	if b.others == 0 || (offset-b.other).Abs() > slack {
		b.others = 0
	}
	b.other = offset
	if b.others++; b.others < newClock {
		return false, false
	}
	b.offset, b.others = offset, 0
	return true, true
}

// believes reports whether the name of an answer is its upstream's.
func (l *Local) believes(m moment, t *Ticket, o Observation, name int64) bool {
	if !o.HasResetSeconds {
		return true // nothing to compare it with
	}
	middle := t.taken + (m-t.taken)/2
	slack := max(5*time.Second, l.spanOrDefault()/2) + (m - t.taken)
	ok, moved := l.names.judge(name, middle+time.Duration(o.ResetSeconds)*time.Second, slack)
	if moved {
		l.ledger.forget()
		l.seen, l.window, l.shut = nil, localWindow{}, 0
	}
	return ok
}
