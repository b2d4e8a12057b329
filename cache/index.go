package cache

import (
	"maps"
	"sync"
	"sync/atomic"
)

// maxServices bounds the services that the index tells apart; a configuration
// has some forty.
const maxServices = 1000

// checkedMark notes up to where an object has been compared with what was
// dropped.
type checkedMark struct {
	owner *Object // a copy of the object may be born later: it is not what was compared
	upTo  atomic.Uint64
}

// index knows what has been dropped, and when: events have positions, and an
// object is dropped by every event that matches it and is younger than the
// beginning of its fetch. Nothing has to be found and deleted.
//
// Readers do not wait for each other, nor for a writer of another service.
// While nothing is dropped, [index.dropped] compares one number.
type index struct {
	newest   atomic.Uint64 // the local position
	at       atomic.Pointer[Position]
	all      *serviceDrops // events without a service
	services atomic.Pointer[map[ServiceName]*serviceDrops]
	waiting  atomic.Pointer[[]pendingEvent]
	change   atomic.Pointer[chan struct{}] // closed when more is dropped

	mu     sync.Mutex // of writers
	own    ownIDs
	maxSeq uint64 // that any table has, of this log
}

// serviceDrops are the drops of a service, and their newest mark as numbers
// that can be compared without the lock.
type serviceDrops struct {
	local, seq atomic.Uint64

	mu    sync.RWMutex
	table drops
}

func newIndex() *index {
	ix := &index{all: newServiceDrops(), own: newOwnIDs()}
	ix.at.Store(&Position{})
	ix.services.Store(&map[ServiceName]*serviceDrops{})
	ix.waiting.Store(&[]pendingEvent{})
	ix.change.Store(new(make(chan struct{})))
	return ix
}

func newServiceDrops() *serviceDrops { return &serviceDrops{table: newDrops()} }

// position is where an object that is fetched from now on is born.
func (ix *index) position() Position { return *ix.at.Load() }

// apply drops here. With pending, the events (which have IDs) are on their way
// to the log: values of the tier that they match count as dropped from now on,
// and [index.appended] says when the log has them.
func (ix *index) apply(events []Event, pending bool) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	at := ix.position()
	tidy := make([]Event, len(events))
	for i, e := range events {
		tidy[i] = tidyEvent(e)
	}
	if pending { // before the position: whoever sees that must see these
		ix.wait(tidy)
	}
	for _, e := range tidy {
		at.Local++
		ix.add(e, mark{local: at.Local})
	}
	ix.publish(at)
}

// follow takes what the log had to tell. Own events are known already: only
// their place in the log is new.
func (ix *index) follow(n News) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	at := ix.position()
	if n.Lost || at.Log != "" && at.Log != n.Position.Log {
		ix.lose(&at, n.Position)
		ix.publish(at)
		return
	}
	at.Log, at.Seq = n.Position.Log, max(at.Seq, n.Position.Seq)
	for i, e := range n.Events {
		e = tidyEvent(e)
		m := mark{seq: n.Position.Seq - min(uint64(len(n.Events)-1-i), n.Position.Seq)}
		if !ix.own.has(e.ID) {
			at.Local++
			m.local = at.Local
		}
		ix.add(e, m)
	}
	ix.settle(n.Events)
	ix.publish(at)
}

// lose drops everything: what the log has forgotten could be anything. What the
// tables hold is older than that, so they begin anew.
func (ix *index) lose(at *Position, to Position) {
	floor := to.Seq
	if at.Log == to.Log { // it lost its end: what was born there is not to be taken for new
		floor = max(floor, at.Seq, ix.maxSeq)
	}
	at.Local++
	at.Log, at.Seq = to.Log, to.Seq
	ix.maxSeq = floor
	ix.all.reset(mark{local: at.Local, seq: floor})
	ix.services.Store(&map[ServiceName]*serviceDrops{})
	ix.offerAgain()
}

// add notes an event in its table.
func (ix *index) add(e Event, at mark) {
	ix.maxSeq = max(ix.maxSeq, at.seq)
	ix.tableOf(&e).add(e, at)
}

// tableOf returns where an event belongs; it may change the event to one that
// drops everything.
func (ix *index) tableOf(e *Event) *serviceDrops {
	if e.Service == (ServiceName{}) {
		return ix.all
	}
	services := *ix.services.Load()
	if s := services[e.Service]; s != nil {
		return s
	}
	if len(services) >= maxServices {
		*e = Event{ID: e.ID, Kind: DropAll}
		return ix.all
	}
	more := make(map[ServiceName]*serviceDrops, len(services)+1)
	maps.Copy(more, services)
	more[e.Service] = newServiceDrops()
	ix.services.Store(&more)
	return more[e.Service]
}

// publish lets readers see a position, when all that it stands for is in the
// tables.
func (ix *index) publish(at Position) {
	ix.at.Store(&at)
	if ix.newest.Swap(at.Local) != at.Local {
		close(*ix.change.Swap(new(make(chan struct{}))))
	}
}

// moved returns a channel that is closed when more is dropped than what
// [index.dropped] knows from now on.
func (ix *index) moved() <-chan struct{} { return *ix.change.Load() }

// dropped reports whether an object of this process is not to be used again.
func (ix *index) dropped(o *Object) bool {
	newest, born := ix.newest.Load(), o.Born.Local
	note := o.checked
	if note != nil && note.owner == o {
		born = max(born, note.upTo.Load())
	} else {
		note = nil
	}
	if newest <= born {
		return false
	}
	if ix.droppedSince(o, born) {
		return true
	}
	if note != nil {
		note.upTo.Store(newest) // what is not older than it has been compared
	}
	return false
}

func (ix *index) droppedSince(o *Object, born uint64) bool {
	if ix.all.local.Load() > born && ix.all.of(o.Route, o.Tags).local > born {
		return true
	}
	s := (*ix.services.Load())[o.Route.Service]
	return s != nil && s.local.Load() > born && s.of(o.Route, o.Tags).local > born
}

// droppedEntry reports whether a value of the tier is not to be used: an event
// that matches it is newer than born, or nobody can tell.
func (ix *index) droppedEntry(route Route, tags []string, born Position) bool {
	log := ix.at.Load().Log
	if log == "" || born.Log != log {
		return true
	}
	for _, e := range *ix.waiting.Load() {
		if e.matches(route, tags) {
			return true
		}
	}
	if ix.all.seq.Load() > born.Seq && ix.all.of(route, tags).seq > born.Seq {
		return true
	}
	s := (*ix.services.Load())[route.Service]
	if s != nil && s.seq.Load() > born.Seq && s.of(route, tags).seq > born.Seq {
		return true
	}
	return ix.at.Load().Log != log // lost meanwhile
}

// adopt makes an object of the tier one of this process, by setting Born.Local,
// and reports whether it may be used.
func (ix *index) adopt(o *Object) bool {
	o.Born.Local = ix.position().Local // before the look at the tables: what comes later counts
	return !ix.droppedEntry(o.Route, o.Tags, o.Born)
}

func (s *serviceDrops) add(e Event, at mark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.table.add(e, at)
	s.local.Store(s.table.newest.local)
	s.seq.Store(s.table.newest.seq)
}

func (s *serviceDrops) reset(floor mark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.table = newDrops()
	s.table.floor, s.table.newest = floor, floor
	s.local.Store(floor.local)
	s.seq.Store(floor.seq)
}

func (s *serviceDrops) of(route Route, tags []string) mark {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.table.of(route, tags)
}
