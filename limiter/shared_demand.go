package limiter

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// spread is how many standard deviations of demand a forecast covers: 99 %.
const spread = 2.33

// maxUsers bounds how many callers a record names.
const maxUsers = 64

// Demand is how much a caller asks for, per window.
type Demand struct {
	Caller  string           `json:"c"`
	Rate    [Classes]float64 `json:"r"` // arrivals, a moving average
	Dev     [Classes]float64 `json:"v"` // how far windows were from it
	Windows int64            `json:"w"` // how many it has been watched
	// Before is the arrivals up to the last forecast, where no epoch ends and
	// begins their count again.
	Before [Classes]int64 `json:"b"`
}

// party is a caller with all that a decision about it needs.
type party struct {
	caller    string
	weight    int64
	guarantee int64
	cap       int64 // -1 = none
	used      int64
	usedBatch int64 // of it, not interactive
	waiting   [Classes]int64
	arrived   [Classes]int64
	demand    Demand
	need      int64 // of its guarantee, what it is expected to use yet
	needBatch int64
}

// rest is what its cap leaves it.
func (p *party) rest() int64 {
	if p.cap < 0 {
		return math.MaxInt32
	}
	return max(0, p.cap-p.used)
}

// parties gathers the callers of the bucket, sorted by name.
func (s *Shared) parties(now int64) []party {
	limit := s.usable()
	all := make([]party, 0, len(s.Shares)+len(s.Demand))
	index := map[string]int{}
	of := func(caller string) *party {
		i, ok := index[caller]
		if !ok {
			i = len(all)
			index[caller] = i
			all = append(all, party{caller: caller, weight: 1, cap: -1})
		}
		return &all[i]
	}
	for _, share := range s.Shares {
		p := of(share.Caller)
		p.weight = max(1, share.Weight)
		if !share.Guarantee.None() {
			p.guarantee = max(1, share.Guarantee.Of(limit))
		}
		if !share.Cap.None() {
			p.cap = max(1, share.Cap.Of(limit))
		}
	}
	for _, d := range s.Demand {
		of(d.Caller).demand = d
	}
	for i := range s.Members {
		m := &s.Members[i]
		if s.Mode == ModeSlots && m.Expires < now {
			continue
		}
		for _, u := range m.Uses {
			p := of(u.Caller)
			p.used += u.Spent
			if u.Class != Interactive {
				p.usedBatch += u.Spent
			}
			p.arrived[u.Class] += u.Arrived
			if m.Expires >= now {
				p.waiting[u.Class] += u.Waiting
			}
		}
	}
	if s.Mode == ModeSlots {
		for i := range all {
			all[i].sinceBefore()
		}
	}
	slices.SortFunc(all, func(a, b party) int { return strings.Compare(a.caller, b.caller) })
	return all
}

// sinceBefore counts arrivals from the last forecast on. A replica that has
// left takes its count with it.
func (p *party) sinceBefore() {
	for c := range p.arrived {
		p.demand.Before[c] = min(p.demand.Before[c], p.arrived[c])
		p.arrived[c] -= p.demand.Before[c]
	}
}

// forecast learns from an epoch that ends how much each caller asks for.
func (s *Shared) forecast(now int64) {
	span := max(1, s.Span)
	windows := min(20, max(1, (now-s.Opened+span/2)/span)) // several, if nobody came
	var next []Demand
	for _, p := range s.parties(now) {
		d := p.demand
		d.Caller = p.caller
		total := 0.0
		for c := range d.Rate {
			seen := float64(p.arrived[c]) / float64(windows)
			if s.Mode == ModeSlots {
				d.Before[c] += p.arrived[c]
			}
			if d.Windows == 0 {
				d.Rate[c] = seen
			} else {
				off := math.Abs(seen - d.Rate[c])
				d.Dev[c] = float64(0.7*d.Dev[c]) + float64(0.3*off)
				d.Rate[c] = float64(0.7*d.Rate[c]) + float64(0.3*seen)
			}
			total += d.Rate[c] + d.Dev[c]
		}
		d.Windows++
		if total >= 0.01 || p.guarantee > 0 {
			next = append(next, d)
		}
	}
	s.Demand = next
	if len(next) > maxUsers { // the busiest; others are forecast by what they do now
		slices.SortFunc(next, func(a, b Demand) int {
			return cmp.Or(cmp.Compare(b.Rate[0]+b.Rate[1]+b.Rate[2], a.Rate[0]+a.Rate[1]+a.Rate[2]), strings.Compare(a.Caller, b.Caller))
		})
		next = next[:maxUsers]
		slices.SortFunc(next, func(a, b Demand) int { return strings.Compare(a.Caller, b.Caller) })
		s.Demand = next
	}
}

// horizon is how much of the window is left and how much is over if it ends at
// end, in milliseconds.
func (s *Shared) horizon(end, now int64) (left, past float64) {
	if end == 0 || s.Mode != ModeKnown {
		end = s.Opened + s.Span
	}
	l := min(max(0, end-now), s.Span)
	return float64(l), float64(s.Span - l)
}

// expect returns how many tokens the arrivals of one kind will ask for in the
// time that is left: rate and deviation per window.
func (s *Shared) expect(rate, dev, arrived, left, past float64) float64 {
	if span := float64(s.Span); past >= span/20 {
		rate = max(rate, (rate+float64(arrived/past*span))/2)
	}
	part := left / float64(s.Span)
	x, d := rate*part, dev*part
	return x + float64(spread*math.Sqrt(x+float64(d*d)))
}

// needs fills in what each caller is expected to use yet of its guarantee, and
// returns the forecast of all interactive demand.
func (s *Shared) needs(all []party, now int64) (interactive int64) {
	if s.Mode == ModeSlots {
		needsSlots(all)
		return 0
	}
	if s.Mode == ModeCold { // what little may be sent is a probe for all: it waits for nobody
		return 0
	}
	left, past := s.horizon(s.Hi, now)
	// What nobody was promised is lent before the first instant at which the
	// window can end: it would be lost.
	sure, _ := s.horizon(s.Lo, now)
	rate, dev, arrived, waiting := 0.0, 0.0, 0.0, int64(0)
	for i := range all {
		p := &all[i]
		d := &p.demand
		if p.cap < 0 {
			rate += d.Rate[Interactive]
			dev += float64(d.Dev[Interactive] * d.Dev[Interactive])
			arrived += float64(p.arrived[Interactive])
			waiting += p.waiting[Interactive]
		} else { // nothing is kept for what its cap forbids
			own := s.expect(d.Rate[Interactive], d.Dev[Interactive], float64(p.arrived[Interactive]), sure, past)
			waiting += min(p.rest(), p.waiting[Interactive]+nearest(own))
		}
		if p.guarantee == 0 {
			continue
		}
		later := 0.0
		for c := Batch; c < Classes; c++ {
			later += float64(p.waiting[c]) + s.expect(d.Rate[c], d.Dev[c], float64(p.arrived[c]), left, past)
		}
		total := later + float64(p.waiting[Interactive]) +
			s.expect(d.Rate[Interactive], d.Dev[Interactive], float64(p.arrived[Interactive]), left, past)
		if d.Windows < 2 { // not known yet: its whole part of what is left of the window
			total = max(total, float64(p.guarantee)*left/float64(s.Span))
		}
		rest := max(0, p.guarantee-p.used)
		p.need = min(rest, nearest(total))
		p.needBatch = min(rest, nearest(later))
	}
	return waiting + nearest(s.expect(rate, math.Sqrt(dev), arrived, sure, past))
}

// needsSlots keeps the guaranteed slots of callers that came lately.
func needsSlots(all []party) {
	for i := range all {
		p := &all[i]
		busy := p.used
		for c := range p.waiting {
			busy += p.waiting[c] + p.arrived[c] + int64(p.demand.Rate[c]+0.5)
		}
		if busy > 0 {
			p.need = max(0, p.guarantee-p.used)
		}
	}
}

// nearest returns the tokens to keep for a forecast. Less than half of one is
// lent, else each rare caller would waste one in every window.
func nearest(x float64) int64 { return int64(x + 0.5) }

// top returns the callers that have used most, largest first.
func top(parties []party, most int) []Usage {
	var all []Usage
	for i := range parties {
		if p := &parties[i]; p.used > 0 {
			all = append(all, Usage{p.caller, p.used})
		}
	}
	slices.SortFunc(all, func(a, b Usage) int {
		return cmp.Or(cmp.Compare(b.Spent, a.Spent), strings.Compare(a.Caller, b.Caller))
	})
	return all[:min(len(all), most)]
}
