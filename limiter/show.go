package limiter

import (
	"sync/atomic"
	"time"

	"iqgateway/internal/exchange"
)

// showFor is how old a view may be that [Set.Show] gives. Answers that need no
// token are many, and none of them is to wait for a bucket's lock.
const showFor = 20 * time.Millisecond

// Show sets the QuotaView of an exchange that may be answered without an
// attempt, so that its answer tells of the bucket all the same. What it shows
// may be 20 ms old. An attempt puts the exact view in its place. A bucket that
// is not in the set shows nothing.
func (s *Set) Show(key Key, ex *exchange.Exchange) {
	b := s.buckets[key]
	if b == nil {
		return
	}
	ex.QuotaView = func() exchange.QuotaView { return s.shown(b, callerOf(ex)) }
}

// shownOf names what is shown of one bucket to one caller: few, because both
// come from the configuration.
type shownOf struct {
	bucket *bucket
	caller string
}

type shownView struct {
	at   time.Time
	view exchange.QuotaView
}

func (s *Set) shown(b *bucket, caller string) exchange.QuotaView {
	of := shownOf{b, caller}
	known, ok := s.views.Load(of)
	if !ok {
		known, _ = s.views.LoadOrStore(of, new(atomic.Pointer[shownView]))
	}
	last, now := known.(*atomic.Pointer[shownView]), b.now()
	if v := last.Load(); v != nil && now.Sub(v.at) < showFor && !now.Before(v.at) {
		shown := v.view
		if shown.Opens > 0 {
			shown.Opens = max(time.Millisecond, shown.Opens-now.Sub(v.at))
		}
		return shown
	}
	v := &shownView{at: now, view: b.shown(caller)}
	last.Store(v)
	return v.view
}

// View returns the bucket as one caller sees it now; false when it is not in the
// set. It asks nobody.
func (s *Set) View(key Key, caller string) (View, bool) {
	b := s.buckets[key]
	if b == nil {
		return View{}, false
	}
	return b.view(caller), true
}
