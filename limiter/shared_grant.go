package limiter

import (
	"slices"
	"strings"
)

// round is one division of what is left, among all callers of the bucket.
type round struct {
	s           *Shared
	m           *Member // that asks
	now         int64
	all         []party
	left        int64 // of the bucket
	kept        int64 // of it, not for the asking
	most        int64 // of it, for this ask
	interactive int64 // forecast of all interactive demand
}

func (s *Shared) round(m *Member, now int64) *round {
	r := &round{s: s, m: m, now: now, all: s.parties(now), left: s.allowed(now)}
	r.interactive = s.needs(r.all, now)
	r.kept = s.doubt(r.left, now)
	return r
}

// grant gives tokens for the requests of an ask that wait, and some ahead.
func (r *round) grant(ask *Ask) {
	s, m := r.s, r.m
	m.Grants, m.Pool, m.Epoch = make([]int64, len(m.Uses)), 0, s.Epoch
	if ask.Leaving || s.blocked(r.now) > 0 {
		return
	}
	r.most = r.left
	n := max(s.replicas(r.now), ask.Alone)
	switch {
	case s.Recover > r.now && s.Mode == ModeKnown:
		// As if it were alone: so much under way that others which still are may
		// have the same.
		r.most = min(r.left, max(r.left/(2*n)-m.Open, 1-min(1, m.Open)))
	case n > 1 || s.Recover > r.now:
		// Part of the rest each, so that the others find something too.
		r.most = min(r.left, max(1, r.left/(2*n)))
	}
	r.guaranteed()
	for c := range Class(Classes) {
		r.fair(c)
	}
	r.ahead(ask.Ahead - s.held(ask))
	total := m.Pool
	for i, n := range m.Grants {
		m.Uses[i].Spent += n
		m.Uses[i].Waiting -= n
		total += n
	}
	if total == 0 {
		return
	}
	doubtful := s.Mode == ModeKnown && r.now < s.Hi && r.now >= s.probeAt()
	s.charge(m, m.Granted+total)
	m.Open += total
	if s.Lost {
		s.Given, s.Probe = s.Given+total, r.now+probeFor
	}
	switch {
	case s.Mode == ModeCold:
		s.Probe = r.now + probeFor
	case doubtful:
		s.Probe = r.now + s.RTT + 10
	}
}

// find returns where a caller stands, and false if nothing is known of it.
func (r *round) find(caller string) (int, bool) {
	return slices.BinarySearchFunc(r.all, caller, func(p party, c string) int { return strings.Compare(p.caller, c) })
}

// party returns the caller of a use of the replica that asks.
func (r *round) party(u *Use) *party {
	i, _ := r.find(u.Caller)
	return &r.all[i]
}

// take gives n tokens to a use.
func (r *round) take(i int, n int64) {
	u := &r.m.Uses[i]
	p := r.party(u)
	r.m.Grants[i] += n
	r.left -= n
	r.most -= n
	p.used += n
	p.waiting[u.Class] -= n
	if u.Class != Interactive {
		p.usedBatch += n
		p.needBatch = max(0, p.needBatch-n)
	} else {
		r.interactive = max(0, r.interactive-n)
	}
	p.need = max(0, p.need-n)
}

// protected is what the guarantees of all but one caller are expected to need.
func (r *round) protected(but *party) (all, batch int64) {
	for i := range r.all {
		if p := &r.all[i]; p != but {
			all += p.need
			batch += p.needBatch
		}
	}
	return all, batch
}

// guaranteed gives callers what their guarantees promise. Where not even that
// is there, because others have used it, each gets its part.
func (r *round) guaranteed() {
	for c := range Class(Classes) {
		for i := range r.m.Uses {
			u := &r.m.Uses[i]
			p := r.party(u)
			due := p.guarantee - p.used
			if u.Class != c || due <= 0 || r.most <= 0 {
				continue
			}
			others, _ := r.protected(p)
			can := r.left - others
			if sum := others + p.need; sum > 0 {
				can = max(can, (r.left*p.need+sum-1)/sum)
			}
			r.take(i, max(0, min(u.Waiting-r.m.Grants[i], due, p.rest(), can, r.most)))
		}
	}
}

// fair divides what a class may take by weight.
func (r *round) fair(c Class) {
	base := max(0, r.left-r.kept-r.leave(c, nil))
	all, _ := r.protected(nil) // nobody's patience breaks a guarantee
	can := min(base+r.urgent(c), max(base, r.left-all))
	if can <= 0 {
		return
	}
	// How much each caller could have if all replicas asked at once,
	takers := make([]taker, len(r.all))
	for i := range r.all {
		p := &r.all[i]
		takers[i] = taker{used: p.used, weight: p.weight, want: min(p.waiting[c], p.rest())}
	}
	fill(can, takers)
	// and who of those that ask now gets it.
	var mine []taker
	var uses []int
	for i := range r.m.Uses {
		if u := &r.m.Uses[i]; u.Class == c {
			at, _ := r.find(u.Caller)
			uses = append(uses, i)
			mine = append(mine, taker{
				used: r.all[at].used, weight: r.all[at].weight,
				want: max(0, min(u.Waiting-r.m.Grants[i], takers[at].got)),
			})
		}
	}
	fill(min(can, r.most), mine)
	total := int64(0)
	for k, t := range mine {
		if t.got > 0 {
			r.take(uses[k], t.got)
			total += t.got
		}
	}
	r.s.Aged += max(0, total-base)
}

// leave is what a class must leave to others: the guarantees, batch what is
// expected of interactive callers, interactive callers a tenth of the limit for
// batch that waits.
func (r *round) leave(c Class, but *party) int64 {
	all, batch := r.protected(but)
	if r.s.Mode == ModeSlots {
		return all
	}
	usedBatch, waitingBatch := int64(0), int64(0)
	for i := range r.all {
		usedBatch += r.all[i].usedBatch
		waitingBatch += min(r.all[i].waiting[Batch], r.all[i].rest())
	}
	floor := max(0, r.s.usable()/10-usedBatch)
	switch c {
	case Interactive:
		return all + max(0, min(floor, waitingBatch)-batch)
	case Batch:
		return max(0, min(max(all, r.interactive+batch), r.left-floor))
	default:
		return max(all, r.interactive+batch) + waitingBatch
	}
}

// urgent is how much of what is kept for interactive callers may go to requests
// of a class that have waited for half of their time: 5 % of the limit in a
// window.
func (r *round) urgent(c Class) int64 {
	n := int64(0)
	for i := range r.m.Uses {
		if u := &r.m.Uses[i]; u.Class == c && c != Interactive {
			n += u.Urgent
		}
	}
	return max(0, min(n, r.s.usable()/20-r.s.Aged))
}

// held is how many tokens the replica holds ahead already.
func (s *Shared) held(ask *Ask) int64 {
	if !s.same(ask) {
		return 0
	}
	return ask.Keep
}

// ahead grants tokens for what is expected before the next ask, while there is
// plenty and nobody waits.
func (r *round) ahead(want int64) {
	for i := range r.all {
		for c := range r.all[i].waiting {
			if r.all[i].waiting[c] > 0 {
				return
			}
		}
	}
	s := r.s
	if s.Mode == ModeSlots || s.Mode == ModeCold || s.Recover > r.now {
		return
	}
	spare := r.left - r.kept - r.leave(Batch, nil)
	if want > 0 && spare >= 4*s.replicas(r.now)*max(1, want) {
		r.m.Pool = min(want, r.most)
		r.left -= r.m.Pool
	}
}
