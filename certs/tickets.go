package certs

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"iqgateway/internal/steady"
)

const (
	// ticketLife is for how long a key seals tickets.
	ticketLife = 12 * time.Hour
	// ticketKeys is how many keys open tickets: the one that seals and the two
	// before. No ticket is older than Go's bound of seven days anyway.
	ticketKeys = 3
	// ticketLook is how often the fleet's keys are looked at. Until then a
	// replica does full handshakes for tickets of a key that it does not know.
	ticketLook = 10 * time.Second
)

// TicketKey seals session tickets. Whoever has it can read the connections that
// are resumed with them, so that it is stored sealed and never for long.
type TicketKey struct {
	Key  [32]byte
	Made time.Time
}

// TicketKeys are those of a fleet, the newest first.
type TicketKeys struct {
	// Version grows with each change; 0 = there are none.
	Version uint64
	Keys    []TicketKey
}

// ErrTicketsChanged says that another replica has changed the keys meanwhile.
var ErrTicketsChanged = errors.New("another replica has changed the ticket keys")

// TicketStore shares ticket keys.
type TicketStore interface {
	// LoadTickets returns the keys, none without an error when there are none
	// that can be used.
	LoadTickets(ctx context.Context) (TicketKeys, error)
	// ReplaceTickets stores keys in place of the version that was loaded; the
	// error is ErrTicketsChanged if that is not the stored one any more.
	ReplaceTickets(ctx context.Context, version uint64, keys []TicketKey) error
}

// TicketsOptions configure [NewTickets].
type TicketsOptions struct {
	// Store shares the keys. Required.
	Store TicketStore
	// Use is called with each change, the sealing key first. Required.
	Use func(keys [][32]byte)
	// Now is the clock, which should be about right; nil = time.Now.
	Now func() time.Time
}

// Tickets keeps the keys of session tickets equal on all replicas, so that each
// resumes what another began. Whoever is first replaces a key after twelve
// hours. While the store is away the last keys stay in use.
type Tickets struct {
	options TicketsOptions
	inUse   TicketKeys
}

// NewTickets returns Tickets, which start nothing.
func NewTickets(o TicketsOptions) *Tickets {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Tickets{options: o}
}

// Run follows and replaces the keys until ctx ends.
func (t *Tickets) Run(ctx context.Context) {
	for {
		t.look(ctx)
		if !steady.Pause(ctx, ticketLook) {
			return
		}
	}
}

// look takes over what the fleet uses, after putting a new key there if it is
// time. Errors leave everything as it is, for the next look.
func (t *Tickets) look(ctx context.Context) {
	const tries = 2 // another replica may be first
	for range tries {
		stored, err := t.options.Store.LoadTickets(ctx)
		if err != nil {
			return
		}
		if !due(stored.Keys, t.options.Now()) {
			t.use(stored)
			return
		}
		if len(stored.Keys) == 0 { // the store has lost them: ours still open what was issued
			stored.Keys = t.inUse.Keys
		}
		next := TicketKeys{Version: stored.Version + 1, Keys: renewed(stored.Keys, t.options.Now())}
		err = t.options.Store.ReplaceTickets(ctx, stored.Version, next.Keys)
		if err == nil {
			t.use(next)
			return
		}
		if !errors.Is(err, ErrTicketsChanged) {
			return
		}
	}
}

func (t *Tickets) use(next TicketKeys) {
	if sameKeys(next.Keys, t.inUse.Keys) {
		t.inUse = next
		return
	}
	t.inUse = next
	keys := make([][32]byte, len(next.Keys))
	for i, k := range next.Keys {
		keys[i] = k.Key
	}
	t.options.Use(keys)
}

func sameKeys(a, b []TicketKey) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Key != b[i].Key {
			return false
		}
	}
	return true
}

// due reports whether the newest key has sealed for long enough. One from the
// far future was made by a clock that was wrong.
func due(keys []TicketKey, now time.Time) bool {
	if len(keys) == 0 {
		return true
	}
	age := now.Sub(keys[0].Made)
	return age >= ticketLife || age < -ticketLife
}

// renewed puts a new key before those that still open.
func renewed(keys []TicketKey, now time.Time) []TicketKey {
	next := TicketKey{Made: now.UTC()}
	_, _ = rand.Read(next.Key[:]) // it never fails: since Go 1.24 it would end the program
	keys = append([]TicketKey{next}, keys...)
	return keys[:min(len(keys), ticketKeys)]
}
