package certs

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"time"

	"iqgateway/internal/steady"
)

const (
	// storageLook is how often the storage is looked at for a first certificate,
	// which another replica may get meanwhile.
	storageLook = time.Second
	// tornAfter is how often a stored certificate must be found unusable before
	// it is replaced: another replica may be storing it right now.
	tornAfter = 4

	// lastPause is between tries while nothing valid is served. Let's Encrypt
	// allows five failed validations of a name in an hour, and gives one back
	// every twelve minutes: https://letsencrypt.org/docs/rate-limits/.
	lastPause = 15 * time.Minute
)

// orderPause is how long to wait after so many tries; random is at least 0 and
// below 1, and keeps replicas apart.
func orderPause(tries int, random float64) time.Duration {
	pauses := [...]time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, lastPause}
	pause := pauses[min(max(tries, 1), len(pauses))-1]
	return time.Duration(float64(pause) * (0.8 + 0.2*random))
}

// first is how a domain comes to its first certificate.
type first struct {
	// load takes what is stored into memory; the error matches fs.ErrNotExist
	// where nothing is.
	load func(context.Context) error
	// torn reports whether what is stored does not fit together.
	torn func(context.Context) bool
	// order asks the CA once, also if something is stored.
	order func(ctx context.Context, anew bool) error
	// settings are what orders are made with: other ones may do better.
	settings func() any
	// show tells who asks, and reports whether it is something new; tell tells
	// logs and metrics.
	show func(error) (other bool)
	tell func(error)

	used     any       // the settings of the last try
	due      time.Time // when to try next
	tries    int
	failed   error // how the last try ended
	unusable int   // looks in a row that found something torn
}

// run waits until a certificate is loaded, from the storage or else from the CA;
// false = ctx has ended before. The fleet's lock is held during a try alone, so
// that a replica that cannot reach the CA keeps no other from it.
func (f *first) run(ctx context.Context) bool {
	for {
		err := f.load(ctx)
		if err == nil {
			return true
		}
		absent := errors.Is(err, fs.ErrNotExist)
		hopeless := absent || f.tornFor(ctx, tornAfter)
		tried := hopeless && f.isDue()
		switch {
		case tried:
			if err = f.try(ctx, !absent); err == nil {
				continue
			}
		case hopeless && f.failed != nil:
			err = f.failed
		}
		if ctx.Err() == nil && (f.show(err) || tried) { // each try: it has cost an attempt at the CA
			f.tell(err)
		}
		if !steady.Pause(ctx, storageLook) {
			return false
		}
	}
}

func (f *first) tornFor(ctx context.Context, looks int) bool {
	if !f.torn(ctx) {
		f.unusable = 0
		return false
	}
	f.unusable++
	return f.unusable >= looks
}

func (f *first) isDue() bool {
	if now := f.settings(); now != f.used {
		f.used, f.due, f.tries = now, time.Time{}, 0
	}
	return !time.Now().Before(f.due)
}

func (f *first) try(ctx context.Context, anew bool) error {
	f.failed = f.order(ctx, anew)
	f.tries++
	f.due = time.Now().Add(orderPause(f.tries, rand.Float64()))
	return f.failed
}
