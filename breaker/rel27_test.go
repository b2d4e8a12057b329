package breaker

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/internal/exchange"
)

const (
	outage    = 30 * time.Second
	perSecond = 20 // requests that begin, at each replica
)

// recovery is what an outage looked like from both sides.
type recovery struct {
	mu       sync.Mutex
	down     time.Time // when it began; zero = it did not
	up       time.Time
	first    time.Time // success after it
	second   int       // requests that reached the upstream in the second after that
	late     [2]int    // ended well, and ill, from 4 s after that
	probes   int       // under way
	most     int
	ill      upstreamFunc
	inOutage int
}

func (v *recovery) isDown(now time.Time) bool {
	return !v.down.IsZero() && !now.Before(v.down) && now.Before(v.up)
}

// upstream answers after 20 ms, or as ill as it is.
func (v *recovery) upstream(req *http.Request) (*http.Response, error) {
	now := time.Now()
	probe := exchange.From(req.Context()).Breaker == string(HalfOpen)
	v.mu.Lock()
	down, ill := v.isDown(now), v.ill
	if down {
		v.inOutage++
	}
	if !v.first.IsZero() && now.Sub(v.first) < time.Second {
		v.second++
	}
	if probe {
		v.probes++
		v.most = max(v.most, v.probes)
	}
	v.mu.Unlock()
	defer func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		if probe {
			v.probes--
		}
	}()
	if down {
		return ill(req)
	}
	<-time.After(20 * time.Millisecond)
	v.mu.Lock()
	if !v.up.IsZero() && v.first.IsZero() && !now.Before(v.up) {
		v.first = time.Now()
	}
	v.mu.Unlock()
	return answer(200, "well"), nil
}

// caller repeats what was refused when it was told to, for a minute.
func (v *recovery) caller(r *replica) {
	for range 60 {
		_, err := r.send("/")
		p, refused := errors.AsType[*exchange.Problem](err)
		v.mu.Lock()
		if !v.first.IsZero() && time.Since(v.first) >= 4*time.Second {
			if err == nil {
				v.late[0]++
			} else {
				v.late[1]++
			}
		}
		v.mu.Unlock()
		if !refused {
			return
		}
		<-time.After(p.RetryAfter)
	}
}

// TestREL27Recovery: an upstream is down for 30 s and then well, under the load
// of three replicas whose callers come back as they are told.
func TestREL27Recovery(t *testing.T) {
	ping := func(u *Upstream, v *recovery) {
		u.Ping = func(context.Context) error {
			v.mu.Lock()
			defer v.mu.Unlock()
			if v.isDown(time.Now()) {
				return errors.New("ill")
			}
			return nil
		}
	}
	tests := map[string]struct {
		ill    upstreamFunc
		edit   func(*Upstream, *recovery)
		within time.Duration // of health; 0 = a second
	}{
		"nobody listens":                  {failing(Unreachable), nil, 0},
		"503, with an active probe":       {always(503), ping, 0},
		"resets, with an active probe":    {failing(Broken), ping, 0},
		"no header, with an active probe": {late(5*time.Second, TimedOut), ping, 0},
		"503, open for a second at most":  {always(503), func(u *Upstream, _ *recovery) { u.Settings.OpenForMax = time.Second }, 0},
		// What a probe has run into, it must first come out of.
		"no connection in time, three probes": {late(2*time.Second, Unreachable), func(u *Upstream, _ *recovery) { u.Settings.HalfOpenProbes = 3 }, 3 * time.Second},
		// Without any of these, an upstream that answers is asked ever more seldom:
		// after OpenForMax at the latest.
		"503": {always(503), nil, 30 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := &recovery{ill: tt.ill}
				u := usual()
				if tt.edit != nil {
					tt.edit(&u, v)
				}
				v.run(t, u, max(tt.within, time.Second))
			})
		})
	}
}

// late fails after a while.
func late(d time.Duration, k Kind) upstreamFunc {
	return func(*http.Request) (*http.Response, error) {
		<-time.After(d)
		return nil, kinded{k}
	}
}

func (v *recovery) run(t *testing.T, u Upstream, within time.Duration) {
	t.Helper()
	store := &Memory{}
	var fleet []*replica
	for _, name := range []string{"a", "b", "c"} {
		r := newReplica(t, name, store, u)
		r.become(v.upstream)
		fleet = append(fleet, r)
	}
	var callers sync.WaitGroup
	load := func(d time.Duration) {
		for i := range int(d.Seconds() * perSecond) {
			for j, r := range fleet {
				callers.Go(func() {
					<-time.After(time.Duration((i*7+j*17)%50) * time.Millisecond)
					v.caller(r)
				})
			}
			<-time.After(time.Second / perSecond)
		}
	}
	load(35 * time.Second)
	v.mu.Lock()
	v.down = time.Now()
	v.up = v.down.Add(outage)
	v.mu.Unlock()
	load(outage + within + 10*time.Second)
	callers.Wait()

	limit := u.Settings.withDefaults().HalfOpenProbes
	steady := len(fleet) * perSecond
	healed := v.first.Sub(v.up)
	t.Logf("first success after %s; %d requests in the second after it (steady %d); after 4 s more %d well, %d not; %d reached it while it was ill; at most %d probes",
		healed, v.second, steady, v.late[0], v.late[1], v.inOutage, v.most)
	if v.first.IsZero() || healed > within {
		t.Errorf("first success %s after it was well", healed)
	}
	if v.second*100 > steady*110 {
		t.Errorf("%d requests in the first second, steady are %d", v.second, steady)
	}
	if v.late[0] == 0 || v.late[1]*100 > v.late[0]+v.late[1] {
		t.Errorf("after 4 s more %d ended well, %d did not", v.late[0], v.late[1])
	}
	if v.most > limit {
		t.Errorf("%d probes at once, want at most %d", v.most, limit)
	}
}
