package proxy

import (
	"testing"
	"testing/synctest"
	"time"
)

// Replicas that share a store ask the upstream once for all of them, however
// many requests each of them has.
func TestOneReplicaAsksForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const east = "https://dataconnect-useast.iqmetrix.net"
		store, up := &memoryStore{delay: 5 * time.Millisecond}, &asked{took: time.Second, preferred: east}
		var fleet []*session
		for i := range 5 {
			s := NewSessions(SessionsOptions{Store: store, Random: func() float64 { return float64(i) / 5 }})
			t.Cleanup(s.Close)
			fleet = append(fleet, s.of(testKey, testUpstream))
		}
		use := func(d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); <-time.After(time.Second) {
				for _, n := range fleet {
					n.ready(t.Context())
					if n.due(false) {
						n.refresh(up.call, false)
					}
				}
			}
		}
		use(time.Minute)
		first := up.count() // at the start nobody has asked, and all may at once
		if first > len(fleet) {
			t.Errorf("%d calls at the start", first)
		}
		use(2 * time.Hour)
		if calls := up.count() - first; calls < 7 || calls > 9 {
			t.Errorf("five replicas made %d session calls in two hours, want one each 15 minutes", calls)
		}
		for i, n := range fleet {
			if got := originText(n.preferred()); got != east {
				t.Errorf("replica %d uses %q", i, got)
			}
		}
		// A store that is gone stops no question.
		store.set(func() { store.err = errSessionsClosed })
		before := up.count()
		use(20 * time.Minute)
		if calls := up.count() - before; calls < len(fleet) {
			t.Errorf("%d calls without the store", calls)
		}
	})
}

// A replica whose turn it is looks first whether another one has just asked.
func TestReplicaLooksBeforeItAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, up := &memoryStore{}, &asked{}
		a, _ := replica(t, store)
		b, _ := replica(t, store)
		for _, s := range []*Sessions{a, b} {
			s.of(testKey, testUpstream).ready(t.Context()) // nobody knows anything
		}
		for range 3 {
			for _, s := range []*Sessions{a, b, b} { // the third finds the second looking
				s.of(testKey, testUpstream).refresh(up.call, false)
			}
			<-time.After(time.Second)
		}
		if up.count() > 2 { // both at the same moment
			t.Errorf("%d calls at once", up.count())
		}
		<-time.After(askEvery)
		before := up.count()
		for _, s := range []*Sessions{a, b} {
			s.of(testKey, testUpstream).refresh(up.call, false)
			<-time.After(2 * time.Second)
		}
		if calls := up.count() - before; calls != 1 {
			t.Errorf("%d calls, want one for both", calls)
		}
	})
}
