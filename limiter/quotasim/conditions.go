package quotasim

import "time"

// conditions are under which circumstances a run takes place: each invariant
// holds under some of them only.
type conditions struct {
	outside   bool // others use the quota
	misled    bool // the upstream refuses or forgets, against what it said
	storeAway bool // some replica goes without the store at some time
	storeLost bool // the store loses writes
	faults    bool // replicas crash, freeze, come and go
	losses    bool // requests or answers are lost
	saturated bool // more is wanted than there is, at any time
	fine      bool // the window is long and large enough for the target of use
}

func (s Scenario) conditions() conditions {
	u, n, p := s.Upstream, s.Network, s.Store
	c := conditions{
		outside:   s.External.any(),
		misled:    u.Hidden > 0 || u.ChangeAt > 0,
		storeAway: p.LostAsk > 0 || p.LostReply > 0 || p.slowest() > p.Timeout,
		faults:    len(s.Fleet.Events) > 0,
		losses:    n.Lost > 0 || n.Unsent > 0 || n.Patience > 0 || u.Silent > 0 || u.Free > 0,
		saturated: s.load() >= 1.25,
		fine:      u.Limit >= 100 && u.Window >= 10*time.Second && u.ChangeAt == 0,
	}
	for _, e := range p.Events {
		switch e.Kind {
		case Outage, Partition:
			c.storeAway = true
		default:
			c.storeLost = true
		}
	}
	return c
}

// slowest is about the slowest trip.
func (p StorePlan) slowest() time.Duration {
	if p.Slow > 0 {
		return 200 * time.Millisecond
	}
	return 4 * p.RTT
}

// load is how much is wanted for what there is, at the least: 1 is just enough.
// Where callers are capped it is not known.
func (s Scenario) load() float64 {
	var rate float64
	for _, d := range s.Demand {
		least := 1.0
		for _, f := range d.Swing {
			least = min(least, f)
		}
		rate += d.Rate * least
	}
	for _, share := range s.Settings.Shares {
		if !share.Cap.None() {
			return 0 // some of it may not be had
		}
	}
	limit := s.Upstream.Limit
	if s.Settings.Max > 0 {
		limit = min(limit, s.Settings.Max)
	}
	return rate * s.Upstream.Window.Seconds() / float64(limit)
}
