package quotasim

import (
	"time"

	"iqgateway/limiter"
)

// Design is the strategy of this product: the real two sides of a bucket, with a
// store between them.
func Design() Strategy { return Mutant(Mutation{}) }

// Mutant is the design with something falsified.
func Mutant(m Mutation) Strategy {
	return Strategy{
		Name: "this design", promises: true,
		start: func(w *world) fleet { return newDesign(w, m) },
	}
}

// design is a fleet of real replicas.
type design struct {
	w        *world
	rnd      source
	store    *store
	replicas []*replica
}

func newDesign(w *world, m Mutation) *design {
	d := &design{w: w, rnd: newSource(w.Seed, drawLocal), store: newStore(w, m)}
	for i := range w.Fleet.Replicas {
		d.add(i)
	}
	w.check.begin(d)
	return d
}

func (d *design) add(number int) {
	p := &replica{d: d, number: number}
	if number < len(d.w.Fleet.Clocks) {
		p.clock = d.w.Fleet.Clocks[number]
	}
	p.start()
	d.replicas = append(d.replicas, p)
}

// alive counts the replicas, as their own heartbeats would.
func (d *design) alive() int {
	n := 0
	for _, p := range d.replicas {
		if !p.gone {
			n++
		}
	}
	return n
}

// choose returns the replica that the balancer in front of the fleet picks: the
// next one that is there.
func (d *design) choose(number int) *replica {
	for i := range d.replicas {
		if p := d.replicas[(number+i)%len(d.replicas)]; !p.gone {
			return p
		}
	}
	return nil
}

// held is what ties a request to the process that has it.
type held struct {
	replica *replica
	started int
}

func (d *design) arrive(r *request) {
	p := d.choose(r.replica)
	if p == nil {
		d.w.refuse(r, &limiter.Refusal{Reason: limiter.ReasonLeft})
		return
	}
	h := held{replica: p, started: p.starts}
	r.owner = h
	p.do(h.started, func(alive bool) {
		if !alive {
			d.w.abandon(r)
			return
		}
		r.Deadline = p.now().Add(d.w.Settings.MaxWait[r.Class])
		r.Granted = func(t *limiter.Ticket) { r.ticket = t; d.granted(r, p) }
		r.Refused = func(f *limiter.Refusal) { d.refused(r, f, p) }
		d.w.check.queued(r, p)
		p.local.Arrive(p.now(), &r.Request)
		d.w.check.bounds(p)
	})
}

func (d *design) granted(r *request, p *replica) {
	d.w.check.granted(r, p)
	d.w.send(r)
}

func (d *design) refused(r *request, f *limiter.Refusal, p *replica) {
	d.w.check.refused(r, f, p)
	d.w.refuse(r, f)
}

// with lets the process that has the request do something with it.
func (d *design) with(r *request, do func(*replica)) {
	h := r.owner.(held)
	h.replica.do(h.started, func(alive bool) {
		if alive {
			do(h.replica)
		}
	})
}

func (d *design) ended(r *request, as outcome) {
	o := as.answer
	if d.store.mutate.Observation != nil {
		d.store.mutate.Observation(&o)
	}
	d.with(r, func(p *replica) {
		d.w.check.trace.add(d.w.now, "replica %d: request %d ended %d: %d, %d of %d left until %s",
			p.number, r.number, as.fate, o.Status, o.Remaining, o.Limit, o.Reset.Format(time.TimeOnly))
		switch as.fate {
		case answered:
			p.local.Answered(p.now(), r.ticket, o)
		case lost:
			p.local.Lost(p.now(), r.ticket)
		default:
			p.local.Unsent(p.now(), r.ticket)
		}
	})
}

func (d *design) leave(r *request) {
	d.with(r, func(p *replica) {
		if r.state != waiting {
			return
		}
		if !p.local.Leave(p.now(), &r.Request) {
			d.w.check.fail("I12", "request %d waits but is not in the queue", r.number)
		}
		delete(p.queue, r)
		d.w.abandon(r)
	})
}

func (d *design) befall(e FleetEvent) {
	if e.Kind == Join {
		d.add(len(d.replicas))
		return
	}
	p := d.replicas[e.Replica%len(d.replicas)]
	if p.gone {
		return
	}
	d.w.check.trace.add(d.w.now, "replica %d: event %d for %v", p.number, e.Kind, e.For)
	switch e.Kind {
	case Join: // see above
	case Pause:
		p.paused = max(p.paused, d.w.now+e.For)
	case Crash:
		d.crash(p, e.For)
	case Leave:
		p.do(p.starts, func(alive bool) {
			if alive {
				p.local.Leaving(p.now())
			}
		})
		d.w.after(2*time.Second, func() { d.crash(p, 0) })
	}
}

// crash ends the process at once; who waited in it is gone.
func (d *design) crash(p *replica, back time.Duration) {
	p.gone, p.paused = true, 0
	d.w.check.ended(p)
	if back > 0 {
		d.w.after(back, func() { p.start() })
	}
}
