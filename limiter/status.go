package limiter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"iqgateway/internal/steady"
)

// maxViews is how many buckets are looked up in the store at once.
const maxViews = 8

// Status is what an operator sees of a bucket: the fleet's state as the store
// has it, and this replica's part.
type Status struct {
	Name     Name
	Settings Settings
	// Snapshot is the fleet's state. Its instants are the store's: subtract its
	// Now. It is zero where Err is set.
	Snapshot Snapshot
	// Err is why the store could not be asked.
	Err error
	// Here is the bucket as this replica sees it, for a caller without a share
	// of its own.
	Here View
	// Used says that this replica has sent requests that the bucket counts.
	Used bool
	// Waiting is how many requests wait on this replica, by class.
	Waiting [Classes]int
	// Away says that this replica spends without the store: its leases, then
	// its local share (or as on_store_error says).
	Away bool
	// Evidence compares our count with the upstream's, newest window first.
	Evidence []Evidence
}

// Evidence is one window as both sides counted it. It tells whether the bucket
// is what the upstream counts by.
type Evidence struct {
	Ended time.Time // by the store's clock
	// Own is what we have sent or may have, Used the largest count that the
	// upstream has shown; 0 = it has shown none.
	Own, Used int64
	// Outside is what others must have used at least: the bucket is shared with
	// programs or credentials that are not counted here.
	Outside int64
	// Missing is what we have sent for certain beyond the upstream's count: it
	// counts some of it elsewhere (another scope or node), or not at all.
	Missing int64
}

var errPanicked = errors.New("the store panicked")

// List returns the status of every bucket, sorted by name. A bucket that the
// store could not be asked about has its Err set.
func (l *Limiter) List(ctx context.Context) []Status {
	all := l.all()
	list := make([]Status, len(all))
	var group sync.WaitGroup
	slots := make(chan struct{}, maxViews)
	for i, b := range all {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			list[i] = Status{Name: b.name(), Err: errPanicked}
			steady.Try(func() { list[i] = b.status(ctx) }, b.panicked)
		})
	}
	group.Wait()
	slices.SortFunc(list, func(a, b Status) int { return cmp.Compare(a.Name.String(), b.Name.String()) })
	return list
}

// Answer takes the lock of every bucket for a moment, and asks nobody: it
// returns where none is held for ever.
func (l *Limiter) Answer() {
	for _, b := range l.all() {
		b.view("")
	}
}

// View returns the status of the bucket of that name, as [Name.String] writes
// it. The error is an [UnknownError].
func (l *Limiter) View(ctx context.Context, name string) (Status, error) {
	b, err := l.named(name)
	if err != nil {
		return Status{}, err
	}
	return b.status(ctx), nil
}

// Block has nothing granted of a bucket, by any replica, for the given time.
// reason is shown to operators. Requests that wait go on waiting, as long as
// they may. The errors are an [UnknownError] and the store's.
func (l *Limiter) Block(ctx context.Context, name string, lasting time.Duration, reason string) error {
	if lasting <= 0 {
		return fmt.Errorf("block %s: for %s: give a time above 0", name, lasting)
	}
	if err := l.block(ctx, name, lasting, reason); err != nil {
		return fmt.Errorf("block %s: %w", name, err)
	}
	return nil
}

// Unblock lifts the block of [Limiter.Block].
func (l *Limiter) Unblock(ctx context.Context, name string) error {
	if err := l.block(ctx, name, 0, ""); err != nil {
		return fmt.Errorf("unblock %s: %w", name, err)
	}
	return nil
}

func (l *Limiter) block(ctx context.Context, name string, lasting time.Duration, reason string) error {
	b, err := l.named(name)
	if err != nil {
		return err
	}
	store := l.options.Store
	until := int64(0)
	if lasting > 0 {
		now, err := store.View(ctx, b.key, nil) // its clock counts
		if err != nil {
			return err
		}
		until = now.Now + lasting.Milliseconds()
	}
	return store.Block(ctx, b.key, until, reason)
}

// UnknownError means that no bucket has the name.
type UnknownError struct {
	Name  string
	Known []string // sorted
}

// Error implements error.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("no bucket %q; there are: %s", e.Name, strings.Join(e.Known, ", "))
}

func (l *Limiter) named(name string) (*bucket, error) {
	unknown := &UnknownError{Name: name}
	for _, b := range l.all() {
		known := b.name().String()
		if known == name {
			return b, nil
		}
		unknown.Known = append(unknown.Known, known)
	}
	slices.Sort(unknown.Known)
	return nil, unknown
}

func (b *bucket) status(ctx context.Context) Status {
	config := b.config.Load()
	b.mu.Lock()
	s := Status{
		Name: config.name, Settings: config.Settings,
		Here: b.local.View(b.now(), ""), Waiting: b.local.queue.waiting, Used: b.local.serial > 0, Away: b.away,
	}
	b.mu.Unlock()
	s.Snapshot, s.Err = b.limiter.options.Store.View(ctx, b.key, config.Callers)
	s.Snapshot.Callers = slices.DeleteFunc(s.Snapshot.Callers, func(c CallerState) bool {
		return c.Caller == "" // stands for shares that are none
	})
	s.Evidence = evidence(s.Snapshot.History)
	return s
}

// evidence leaves out windows of which the upstream has shown no count.
func evidence(history []Closed) []Evidence {
	var list []Evidence
	for _, c := range history {
		if c.Used == 0 {
			continue
		}
		list = append(list, Evidence{
			Ended: time.UnixMilli(c.Ended), Own: c.Own, Used: c.Used, Outside: c.External,
			Missing: max(0, c.Counted-c.Used),
		})
	}
	return list
}
