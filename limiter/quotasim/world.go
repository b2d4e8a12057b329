package quotasim

import (
	"time"

	"iqgateway/limiter"
)

// world is one run: what happens beside the fleet's own decisions.
type world struct {
	Scenario
	queue
	up     *upstream
	fleet  fleet
	demand source
	wire   source
	others source
	record *recorder
	check  *checks
}

// fleet decides about requests. It hands them on with world.send and
// world.refuse.
type fleet interface {
	arrive(r *request)
	// leave is called if the caller does not want to wait any longer.
	leave(r *request)
	// ended is called once for a request that was sent.
	ended(r *request, as outcome)
	// befall is told what befalls a replica.
	befall(e FleetEvent)
}

// request is one request of a caller.
type request struct {
	limiter.Request
	number  int
	replica int
	came    time.Duration // true time
	sent    time.Duration // when it got its token
	state   requestState
	ticket  *limiter.Ticket
	owner   any // what the fleet keeps with it
}

// outcome is how an attempt ended.
type outcome struct {
	fate   fate
	answer limiter.Observation
}

type fate uint8

const (
	answered fate = iota
	lost          // no answer will come
	unsent        // nothing was written
)

type requestState uint8

const (
	waiting requestState = iota
	underWay
	over
)

// Run lets the strategy run through the scenario. A broken invariant is
// returned, else nil; the run ends there.
func Run(s Scenario, strategy Strategy) (Result, *Violation) {
	w := newWorld(s, strategy)
	w.play()
	return w.record.result(strategy.Name), w.check.first
}

func newWorld(s Scenario, strategy Strategy) *world {
	w := &world{
		Scenario: s,
		up:       newUpstream(s.Upstream, newSource(s.Seed, drawUpstream)),
		demand:   newSource(s.Seed, drawDemand),
		wire:     newSource(s.Seed, drawNetwork),
		others:   newSource(s.Seed, drawExternal),
	}
	w.record = newRecorder(w)
	w.check = newChecks(w, !strategy.promises)
	w.fleet = strategy.start(w)
	for i := range s.Demand {
		w.keepComing(&s.Demand[i])
	}
	w.comeOutside()
	for _, e := range s.Fleet.Events {
		w.at(e.At, func() { w.fleet.befall(e) })
	}
	w.record.begin()
	return w
}

// play runs through the scenario.
func (w *world) play() {
	w.run(w.Length())
	w.check.end()
}

// keepComing has the requests of one demand come, each having the next one
// planned.
func (w *world) keepComing(d *Demand) {
	if d.Burst > 0 {
		for t := time.Duration(0); t < w.Length(); t += w.Upstream.Window {
			w.at(t+w.demand.between(0, w.Upstream.Window/20), func() {
				for range d.Burst {
					w.come(d)
				}
			})
		}
	}
	if d.Rate <= 0 {
		return
	}
	var next func()
	plan := func() { w.after(w.demand.gap(d.Rate*w.swing(d)), next) }
	next = func() { w.come(d); plan() }
	plan()
}

func (w *world) swing(d *Demand) float64 {
	if len(d.Swing) == 0 {
		return 1
	}
	return d.Swing[int(w.now/w.Upstream.Window)%len(d.Swing)]
}

// come has one request come to one of the replicas.
func (w *world) come(d *Demand) {
	r := &request{
		number:  w.record.came + 1,
		replica: w.demand.weighted(w.Fleet.Weights, w.Fleet.Replicas),
		came:    w.now,
	}
	r.Caller, r.Class = d.Caller, d.Class
	w.record.came++
	w.record.waiting++
	leaves := w.demand.chance(d.Leave)
	after := w.demand.between(0, 2*time.Second)
	w.fleet.arrive(r)
	if leaves {
		w.after(after, func() {
			if r.state == waiting {
				w.fleet.leave(r)
			}
		})
	}
}

// comeOutside has the requests of others come.
func (w *world) comeOutside() {
	e := w.External
	stop := e.Stop
	if stop == 0 {
		stop = w.Length()
	}
	if e.Rate > 0 {
		var next func()
		next = func() {
			if w.now < stop {
				w.up.arrive(w.now, false)
				w.after(w.others.gap(e.Rate), next)
			}
		}
		w.after(w.others.gap(e.Rate), next)
	}
	for t := time.Duration(0); e.Burst > 0 && t < stop; t += w.Upstream.Window {
		w.at(t+w.others.between(0, w.Upstream.Window), func() {
			for range e.Burst {
				w.up.arrive(w.now, false)
			}
		})
	}
}

// send puts a request on the wire. What becomes of it is told to the fleet.
func (w *world) send(r *request) {
	r.state = underWay
	w.record.sent(r)
	way := w.Network.draw(w.wire)
	if way.unsent {
		w.after(way.there, func() { w.fleet.ended(r, outcome{fate: unsent}) })
		return
	}
	over, sent := false, w.now
	w.after(way.there, func() {
		if way.vanishes {
			return
		}
		answer := w.up.arrive(w.now, true)
		if answer.window.Begin > sent {
			w.up.late(sent)
		}
		w.record.arrived(r, answer)
		w.check.arrived(r, answer)
		if way.lost {
			return
		}
		w.after(way.back, func() {
			if !over {
				over = true
				w.fleet.ended(r, outcome{fate: answered, answer: w.up.observe(answer)})
			}
		})
	})
	if patience := way.patience(w.Network); patience > 0 {
		w.after(patience, func() {
			if !over {
				over = true
				w.fleet.ended(r, outcome{fate: lost})
			}
		})
	}
}

// refuse notes that a request leaves the queue without a token.
func (w *world) refuse(r *request, f *limiter.Refusal) {
	if r.state != waiting {
		w.check.fail("I12", "request %d left the queue twice", r.number)
	}
	r.state = over
	w.record.refused(r, f)
}

// abandon notes that a request is gone: its caller has left, or the process has.
func (w *world) abandon(r *request) {
	w.refuse(r, &limiter.Refusal{Reason: limiter.ReasonLeft})
}
