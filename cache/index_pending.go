package cache

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// maxPending bounds the events that the log has not taken. Beyond it the oldest
// half becomes one event for each service.
const maxPending = 1000

// pendingEvent is one that the log has not confirmed.
type pendingEvent struct {
	Event
	// sent: a log took it that is not the one that is read. Reading it will show
	// the event, or that the log is lost.
	sent bool
}

// wait adds events to those that wait for the log.
func (ix *index) wait(events []Event) {
	waiting := *ix.waiting.Load() // readers of it do not see what is appended behind it
	for _, e := range events {
		ix.own.add(e.ID)
		waiting = append(waiting, pendingEvent{Event: e})
	}
	if len(waiting) > maxPending {
		waiting = ix.collapse(waiting)
	}
	ix.waiting.Store(&waiting)
}

// collapse makes the oldest half coarser. Here all of it has been applied as it
// was; only others will drop more than they need to.
func (ix *index) collapse(waiting []pendingEvent) []pendingEvent {
	cut := len(waiting) / 2
	services := map[ServiceName]struct{}{}
	for _, e := range waiting[:cut] {
		services[e.Service] = struct{}{}
	}
	if _, all := services[ServiceName{}]; all || len(services) > maxPending/4 {
		services = map[ServiceName]struct{}{{}: {}}
	}
	var short []pendingEvent
	for service := range maps.Keys(services) {
		e := tidyEvent(Event{ID: eventID(), Kind: DropService, Service: service})
		ix.own.add(e.ID)
		short = append(short, pendingEvent{Event: e})
	}
	return append(short, waiting[cut:]...)
}

// pending returns the oldest events that the log has not taken yet.
func (ix *index) pending(most int) []Event {
	var events []Event
	for _, e := range *ix.waiting.Load() {
		if len(events) == most {
			break
		}
		if !e.sent {
			events = append(events, e.Event)
		}
	}
	return events
}

// appended says that the log has taken events, the last one at p.
func (ix *index) appended(events []Event, p Position) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	at := ix.position()
	if p.Log != at.Log {
		ix.markSent(events)
		return
	}
	for _, e := range events {
		ix.add(tidyEvent(e), mark{seq: p.Seq})
	}
	ix.settle(events)
	if p.Seq == at.Seq+uint64(len(events)) { // nothing of others lies between
		at.Seq = p.Seq
		ix.publish(at)
	}
}

// settle ends the waiting of events that stand in the tables with their
// sequence.
func (ix *index) settle(events []Event) {
	waiting := *ix.waiting.Load()
	if len(waiting) == 0 || len(events) == 0 {
		return
	}
	done := idsOf(events)
	left := slices.DeleteFunc(slices.Clone(waiting), func(e pendingEvent) bool { return done[e.ID] })
	ix.waiting.Store(&left)
}

func (ix *index) markSent(events []Event) {
	sent := idsOf(events)
	waiting := slices.Clone(*ix.waiting.Load())
	for i := range waiting {
		waiting[i].sent = waiting[i].sent || sent[waiting[i].ID]
	}
	ix.waiting.Store(&waiting)
}

// offerAgain forgets who took what: that log is gone.
func (ix *index) offerAgain() {
	waiting := slices.Clone(*ix.waiting.Load())
	for i := range waiting {
		waiting[i].sent = false
	}
	ix.waiting.Store(&waiting)
}

func idsOf(events []Event) map[uint64]bool {
	ids := make(map[uint64]bool, len(events))
	for _, e := range events {
		ids[e.ID] = true
	}
	return ids
}

// eventID returns the name of a new event; never 0.
func eventID() uint64 {
	for {
		if id := rand.Uint64(); id != 0 {
			return id
		}
	}
}

// ownIDs are the newest events of this process. One that comes back from the
// log after it has been forgotten is applied once more, which is safe.
type ownIDs struct {
	known map[uint64]struct{}
	ring  []uint64
	next  int
}

const maxOwnIDs = 8 * maxPending

func newOwnIDs() ownIDs { return ownIDs{known: map[uint64]struct{}{}} }

func (o *ownIDs) add(id uint64) {
	if len(o.ring) < maxOwnIDs {
		o.ring = append(o.ring, id)
	} else {
		delete(o.known, o.ring[o.next])
		o.ring[o.next] = id
		o.next = (o.next + 1) % maxOwnIDs
	}
	o.known[id] = struct{}{}
}

func (o *ownIDs) has(id uint64) bool {
	_, ok := o.known[id]
	return ok
}
