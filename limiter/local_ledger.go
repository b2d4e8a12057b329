package limiter

// ledger is what a replica must know of its own requests so that the fleet can
// tell in which window the upstream counts each of them: in one that is over,
// so that it needs no place in a later one, or perhaps in a later one.
//
// A generation is an epoch as this replica sees it; tickets are stamped with
// it. In a Concurrency bucket a request is over when its slot is given back.
type ledger struct {
	generation int64
	epoch      int64 // the fleet's number; 0 = the fleet does not know this one
	name       int64 // of the window; 0 = no answer has named it
	previous   int64 // the last name before

	sent, done int64 // of this generation, as in [Ask]
	open       int64 // of sent, those without an outcome
	// doubtful is how many ended so that nobody can say when the upstream
	// counted them, if ever: one more window has room for them.
	doubtful int64
	// ahead are those whose answer named a window that is not known to be this
	// one or an older one.
	ahead []nameCount

	older struct {
		open     int64
		doubtful int64
		ahead    []nameCount
		// landed are known or assumed to be counted in this window.
		landed int64
	}
}

// nameCount is how many answers named a window.
type nameCount struct{ name, n int64 }

// carry is how many requests of older generations may be counted in this window.
func (b *ledger) carry() int64 {
	n := b.older.open + b.older.doubtful + b.older.landed
	for _, a := range b.older.ahead {
		n += a.n
	}
	return n
}

// most is how many requests of this replica may be counted in a window that is
// newer than this generation's, those of this generation included.
func (b *ledger) most() int64 { return b.sent - b.done + b.carry() }

// take books a token and returns the stamp of its ticket.
func (b *ledger) take() (stamp int64) {
	b.sent++
	b.open++
	return b.generation
}

// unsent takes a request back that never left. It reports whether its token is
// of this generation.
func (b *ledger) unsent(stamp int64) bool {
	if stamp != b.generation {
		b.older.open--
		return false
	}
	b.sent--
	b.open--
	return true
}

// over books a request that takes part in nothing any more.
func (b *ledger) over(stamp int64) {
	if stamp != b.generation {
		b.older.open--
		return
	}
	b.open--
	b.done++
}

// lost books a request of which nobody can say whether the upstream has
// counted it, or still will.
func (b *ledger) lost(stamp int64) {
	if stamp != b.generation {
		b.older.open--
		b.older.doubtful++
		return
	}
	b.open--
	b.doubtful++
}

// unnamed books an answer that named no window. inside says that it came before
// this generation's window can have ended.
func (b *ledger) unnamed(stamp int64, inside bool) {
	switch {
	case !inside:
		b.lost(stamp)
	case stamp != b.generation:
		b.older.open--
		b.older.landed++
	default:
		b.over(stamp)
	}
}

// named books an answer that named a window.
func (b *ledger) named(stamp, name, tolerance int64) {
	old := stamp != b.generation
	passed := name <= b.previous+tolerance
	if b.name != 0 {
		passed = name <= b.name+tolerance && (!old || name < b.name-tolerance)
	}
	switch {
	case passed:
		b.over(stamp)
	case old && b.name != 0 && name <= b.name+tolerance:
		b.older.open--
		b.older.landed++
	case old:
		b.older.open--
		b.older.ahead = countName(b.older.ahead, name, 1, tolerance)
	default:
		b.open--
		b.ahead = countName(b.ahead, name, 1, tolerance)
	}
}

// countName adds to the entry of a name.
func countName(list []nameCount, name, n, tolerance int64) []nameCount {
	for i := range list {
		if abs(list[i].name-name) <= tolerance {
			list[i].n += n
			return list
		}
	}
	return append(list, nameCount{name, n})
}

// call gives this generation's window its name and sorts the answers that had
// come before it was known.
func (b *ledger) call(name, tolerance int64) {
	if name == 0 {
		return
	}
	b.name = name
	rest := b.ahead[:0]
	for _, a := range b.ahead {
		if a.name <= name+tolerance {
			b.done += a.n
		} else {
			rest = append(rest, a)
		}
	}
	b.ahead = rest
	b.sortOlder(tolerance)
}

// sortOlder does the same for requests of older generations: an older window's
// are over, this one's have landed.
func (b *ledger) sortOlder(tolerance int64) {
	rest := b.older.ahead[:0]
	for _, a := range b.older.ahead {
		switch {
		case b.name != 0 && abs(a.name-b.name) <= tolerance:
			b.older.landed += a.n
		case a.name <= max(b.name, b.previous+tolerance):
		default:
			rest = append(rest, a)
		}
	}
	b.older.ahead = rest
}

// settle forgets of older generations all that has been answered.
func (b *ledger) settle() {
	b.older.doubtful, b.older.landed, b.older.ahead = 0, 0, nil
}

// forget drops all names: they were not the upstream's. What was sorted by them
// may be counted in this window or in one more.
func (b *ledger) forget() {
	for _, a := range b.ahead {
		b.doubtful += a.n
	}
	for _, a := range b.older.ahead {
		b.older.doubtful += a.n
	}
	b.name, b.previous, b.ahead, b.older.ahead = 0, 0, nil, nil
}

// roll begins a new generation.
func (b *ledger) roll(epoch, name, tolerance int64) {
	o := &b.older
	o.open += b.open
	o.landed = b.doubtful + o.doubtful
	o.doubtful = 0
	for _, a := range b.ahead {
		o.ahead = countName(o.ahead, a.name, a.n, tolerance)
	}
	if b.name != 0 {
		b.previous = b.name
	}
	b.generation++
	b.epoch, b.name = epoch, name
	b.sent, b.done, b.open, b.doubtful, b.ahead = 0, 0, 0, 0, b.ahead[:0]
	b.sortOlder(tolerance)
}
