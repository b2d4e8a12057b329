package certs

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"
)

// fakeTickets is a store that several Tickets share.
type fakeTickets struct {
	mu     sync.Mutex
	keys   TicketKeys
	err    error
	before func() // a replace
}

func (f *fakeTickets) LoadTickets(context.Context) (TicketKeys, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.keys, f.err
}

func (f *fakeTickets) ReplaceTickets(_ context.Context, version uint64, keys []TicketKey) error {
	if before := f.before; before != nil {
		f.before = nil
		before()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil && version != f.keys.Version {
		return ErrTicketsChanged
	}
	if f.err == nil {
		f.keys = TicketKeys{Version: version + 1, Keys: keys}
	}
	return f.err
}

// ticketReplica is one replica and what its listener was given.
type ticketReplica struct {
	*Tickets
	used [][][32]byte
}

func newTicketReplica(store TicketStore, now func() time.Time) *ticketReplica {
	r := &ticketReplica{}
	r.Tickets = NewTickets(TicketsOptions{Store: store, Now: now, Use: func(keys [][32]byte) { r.used = append(r.used, keys) }})
	return r
}

func (r *ticketReplica) last() [][32]byte {
	if len(r.used) == 0 {
		return nil
	}
	return r.used[len(r.used)-1]
}

// A fleet uses the same keys, the first of them for twelve hours, and opens what
// the two before have sealed.
func TestTicketKeysOfAFleet(t *testing.T) {
	now, store := time.Now(), &fakeTickets{}
	clock := func() time.Time { return now }
	one, two := newTicketReplica(store, clock), newTicketReplica(store, clock)
	seen := map[[32]byte]bool{}
	for round := 1; round <= 5; round++ {
		for _, r := range []*ticketReplica{one, two, one} { // whoever is first
			r.look(t.Context())
		}
		if !slices.Equal(one.last(), two.last()) || len(one.last()) != min(round, ticketKeys) || len(one.used) != round {
			t.Fatalf("round %d: %d and %d keys after %d changes", round, len(one.last()), len(two.last()), len(one.used))
		}
		if seen[one.last()[0]] || one.last()[0] == [32]byte{} {
			t.Fatal("a key seals for a second time")
		}
		seen[one.last()[0]] = true
		now = now.Add(ticketLife - time.Minute)
		one.look(t.Context())
		if len(one.used) != round {
			t.Error("a key was replaced before its time")
		}
		now = now.Add(time.Minute)
		one, two = two, one
	}
}

// Two that are first at once end with the same keys.
func TestTicketKeysMadeAtOnce(t *testing.T) {
	store := &fakeTickets{}
	one, two := newTicketReplica(store, time.Now), newTicketReplica(store, time.Now)
	store.before = func() { two.look(t.Context()) }
	one.look(t.Context())
	if len(one.last()) != 1 || !slices.Equal(one.last(), two.last()) {
		t.Errorf("%x and %x", one.last(), two.last())
	}
}

// Without the store the last keys stay; a store that has lost them gets those
// that are in use back, behind a new one.
func TestTicketKeysSurviveTheStore(t *testing.T) {
	store := &fakeTickets{}
	r := newTicketReplica(store, time.Now)
	store.err = errors.New("away")
	r.look(t.Context())
	if r.used != nil {
		t.Error("keys of nowhere")
	}
	store.err = nil
	r.look(t.Context())
	first := r.last()
	store.err = errors.New("away")
	r.look(t.Context())
	if !slices.Equal(r.last(), first) {
		t.Error("keys have changed while the store was away")
	}
	store.err, store.keys = nil, TicketKeys{}
	r.look(t.Context())
	if got := r.last(); len(got) != 2 || got[1] != first[0] || len(store.keys.Keys) != 2 {
		t.Errorf("%d keys after a loss, want a new one and the last", len(got))
	}
}

func TestTicketKeyIsDue(t *testing.T) {
	now := time.Now()
	for age, want := range map[time.Duration]bool{
		0: false, ticketLife - 1: false, ticketLife: true, -time.Hour: false, -ticketLife - 1: true,
	} {
		if due([]TicketKey{{Made: now.Add(-age)}}, now) != want {
			t.Errorf("a key of age %v is due: %t", age, !want)
		}
	}
	if !due(nil, now) {
		t.Error("no key is not due")
	}
}
