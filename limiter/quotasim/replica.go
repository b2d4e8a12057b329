package quotasim

import (
	"fmt"
	"time"

	"iqgateway/limiter"
)

// replica is one process with its [limiter.Local] and its clock.
type replica struct {
	d      *design
	number int
	starts int
	local  *limiter.Local
	clock  clock
	paused time.Duration // until then nothing happens
	later  []func()      // what has happened meanwhile
	gone   bool
	awake  time.Duration // when its timer is set for; 0 = not at all
	failed int           // trips in a row
	queue  map[*request]struct{}
	wakes  int // by its timer, within the second
	second time.Duration
}

// start begins the process, a new one after a crash.
func (p *replica) start() {
	p.starts++
	p.gone, p.awake, p.failed = false, 0, 0
	p.queue = map[*request]struct{}{}
	rnd := newSource(p.d.w.Seed, drawLocal+uint64(p.number)<<8+uint64(p.starts)<<16)
	p.local = limiter.NewLocal(limiter.LocalOptions{
		Replica:  fmt.Sprintf("replica-%d-%d", p.number, p.starts),
		Settings: p.d.w.Settings,
		Random:   rnd.Float64,
		Fleet:    p.d.alive,
	})
}

func (p *replica) now() time.Time { return origin().Add(p.clock.reads(p.d.w.now)) }

// when returns the true time of a local instant.
func (p *replica) when(t time.Time) time.Duration { return p.clock.when(t.Sub(origin())) }

// do lets the process do something now, or when it goes on; not at all if it has
// ended since, which the function then learns.
func (p *replica) do(started int, then func(alive bool)) {
	switch {
	case p.starts != started || p.gone:
		then(false)
	case p.d.w.now < p.paused || len(p.later) > 0:
		p.postpone(func() { p.do(started, then) })
	default:
		then(true)
		p.drive()
	}
}

// postpone keeps what happens while the process stands still, for when it goes
// on: all at once, in its order.
func (p *replica) postpone(do func()) {
	p.later = append(p.later, do)
	if len(p.later) == 1 {
		p.d.w.at(p.paused, p.resume)
	}
}

func (p *replica) resume() {
	if p.d.w.now < p.paused {
		p.d.w.at(p.paused, p.resume)
		return
	}
	later := p.later
	p.later = nil
	for _, do := range later {
		do()
	}
}

// drive makes the trip that is due and sets the timer.
func (p *replica) drive() {
	if ask, due := p.local.Ask(p.now()); due {
		p.trip(ask)
	}
	p.sleep()
}

func (p *replica) trip(ask limiter.Ask) {
	sent, started := p.now(), p.starts
	failed := func() {
		p.do(started, func(alive bool) {
			if alive {
				p.failed++
				p.d.w.check.trace.add(p.d.w.now, "replica %d: ask %d failed", p.number, ask.Seq)
				p.local.Failed(p.now(), ask, false)
			}
		})
	}
	if p.failed >= 5 && !p.d.store.reaches(p.number) {
		p.d.w.after(time.Millisecond/10, failed) // its breaker is open
		return
	}
	p.d.store.trip(p.number, ask, func(a limiter.Answer) {
		p.do(started, func(alive bool) {
			if alive {
				p.failed = 0
				p.local.Answer(p.now(), sent, ask, a)
			}
		})
	}, failed)
}

// sleep sets the timer for when something is due next. Timers are late by up to
// a millisecond.
func (p *replica) sleep() {
	wake := p.local.Wake()
	if wake.IsZero() {
		p.awake = 0
		return
	}
	at := max(p.when(wake), p.d.w.now)
	if p.awake != 0 && p.awake >= p.d.w.now && p.awake <= at+time.Millisecond {
		return
	}
	at += p.d.rnd.between(time.Microsecond, time.Millisecond)
	p.awake = at
	started := p.starts
	p.d.w.at(at, func() {
		if p.awake == at && p.starts == started {
			p.do(started, p.wake)
		}
	})
}

func (p *replica) wake(alive bool) {
	if !alive {
		return
	}
	p.awake = 0
	p.d.w.check.woken(p)
	p.local.Tick(p.now())
}
