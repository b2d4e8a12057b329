package bulkhead

import "cmp"

// This file decides who gets a slot, and who a place in the queue, where there
// are too few.

// class is how urgent a request is; smaller ones are more so.
type class uint8

const (
	interactive class = iota
	batch
	background
	classes
)

// classOf returns the class of a name; what is unknown is background, which
// harms nobody.
func classOf(name string) class {
	switch name {
	case "interactive":
		return interactive
	case "batch":
		return batch
	default:
		return background
	}
}

// leastPatience is how many turns a line is passed over at least before it
// comes first, where there are but a few slots.
const leastPatience = 16

// next returns the line whose first gets the slot that is free, the turns-th of
// those that were waited for.
//
// It goes to the caller with the fewest slots, so that who asks for many at once
// keeps nobody from a few; then to the most urgent class, then to the line that
// was served longest ago. A line that was passed over for twice as many turns as
// there are slots comes first whatever it is: so none waits for ever, be its
// caller's other requests as slow as they may.
func next(lines []*line, turns int64, limit int) *line {
	overdue := turns - int64(max(2*limit, leastPatience))
	var first *line
	for _, l := range lines {
		if first == nil || l.before(first, overdue) {
			first = l
		}
	}
	return first
}

// before reports whether l's turn comes before o's. Both are overdue if they
// were served no later than at that turn.
func (l *line) before(o *line, overdue int64) bool {
	longest := cmp.Or(cmp.Compare(l.since, o.since), cmp.Compare(l.waiters[0].place, o.waiters[0].place))
	if min(l.since, o.since) <= overdue {
		return longest < 0
	}
	return cmp.Or(cmp.Compare(l.caller.taken, o.caller.taken), cmp.Compare(l.class, o.class), longest) < 0
}

// displaced returns the line whose last gives its place in a full queue to a
// request that would stand in newcomer, nil if that one is refused: the least
// urgent line of the caller that has the most places, if that are at least two
// more than the newcomer's has; else a less urgent one of its own.
func displaced(lines []*line, newcomer *line) *line {
	var from *line
	for _, l := range lines {
		if l.caller == newcomer.caller && l.class <= newcomer.class ||
			l.caller != newcomer.caller && l.caller.waiting < newcomer.caller.waiting+2 {
			continue
		}
		if from == nil || cmp.Or(
			cmp.Compare(l.caller.waiting, from.caller.waiting),
			cmp.Compare(l.caller.taken, from.caller.taken),
			cmp.Compare(l.class, from.class)) > 0 {
			from = l
		}
	}
	return from
}
