package quotasim

import (
	"fmt"
	"time"

	"iqgateway/limiter"
)

// Draw returns the random scenario of a seed. About half of them are calm in
// each respect, so that every combination of faults occurs and the invariants
// that hold in a calm world only are checked as well.
func Draw(seed uint64) Scenario {
	rnd := newSource(seed, drawScenario)
	s := Scenario{Seed: seed, Windows: 4 + rnd.IntN(5)}
	s.Upstream = drawUpstreamPlan(rnd)
	s.Network = drawNetworkPlan(rnd, s.Upstream.Window)
	s.Fleet = drawFleet(rnd, s.Length())
	s.Store = drawStorePlan(rnd, s.Length(), s.Fleet.Replicas)
	s.Demand = drawDemands(rnd, s.Upstream)
	s.External = drawOutside(rnd, s.Upstream)
	s.Settings = drawSettings(rnd, s)
	if rnd.chance(0.15) {
		return s.calm()
	}
	if rnd.chance(0.1) {
		at := rnd.between(s.Length()/4, s.Length()*3/4)
		s.Upstream.ChangeAt, s.Upstream.ChangeTo = at, max(1, int64(float64(s.Upstream.Limit)*(0.3+1.4*rnd.Float64())))
	}
	return s
}

// calm is the scenario without faults and others, and with a load that uses
// every window.
func (s Scenario) calm() Scenario {
	u := &s.Upstream
	u.Silent, u.Free, u.Hidden = 0, 0, 0
	s.Network.Unsent, s.Network.Lost, s.Network.Patience = 0, 0, 0
	s.Store.Slow, s.Store.LostAsk, s.Store.LostReply, s.Store.Events = 0, 0, 0, nil
	s.Fleet.Events, s.External = nil, External{}
	if load := s.load(); load > 0 && load < 1.3 {
		more := 1.3 / load
		for i := range s.Demand {
			s.Demand[i].Rate *= more
		}
	}
	return s
}

func drawUpstreamPlan(rnd source) Upstream {
	u := Upstream{
		Limit:    int64(rnd.logBetween(5, 1000)),
		Window:   time.Duration(pick(rnd, 1, 2, 5, 10, 10, 15, 30, 60)) * time.Second,
		Anchored: rnd.chance(0.3),
		Rounding: Rounding(rnd.IntN(3)),
		ISO:      rnd.chance(0.3),
		Clock: clock{
			Offset: rnd.between(-10*time.Minute, 10*time.Minute),
			Drift:  (2*rnd.Float64() - 1) * 1e-4,
		},
		Count429: rnd.chance(0.5),
	}
	u.Phase = rnd.between(0, u.Window)
	if u.Window < 10*time.Second {
		u.ISO = true // full seconds would not tell short windows apart
	} else if rnd.chance(0.3) {
		u.Jitter = time.Second / 2
	}
	if rnd.chance(0.3) {
		u.Silent = 0.05
	}
	if rnd.chance(0.15) {
		u.Free = 0.1
	}
	if rnd.chance(0.1) {
		u.Hidden = 0.01
	}
	return u
}

func drawNetworkPlan(rnd source, window time.Duration) Network {
	n := Network{RTT: rnd.between(20*time.Millisecond, 300*time.Millisecond), Sigma: 0.2 + 0.4*rnd.Float64()}
	if rnd.chance(0.5) {
		n.Tail, n.TailMin, n.TailMax = 0.01+0.04*rnd.Float64(), time.Second, 6*time.Second
		// A request that is under way for longer than a window and a half could be
		// of any: nothing can be promised then.
		n.TailMax = max(n.TailMin, min(n.TailMax, window))
	}
	if rnd.chance(0.3) {
		n.Lost = 0.01
	}
	if rnd.chance(0.3) {
		n.Unsent = 0.02
	}
	if rnd.chance(0.2) {
		n.Patience = rnd.between(time.Second, 5*time.Second)
	}
	return n
}

func drawFleet(rnd source, length time.Duration) Fleet {
	f := Fleet{Replicas: pick(rnd, 1, 2, 2, 3, 4, 4, 8, 16)}
	skewed := rnd.chance(0.4)
	for i := range f.Replicas {
		f.Clocks = append(f.Clocks, clock{
			Offset: rnd.between(-time.Hour, time.Hour),
			Drift:  (2*rnd.Float64() - 1) * 5e-5,
		})
		if skewed {
			f.Weights = append(f.Weights, 1/float64(i+1))
		}
	}
	if rnd.chance(0.6) {
		return f
	}
	for range 1 + rnd.IntN(3) {
		f.Events = append(f.Events, FleetEvent{
			Kind: FleetEventKind(rnd.IntN(4)), At: rnd.between(0, length), Replica: rnd.IntN(f.Replicas),
			For: rnd.between(time.Second, 6*time.Second),
		})
	}
	return f
}

func drawStorePlan(rnd source, length time.Duration, replicas int) StorePlan {
	p := StorePlan{
		RTT: rnd.between(300*time.Microsecond, 5*time.Millisecond), Timeout: 50 * time.Millisecond,
		Clock: clock{Offset: rnd.between(-time.Hour, time.Hour), Drift: (2*rnd.Float64() - 1) * 5e-5},
	}
	if rnd.chance(0.2) {
		p.Slow, p.LostAsk, p.LostReply = 0.02, 0.005, 0.005
	}
	if rnd.chance(0.3) {
		p.Repeat = 0.02
	}
	if rnd.chance(0.65) {
		return p
	}
	e := StoreEvent{
		Kind: StoreEventKind(rnd.IntN(4)), At: rnd.between(4*time.Second, max(5*time.Second, length)),
		For: rnd.between(time.Second, length/2+2*time.Second), Replica: rnd.IntN(replicas),
	}
	if e.Kind == Failover {
		e.Lost = rnd.between(10*time.Millisecond, 3*time.Second)
		if rnd.chance(0.5) {
			e.Jump = rnd.between(-5*time.Second, 5*time.Second)
		}
	}
	p.Events = append(p.Events, e)
	return p
}

// drawDemands shares a load of 0.5 to 3 unevenly among some callers.
func drawDemands(rnd source, u Upstream) []Demand {
	rate := rnd.logBetween(0.5, 3) * float64(u.Limit) / u.Window.Seconds()
	callers := 1 + rnd.IntN(8)
	var demands []Demand
	var sum float64
	for i := range callers {
		d := Demand{Caller: fmt.Sprintf("caller-%d", i), Class: limiter.Class(rnd.IntN(limiter.Classes)), Rate: rnd.logBetween(1, 20)}
		if rnd.chance(0.3) {
			d.Swing = []float64{0.5, 1, 1.5}
		}
		if rnd.chance(0.2) {
			d.Burst = rnd.IntN(int(u.Limit)/2 + 1)
		}
		if rnd.chance(0.3) {
			d.Leave = 0.05
		}
		sum += d.Rate
		demands = append(demands, d)
	}
	for i := range demands {
		demands[i].Rate *= rate / sum
	}
	return demands
}

func drawOutside(rnd source, u Upstream) External {
	rate := float64(u.Limit) / u.Window.Seconds()
	switch rnd.IntN(6) {
	case 0:
		return External{Rate: rate * (0.05 + 0.45*rnd.Float64())}
	case 1:
		return External{Burst: 1 + rnd.IntN(int(u.Limit)/5+1)}
	default:
		return External{}
	}
}

func drawSettings(rnd source, s Scenario) limiter.Settings {
	w := s.Upstream.Window
	set := limiter.Settings{
		Enforce: true,
		Polite:  rnd.chance(0.1),
		MaxWait: [limiter.Classes]time.Duration{2 * time.Second, w + w/4, 5 * w},
	}
	if rnd.chance(0.2) {
		set.Max = max(1, s.Upstream.Limit*8/10)
	}
	// Names of windows that are shorter than the jitter of names cannot be told
	// apart by one who knows nothing: their length is configured.
	if w < 5*time.Second || rnd.chance(0.2) {
		set.Assume, set.AssumeWindow = s.Upstream.Limit, w
	}
	for _, d := range s.Demand {
		if !rnd.chance(0.4) {
			continue
		}
		share := limiter.Share{Caller: d.Caller, Weight: int64(1 + rnd.IntN(3))}
		if rnd.chance(0.5) {
			share.Guarantee.Percent = 10
		}
		if rnd.chance(0.2) {
			share.Cap.Percent = 30
		}
		set.Shares = append(set.Shares, share)
	}
	return set
}
