package proxy

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// asked is a session call that takes a while and counts itself.
type asked struct {
	mu        sync.Mutex
	calls     int
	took      time.Duration
	preferred string
	err       error
}

func (a *asked) call(ctx context.Context) (sessionAnswer, error) {
	a.mu.Lock()
	a.calls++
	took, answer, err := a.took, sessionAnswer{public: []byte("{}"), preferred: a.preferred}, a.err
	a.mu.Unlock()
	select {
	case <-time.After(took):
	case <-ctx.Done():
		return sessionAnswer{}, context.Cause(ctx)
	}
	if err != nil {
		return sessionAnswer{}, err
	}
	return answer, nil
}

func (a *asked) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls
}

func (a *asked) set(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
}

func TestOneSessionCallForAllCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, heard := replica(t, nil)
		n, up := s.of(testKey, testUpstream), &asked{took: 2 * time.Second}
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				if i < 50 { // among them whoever came first
					time.AfterFunc(time.Second, leave)
				}
				document, err := n.read(ctx, up.call, true)
				if left := errors.Is(err, context.Canceled); left != (i < 50) || !left && string(document) != "{}" {
					t.Errorf("caller %d: %q, %v", i, document, err)
				}
			})
		}
		all.Wait()
		<-time.After(59 * time.Second)
		if _, err := n.read(t.Context(), up.call, true); err != nil || up.count() != 1 {
			t.Errorf("%d calls, %v", up.count(), err)
		}
		<-time.After(time.Second)
		if _, err := n.read(t.Context(), up.call, true); err != nil || up.count() != 2 {
			t.Errorf("%d calls after a minute, %v", up.count(), err)
		}
		if heard.count("called true") != 2 {
			t.Errorf("told: %v", heard.lines)
		}
	})
}

func TestFailedSessionCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, heard := replica(t, nil)
		ill := errors.New("ill")
		n, up := s.of(testKey, testUpstream), &asked{err: ill}
		for range 10 {
			if _, err := n.read(t.Context(), up.call, true); !errors.Is(err, ill) {
				t.Errorf("error %v", err)
			}
		}
		if up.count() != 1 || heard.count("called false") != 1 {
			t.Errorf("%d calls in one moment", up.count())
		}
		<-time.After(time.Second)
		up.set(func() { up.err = nil })
		if _, err := n.read(t.Context(), up.call, true); err != nil {
			t.Errorf("a second later: %v", err)
		}
		// A call that hangs ends by itself.
		<-time.After(time.Hour)
		up.set(func() { up.took = time.Hour })
		start := time.Now()
		if _, err := n.read(t.Context(), up.call, true); !errors.Is(err, errTotal) || time.Since(start) != sessionTimeout {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

func TestBackgroundQuestions(t *testing.T) {
	const east = "https://dataconnect-useast.iqmetrix.net"
	synctest.Test(t, func(t *testing.T) {
		s, heard := replica(t, nil)
		n, up := s.of(testKey, testUpstream), &asked{took: time.Second, preferred: east}
		use := func(minutes int) {
			for range minutes * 60 {
				n.refresh(up.call, false)
				<-time.After(time.Second)
			}
		}
		use(15)
		if up.count() != 1 || originText(n.preferred()) != east || heard.count("learned "+east) != 1 {
			t.Fatalf("%d calls, prefers %v, told %v", up.count(), n.preferred(), heard.lines)
		}
		use(30)
		if up.count() != 3 || heard.count("learned "+east) != 1 {
			t.Errorf("%d calls in 45 minutes, told %v", up.count(), heard.lines)
		}
		<-time.After(time.Hour)
		if up.count() != 3 {
			t.Error("asked while nobody used it")
		}
		// A question that fails is put off and changes nothing.
		up.set(func() { up.err = errors.New("ill") })
		use(10)
		if up.count() != 5 || originText(n.preferred()) != east {
			t.Errorf("%d calls, prefers %v", up.count(), n.preferred())
		}
		// A host that is not ours is refused, and the old one not kept.
		up.set(func() { up.err, up.preferred = nil, "https://evil.test" })
		use(6)
		if n.preferred() != nil || heard.count("refused true") != 1 || heard.count("learned ") != 1 {
			t.Errorf("prefers %v, told %v", n.preferred(), heard.lines)
		}
		// A session call for a caller of a service without the switch teaches nothing.
		<-time.After(time.Hour)
		up.set(func() { up.preferred = east })
		if _, err := n.read(t.Context(), up.call, false); err != nil || n.preferred() != nil {
			t.Errorf("prefers %v, %v", n.preferred(), err)
		}
	})
}

func TestDroppedHostIsLeftAlone(t *testing.T) {
	const east = "https://dataconnect-useast.iqmetrix.net"
	synctest.Test(t, func(t *testing.T) {
		store := &memoryStore{}
		s, heard := replica(t, store)
		n, up := s.of(testKey, testUpstream), &asked{preferred: east}
		n.ready(t.Context())
		ask := func() string {
			n.refresh(up.call, false)
			<-time.After(2 * time.Second)
			return originText(n.preferred())
		}
		ask()
		n.dropEndpoint(parseURL(east+"/prefix"), DropConnect)
		n.dropEndpoint(parseURL(east), DropConnect) // another attempt noticed as well
		if got := ask(); got != "" || heard.count("dropped "+east+" connect") != 1 {
			t.Errorf("uses %q, told %v", got, heard.lines)
		}
		other, _ := replica(t, store)
		m := other.of(testKey, testUpstream)
		if m.ready(t.Context()); m.preferred() != nil {
			t.Errorf("another replica begins with %v", m.preferred())
		}
		if _, err := n.read(t.Context(), up.call, true); err != nil || n.preferred() != nil {
			t.Errorf("uses %v again at once, %v", n.preferred(), err)
		}
		<-time.After(leaveAlone)
		if got := ask(); got != east {
			t.Errorf("uses %q after five minutes", got)
		}
		if up.count() != 2 {
			t.Errorf("%d calls", up.count())
		}
	})
}

// A replica that starts uses what the fleet has learned, without asking.
func TestReplicasShareThePreferredHost(t *testing.T) {
	const east = "https://dataconnect-useast.iqmetrix.net"
	synctest.Test(t, func(t *testing.T) {
		store, up := &memoryStore{}, &asked{preferred: east}
		a, _ := replica(t, store)
		n := a.of(testKey, testUpstream)
		n.ready(t.Context())
		n.refresh(up.call, false)
		<-time.After(2 * time.Second)
		b, heard := replica(t, store)
		m := b.of(testKey, testUpstream)
		m.ready(t.Context())
		m.refresh(up.call, false)
		<-time.After(2 * time.Second)
		if originText(m.preferred()) != east || up.count() != 1 || heard.count("learned "+east) != 1 {
			t.Errorf("uses %v after %d calls, told %v", m.preferred(), up.count(), heard.lines)
		}
	})
}
