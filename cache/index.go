package cache

import "sync/atomic"

// index knows what has been dropped.
// checkedMark notes up to where an object has been compared with what was dropped.
type checkedMark struct {
	owner *Object // a copy of the object may be born later: it is not what was compared
	upTo  atomic.Uint64
}

type index struct{}

func newIndex() *index { return &index{} }

// apply drops here. With pending, the events are on their way to the log:
// values of the tier that they match count as dropped from now on, and
// [index.appended] says when the log has them.
func (ix *index) apply(events []Event, pending bool) {}

// appended says that the log has taken events, the last one at p.
func (ix *index) appended(events []Event, p Position) {}

// follow takes what the log had to tell.
func (ix *index) follow(n News) {}

// pending returns the oldest events that the log has not taken yet.
func (ix *index) pending(most int) []Event { return nil }

// position is where an object that is fetched from now on is born.
func (ix *index) position() Position { return Position{} }

// dropped reports whether an object of this process is not to be used again.
func (ix *index) dropped(o *Object) bool { return false }

// droppedEntry reports whether a value of the tier is not to be used: an event
// that matches it is newer than born, or nobody can tell.
func (ix *index) droppedEntry(route Route, tags []string, born Position) bool { return false }

// adopt makes an object of the tier one of this process, by setting Born.Local,
// and reports whether it may be used.
func (ix *index) adopt(o *Object) bool { return false }
