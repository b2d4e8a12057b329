package override

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"iqgateway/internal/steady"
)

// pollEvery is how often the store is asked for what others have ordered, of
// which a command has not told.
const pollEvery = 2 * time.Second

// Options configure [Overrides].
type Options struct {
	// Store is what replicas share, or a [File]. Required.
	Store Store
	// Apply has the replica go by exactly what [Overrides.Current] returns.
	// Required. After an error it is called again within seconds.
	Apply func(ctx context.Context) error
	// Applied returns what the replica goes by now, since Apply or since anything
	// else that has built it anew, as a reload. Required.
	Applied func() []Held
	// Now is the clock; nil = time.Now.
	Now   func() time.Time
	Hooks Hooks
}

// Hooks observe [Overrides]; a nil func is silent. They must not block.
type Hooks struct {
	// Ended tells of an override whose time is over on this replica.
	Ended func(Held)
	// StoreState is told when the store ceases to answer, and when it does again.
	StoreState func(err error)
	// Full is told when what was set here while the store was away finds no place in
	// it, so that it holds here alone, and when it does no longer.
	Full func(bool)
	// ApplyFailed tells that the replica does not go by what holds, once for each
	// reason.
	ApplyFailed func(err error)
	Panicked    steady.Panicked
}

// Overrides are those of one replica. They are safe for concurrent use.
type Overrides struct {
	options Options
	wake    chan struct{} // something has changed that Run waits for

	one   sync.Mutex // trip to the store, or change, at a time
	away  bool
	full  bool
	known []Held // what has held, until it is told how it ended
	fails string // why Apply fails, as it was told last; "" = it does not

	mu      sync.Mutex
	shared  []Held          // what the store told last
	pending []Held          // set here, of which the store has not heard
	dropped map[string]bool // ended here, of which the store has not heard, by id
}

// New returns overrides that hold nothing before [Overrides.Sync] or
// [Overrides.Run].
func New(o Options) *Overrides {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Overrides{options: o, wake: make(chan struct{}, 1), dropped: map[string]bool{}}
}

// Current returns what holds now, by key. It asks nobody.
func (o *Overrides) Current() []Held {
	o.mu.Lock()
	defer o.mu.Unlock()
	return unite(o.options.Now(), o.dropped, o.shared, o.pending)
}

// Run follows what others order and ends what is over, until ctx ends.
func (o *Overrides) Run(ctx context.Context) {
	poll := o.options.Now()
	for ctx.Err() == nil {
		steady.Try(func() {
			o.one.Lock()
			defer o.one.Unlock()
			if now := o.options.Now(); !now.Before(poll) {
				poll = now.Add(pollEvery)
				_ = o.trip(ctx) // StoreState is told
			}
			if err := o.settle(ctx); ctx.Err() == nil {
				o.note(err)
			}
			select { // what has changed until now is settled
			case <-o.wake:
			default:
			}
		}, o.options.Hooks.Panicked)
		o.rest(ctx, poll)
	}
}

// note tells why Apply fails.
func (o *Overrides) note(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != o.fails && o.options.Hooks.ApplyFailed != nil {
		o.options.Hooks.ApplyFailed(err)
	}
	o.fails = text
}

// rest waits for the next look at the store, the next end, or a change.
func (o *Overrides) rest(ctx context.Context, until time.Time) {
	now := o.options.Now()
	for _, h := range o.Current() {
		if h.Until.Before(until) {
			until = h.Until
		}
	}
	timer := time.NewTimer(until.Sub(now))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-o.wake:
	case <-timer.C:
	}
}

// Sync follows at once what the store tells, and tells it what it has not heard.
// The error says that this replica does not, or may not, go by what holds.
func (o *Overrides) Sync(ctx context.Context) error {
	o.one.Lock()
	defer o.one.Unlock()
	return errors.Join(o.trip(ctx), o.settle(ctx))
}

// Outcome is what became of a change.
type Outcome struct {
	// Held is what was set, or what was cleared.
	Held []Held
	// HereOnly says why the other replicas cannot know yet; they are told as soon
	// as the store answers. nil = they can.
	HereOnly error
}

// Set has an override hold for its Left, in place of one for the same key. check
// decides about everything that would hold then: its error leaves all as it was.
// The order holds here at once, whether the store answers or not.
func (o *Overrides) Set(ctx context.Context, set Override, check func([]Held) error) (Outcome, error) {
	o.one.Lock()
	defer o.one.Unlock()
	_ = o.trip(ctx) // what holds elsewhere counts, as far as anybody can know
	now := o.options.Now()
	set.ID = rand.Text()
	h := Held{set, now, now.Add(set.Left)}
	all := unite(now, nil, o.Current(), []Held{h})
	if len(all) > Most {
		return Outcome{}, ErrFull
	}
	if err := check(all); err != nil {
		return Outcome{}, err
	}
	o.change(func() { o.pending = append(o.pending, h) })
	away := o.trip(ctx)
	if away == nil && o.full { // others were faster
		o.change(func() { o.pending = without(o.pending, h.ID) })
		return Outcome{}, ErrFull
	}
	if err := o.settle(ctx); err != nil { // checked before, so that it is no fault of the order
		_ = o.drop(ctx, h) // it is told later where the store is away
		_ = o.settle(ctx)  // Run goes on trying: a reload may have met it
		return Outcome{}, fmt.Errorf("the override is taken back, as this replica cannot go by it: %w", err)
	}
	return Outcome{[]Held{h}, away}, nil
}

// Clear ends what holds and which picks; here at once, whether the store answers
// or not.
func (o *Overrides) Clear(ctx context.Context, which func(Held) bool) (Outcome, error) {
	o.one.Lock()
	defer o.one.Unlock()
	_ = o.trip(ctx)
	cleared := slices.DeleteFunc(o.Current(), func(h Held) bool { return !which(h) })
	if len(cleared) == 0 {
		return Outcome{}, nil
	}
	away := o.drop(ctx, cleared...)
	return Outcome{cleared, away}, o.settle(ctx)
}

// Reloaded ends what was to hold until the configuration changes, which it has to
// the one with this hash.
func (o *Overrides) Reloaded(ctx context.Context, config string) (Outcome, error) {
	ends := func(h Held) bool { return !h.Outlasts(config) }
	if !slices.ContainsFunc(o.Current(), ends) {
		return Outcome{}, nil
	}
	return o.Clear(ctx, ends)
}

// drop ends overrides; the error says that the store has not heard of it. one is
// held.
func (o *Overrides) drop(ctx context.Context, all ...Held) error {
	o.change(func() {
		for _, h := range all {
			o.pending = without(o.pending, h.ID)
			o.dropped[h.ID] = true
		}
	})
	return o.trip(ctx)
}

func without(all []Held, id string) []Held {
	return slices.DeleteFunc(slices.Clone(all), func(h Held) bool { return h.ID == id })
}

func (o *Overrides) change(do func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	do()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// trip asks the store for what holds, after telling it what it has not heard. one
// is held.
func (o *Overrides) trip(ctx context.Context) error {
	o.mu.Lock()
	untold, dropped := slices.Clone(o.pending), make([]string, 0, len(o.dropped))
	for id := range o.dropped {
		dropped = append(dropped, id)
	}
	o.mu.Unlock()
	now := o.options.Now()
	told, err := o.exchange(ctx, untold, dropped, now)
	full := errors.Is(err, ErrFull)
	if full { // what others order, and what has ended here, does not wait for a place
		untold = nil
		told, err = o.exchange(ctx, nil, dropped, now)
	}
	o.heard(ctx, full, err)
	if err != nil {
		return err
	}
	o.change(func() { o.take(told, now, untold, dropped) })
	return nil
}

// exchange tells the store what it has not heard, and returns what it holds.
func (o *Overrides) exchange(ctx context.Context, untold []Held, dropped []string, now time.Time) (Snapshot, error) {
	if len(untold)+len(dropped) == 0 {
		return o.options.Store.Load(ctx)
	}
	return o.options.Store.Update(ctx, func(all []Override) ([]Override, error) { return merge(all, untold, dropped, now) })
}

// take goes by what the store has told. One that has lost everything is told
// again what held.
func (o *Overrides) take(told Snapshot, now time.Time, untold []Held, dropped []string) {
	for _, h := range untold {
		o.pending = without(o.pending, h.ID)
	}
	if told.Empty {
		o.pending = unite(now, o.dropped, o.shared, o.pending)
	}
	for _, id := range dropped {
		delete(o.dropped, id)
	}
	o.shared = hold(told.All, now)
}

// merge lays what the store has not heard over what it holds.
func merge(all []Override, untold []Held, dropped []string, now time.Time) ([]Override, error) {
	gone := make(map[string]bool, len(dropped))
	for _, id := range dropped {
		gone[id] = true
	}
	merged := unite(now, gone, hold(all, now), untold)
	if len(merged) > Most && len(merged) > len(all) {
		return nil, ErrFull
	}
	return tell(merged, now), nil
}

func (o *Overrides) heard(ctx context.Context, full bool, err error) {
	if err != nil && ctx.Err() != nil {
		return // no fault of the store
	}
	if away := err != nil; o.away != away {
		o.away = away
		if o.options.Hooks.StoreState != nil {
			o.options.Hooks.StoreState(err)
		}
	}
	if err == nil && o.full != full {
		o.full = full
		if o.options.Hooks.Full != nil {
			o.options.Hooks.Full(full)
		}
	}
}

// settle has the replica go by what holds now. one is held.
func (o *Overrides) settle(ctx context.Context) error {
	now, current := o.options.Now(), o.Current()
	if !slices.Equal(ids(current), ids(o.options.Applied())) {
		if err := o.options.Apply(ctx); err != nil {
			return err
		}
	}
	before := o.known
	o.known = current
	if o.options.Hooks.Ended != nil {
		for _, h := range before {
			if !now.Before(h.Until) {
				o.options.Hooks.Ended(h)
			}
		}
	}
	return nil
}
