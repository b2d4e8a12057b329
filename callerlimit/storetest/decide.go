package storetest

import (
	"maps"
	"math"
	"slices"
	"time"

	"iqgateway/callerlimit"
)

// This file is the model of how a store decides. The script of redisstore does
// the same step by step; a test there compares both.

// State is what a store knows of one caller. Instants are microseconds of its
// clock.
type State struct {
	// At is when Level was right; 0 = there was no rate yet: the bucket is full.
	At int64
	// Level is the tokens that no replica holds.
	Level float64
	// Lost is until when there may be replicas that hold slots of which nothing is
	// known any more.
	Lost int64
	// Members are the replicas that are active.
	Members map[string]Member
}

// Member is what one replica holds at most, as far as the store knows.
type Member struct {
	Seen  int64
	Have  int
	Slots int
	Need  int
}

// Decide answers an Ask, and returns what the store knows after it; it knows
// nothing where s is nil.
func Decide(now int64, s *State, a callerlimit.Ask) (*State, callerlimit.Answer) {
	after := State{}
	switch {
	case s != nil:
		after = *s
	case a.Known:
		after.At, after.Lost = now, now+callerlimit.Silence.Microseconds()
	}
	others := living(now, after.Members)
	before, known := others[a.Replica]
	delete(others, a.Replica)
	n := max(a.Fleet, len(others)+1)
	d := decision{now: now, ask: a, fleet: n, absent: n - len(others) - 1, others: others}
	if !known {
		before.Have = min(a.Held, callerlimit.Divide(a.Burst, n).Rest)
	}
	me := Member{Seen: now, Need: a.Need}
	var answer callerlimit.Answer
	if a.Rate > 0 {
		after.Level, me.Have = d.tokens(&after, before, &answer)
		after.At = now
	}
	if a.Resting {
		answer.Slots, answer.Due = a.Slots, a.Slots
	} else {
		if a.Concurrency > 0 {
			me.Slots = d.slots(now < after.Lost, &answer)
		}
		others[a.Replica] = me
	}
	after.Members = others
	return &after, answer
}

// living returns the members that have not been silent for too long.
func living(now int64, members map[string]Member) map[string]Member {
	alive := maps.Clone(members)
	if alive == nil {
		alive = make(map[string]Member)
	}
	for name, m := range alive {
		m.Seen = min(m.Seen, now) // another server's clock may have been ahead
		alive[name] = m
		if now-m.Seen >= callerlimit.Silence.Microseconds() {
			delete(alive, name)
		}
	}
	return alive
}

// decision is one Ask among the other replicas. Those that are absent hold what
// a replica keeps at rest.
type decision struct {
	now           int64
	ask           callerlimit.Ask
	fleet, absent int
	others        map[string]Member
}

// tokens returns the level of the bucket and the tokens of the replica after
// the Ask.
//
// What the fleet holds and the level are together never more than the burst.
// The bucket fills up before it is known what was spent meanwhile: a token that
// was held had its place in the burst.
func (d decision) tokens(s *State, before Member, answer *callerlimit.Answer) (level float64, have int) {
	a, part := d.ask, callerlimit.Divide(d.ask.Burst, d.fleet)
	room := part.Whole - d.absent*part.Rest
	for _, m := range d.others {
		room -= m.Have
	}
	level = float64(room - before.Have)
	if s.At != 0 {
		level = min(level, s.Level+a.Rate*(float64(max(0, d.now-s.At))/1e6))
	}
	level = max(0, level-float64(a.Debt)) + float64(a.Back)
	level = max(0, min(level, float64(room-a.Have)))
	answer.Granted = min(a.Want, int(level))
	level -= float64(answer.Granted)
	if level < 1 {
		answer.Wait = time.Duration(math.Ceil((1-level)/a.Rate*1e6)) * time.Microsecond
	}
	return level, a.Have + answer.Granted
}

// slots returns those of the replica after the Ask. It gets no more than nobody
// holds; what is due to it may be more, or less.
func (d decision) slots(lost bool, answer *callerlimit.Answer) int {
	part := callerlimit.Divide(d.ask.Concurrency, d.fleet)
	all := part.Whole - d.absent*part.Rest
	free, needs := all, []int{d.ask.Need}
	for _, m := range d.others {
		free -= m.Slots
		needs = append(needs, m.Need)
	}
	answer.Due = max(part.Rest, fair(all, d.ask.Need, needs))
	if lost {
		free = min(free, part.Rest)
	}
	answer.Slots = max(d.ask.Slots, min(answer.Due, free))
	return answer.Slots
}

// fair returns what is due to one that needs so many of all, which are divided
// so that nobody gets more than another who needs more. What nobody needs goes
// to all alike.
func fair(all, need int, needs []int) int {
	slices.Sort(needs)
	for i, n := range needs {
		share := all / (len(needs) - i)
		if n > share {
			return min(need, share)
		}
		all -= n
	}
	return need + all/len(needs)
}
