package usage

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// interval is how often counts are told to the store.
	interval = 5 * time.Second
	// atOnce bounds the names of one batch: Redis serves nobody else meanwhile.
	atOnce = 200
	// settled is how long after its end nothing more is counted for a day.
	settled = time.Minute
)

// Options configure [NewBook].
type Options struct {
	Writer string // names this process among all that tell the store, and no other ever
	Store  Store
	Failed func(error) // is told when the store could not be; nil = silent
	Now    func() time.Time
}

// Book counts what this process serves. While the store is away it keeps the
// counts, bounded by [MaxKeys] for each day, and tells them later.
type Book struct {
	options Options
	tallies sync.Map // key -> *tally

	sizes sync.Mutex
	size  map[Day]int // of tallies

	telling sync.Mutex
	seq     int64
	unsure  *Batch // was told, but not confirmed
}

type key struct {
	day   Day
	names Names
}

// tally only grows; told is guarded by Book.telling.
type tally struct {
	requests, attempts, tokens, hits, refusals, bytesOut atomic.Int64
	told                                                 Counts
}

func (t *tally) now() Counts {
	return Counts{t.requests.Load(), t.attempts.Load(), t.tokens.Load(), t.hits.Load(), t.refusals.Load(), t.bytesOut.Load()}
}

// NewBook returns an empty book. Run tells the store of it.
func NewBook(o Options) *Book {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Book{options: o, size: map[Day]int{}}
}

// Count adds c to what the names have used today. It is one look-up without a lock,
// but for names that are new. A nil Book counts nothing.
func (b *Book) Count(names Names, c Counts) {
	if b == nil {
		return
	}
	k := key{DayOf(b.options.Now()), names}
	known, ok := b.tallies.Load(k)
	if !ok {
		known = b.open(k)
	}
	t := known.(*tally)
	for _, one := range [...]struct {
		sum *atomic.Int64
		n   int64
	}{{&t.requests, c.Requests}, {&t.attempts, c.Attempts}, {&t.tokens, c.Tokens}, {&t.hits, c.Hits}, {&t.refusals, c.Refusals}, {&t.bytesOut, c.BytesOut}} {
		if one.n != 0 {
			one.sum.Add(one.n)
		}
	}
}

func (b *Book) open(k key) any {
	b.sizes.Lock()
	defer b.sizes.Unlock()
	if b.size[k.day] >= MaxKeys {
		k.names = restOfDay()
	}
	known, met := b.tallies.LoadOrStore(k, &tally{})
	if !met {
		b.size[k.day]++
	}
	return known
}

// Run tells the store until ctx ends. What is counted until the end of all is told
// by one more [Book.Tell].
func (b *Book) Run(ctx context.Context) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = b.Tell(ctx)
		}
	}
}

// Tell tells the store of all that it was not told yet.
func (b *Book) Tell(ctx context.Context) error {
	b.telling.Lock()
	defer b.telling.Unlock()
	for {
		if b.unsure == nil {
			b.unsure = b.next()
		}
		if b.unsure == nil {
			return nil
		}
		if err := b.options.Store.Add(ctx, *b.unsure); err != nil {
			if b.options.Failed != nil {
				b.options.Failed(err)
			}
			return err
		}
		b.unsure = nil
	}
}

// next takes a batch of what was not told yet, nil when there is nothing, and
// forgets the days that are over.
func (b *Book) next() *Batch {
	var batch *Batch
	past := DayOf(b.options.Now().Add(-settled))
	b.tallies.Range(func(k, v any) bool {
		of, t := k.(key), v.(*tally)
		now := t.now()
		switch {
		case now == t.told:
			if of.day < past {
				b.forget(of)
			}
			return true
		case batch == nil:
			b.seq++
			batch = &Batch{Writer: b.options.Writer, Seq: b.seq, Day: of.day, Counts: map[Names]Counts{}}
		case batch.Day != of.day:
			return true
		}
		batch.Counts[of.names] = now.minus(t.told)
		t.told = now
		return len(batch.Counts) < atOnce
	})
	return batch
}

func (c Counts) minus(less Counts) Counts {
	return c.Plus(Counts{-less.Requests, -less.Attempts, -less.Tokens, -less.Hits, -less.Refusals, -less.BytesOut})
}

func (b *Book) forget(k key) {
	b.sizes.Lock()
	defer b.sizes.Unlock()
	b.tallies.Delete(k)
	if b.size[k.day]--; b.size[k.day] == 0 {
		delete(b.size, k.day)
	}
}

// Untold are the counts that the store has not confirmed.
func (b *Book) Untold() Days {
	b.telling.Lock()
	defer b.telling.Unlock()
	days := Days{}
	if b.unsure != nil {
		days.add(b.unsure.Day, b.unsure.Counts)
	}
	b.tallies.Range(func(k, v any) bool {
		of, t := k.(key), v.(*tally)
		if more := t.now().minus(t.told); more != (Counts{}) {
			days.add(of.day, map[Names]Counts{of.names: more})
		}
		return true
	})
	return days
}

func (d Days) add(day Day, counts map[Names]Counts) {
	if d[day] == nil {
		d[day] = map[Names]Counts{}
	}
	for names, c := range counts {
		d[day][names] = d[day][names].Plus(c)
	}
}

// Read returns the counts of days from first to last: those of the store, once it
// was told of ours. An error is the store's; what this process could not tell it
// comes with it.
func (b *Book) Read(ctx context.Context, first, last Day, known []string) (Days, error) {
	err := b.Tell(ctx)
	days := Days{}
	if err == nil {
		days, err = b.options.Store.Read(ctx, first, last, known)
	}
	if err == nil {
		return days, nil
	}
	days = Days{}
	for day, counts := range b.Untold() {
		if first <= day && day <= last {
			days.add(day, counts)
		}
	}
	return days, err
}
