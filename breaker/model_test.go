package breaker

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// model is a fleet on which things happen at random, and what must hold.
type model struct {
	*rapid.T
	store    *flaky
	broken   time.Time // the store did not answer at some time until then
	settings Settings
	replicas []*modelled
	stop     context.CancelFunc
	running  sync.WaitGroup
}

// modelled is one replica with what the model knows of it.
type modelled struct {
	*Breakers

	stack    http.RoundTripper
	mu       sync.Mutex
	began    time.Time
	failures []time.Time // of requests that began since the last change
	row      []time.Time // those of rowOf since the last success
	rowOf    *life
	wrong    string
	open     []*modelRequest
}

type modelRequest struct {
	cancel context.CancelFunc
	began  time.Time
	end    chan Result // what its upstream is to do
	done   chan struct{}
}

const modelMin = 5

func newModel(t *rapid.T) *model {
	m := &model{T: t, store: &flaky{}}
	m.settings = Settings{
		Window: 5 * time.Second, MinRequests: modelMin, FailureRatio: 0.5, Failures: errAll,
		OpenFor: time.Second, OpenForMax: 8 * time.Second, HalfOpenProbes: rapid.IntRange(1, 3).Draw(t, "probes"),
	}
	ctx, stop := context.WithCancel(context.Background())
	m.stop = stop
	for i := range rapid.IntRange(1, 3).Draw(t, "replicas") {
		r := &modelled{began: time.Now()}
		rng := rand.New(rand.NewPCG(uint64(i), 1))
		var mu sync.Mutex
		r.Breakers = New(Options{Store: m.store, Replica: fmt.Sprint(i), Hooks: Hooks{Transition: r.changed}, Random: func() float64 {
			mu.Lock()
			defer mu.Unlock()
			return rng.Float64()
		}})
		set, err := r.Use([]Upstream{{Key: key(), Origin: "x", Settings: m.settings}})
		if err != nil {
			t.Fatal(err)
		}
		o := StageOptions{Judge: judge}
		r.stack = set.Gate(o)(set.Permit(o)(upstreamFunc(r.upstream)))
		m.running.Go(func() { r.Run(ctx) })
		m.replicas = append(m.replicas, r)
	}
	return m
}

type modelKey struct{}

// upstream ends a request as the model says.
func (r *modelled) upstream(req *http.Request) (*http.Response, error) {
	q := req.Context().Value(modelKey{}).(*modelRequest)
	select {
	case <-req.Context().Done():
		return nil, context.Cause(req.Context())
	case how := <-q.end:
		switch how {
		case Success:
			return answer(200, "well"), nil
		case Failure:
			r.failed(q)
			return answer(503, "ill"), nil
		default:
			return answer(404, "none"), nil
		}
	}
}

// failed notes a failure that may count: of a request that began before the
// last change it must not.
func (r *modelled) failed(q *modelRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !q.began.Before(r.began) {
		r.failures = append(r.failures, time.Now())
	}
	if l := r.currentLife(); l != r.rowOf {
		r.row, r.rowOf = nil, l
	}
	if q.began.After(r.rowOf.since) { // certainly of this life
		r.row = append(r.row, time.Now())
	}
}

func (r *modelled) currentLife() *life {
	b := r.find(key())
	b.mu.Lock()
	defer b.unlock()
	return b.life
}

// mustBeOpen checks that as many failures in a row as are needed, within a window,
// have opened the breaker.
func (r *modelled) mustBeOpen() {
	s, l := r.List()[0], r.currentLife()
	r.mu.Lock()
	defer r.mu.Unlock()
	if l != r.rowOf {
		return
	}
	if n := len(r.row); n >= modelMin && time.Since(r.row[n-modelMin]) < 4*time.Second && s.State == Closed && s.Forced == nil {
		r.wrong = fmt.Sprintf("it is closed after %d failures in a row", n)
	}
}

// changed checks that a breaker opens for a reason.
func (r *modelled) changed(n Transition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	recent := 0
	for _, at := range r.failures {
		if time.Since(at) <= 6*time.Second { // its window, and a tenth that is rolling out
			recent++
		}
	}
	own := n.To == Open && n.By == r.options.Replica
	if own && n.Reason == ReasonFailures && recent < (modelMin+1)/2 {
		r.wrong = fmt.Sprintf("it opened after %d failures", recent)
	}
	if own && n.Reason == ReasonProbe && recent == 0 && n.From == HalfOpen {
		r.wrong = "a probe failed that nobody saw"
	}
	r.failures, r.row, r.began = nil, nil, time.Now()
}

// send begins a request at a replica.
func (m *model) send(r *modelled) {
	ctx, cancel := context.WithCancel(context.Background())
	q := &modelRequest{cancel: cancel, began: time.Now(), end: make(chan Result, 1), done: make(chan struct{})}
	req, _ := request(context.WithValue(ctx, modelKey{}, q), "/")
	m.running.Go(func() {
		defer close(q.done)
		if resp, err := r.stack.RoundTrip(req); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	})
	if r.open = append(r.open, q); len(r.open) > 20 { // more find nothing more out
		m.cancel(r)
	}
}

// end ends one of a replica's requests.
func (m *model) end(r *modelled, how Result) {
	if len(r.open) == 0 {
		return
	}
	i := rapid.IntRange(0, len(r.open)-1).Draw(m.T, "which")
	q := r.open[i]
	r.open = append(r.open[:i:i], r.open[i+1:]...)
	if how == Success {
		r.mu.Lock()
		r.row = nil
		r.mu.Unlock()
	}
	q.end <- how
	synctest.Wait()
	q.cancel()
	r.mustBeOpen()
}

// cancel has the caller of one leave.
func (m *model) cancel(r *modelled) {
	if len(r.open) > 0 {
		r.open[0].cancel()
		r.open = r.open[1:]
	}
}

func (m *model) step() {
	r := m.replicas[rapid.IntRange(0, len(m.replicas)-1).Draw(m.T, "replica")]
	switch what := rapid.SampledFrom([]string{
		"send", "send", "send", "send", "fail", "fail", "fail", "succeed", "succeed", "exclude", "cancel",
		"rest", "rest", "rest", "long", "order", "trouble",
	}).Draw(m.T, "what"); what {
	case "send":
		m.send(r)
	case "fail":
		m.end(r, Failure)
	case "succeed":
		m.end(r, Success)
	case "exclude":
		m.end(r, Excluded)
	case "cancel":
		m.cancel(r)
	case "rest":
		<-time.After(time.Duration(rapid.IntRange(1, 1500).Draw(m.T, "ms")) * time.Millisecond)
	case "long":
		<-time.After(time.Duration(rapid.IntRange(1, 20).Draw(m.T, "s")) * time.Second)
	case "order":
		if rapid.Bool().Draw(m.T, "reset") {
			_ = r.Reset(context.Background(), key(), "ann")
			break
		}
		state := rapid.SampledFrom([]State{Open, Closed}).Draw(m.T, "state")
		_ = r.Force(context.Background(), key(), Forced{State: state, For: 3 * time.Second, By: "ann"})
	case "trouble":
		if m.store.fails.Load() {
			m.broken = time.Now().Add(claimLife)
		}
		m.store.fails.Store(!m.store.fails.Load())
	}
	synctest.Wait()
	m.check()
}

// check is what holds at every moment.
func (m *model) check() {
	probes, limit := 0, m.settings.HalfOpenProbes
	for i, r := range m.replicas {
		b := r.find(key())
		b.mu.Lock()
		n := len(b.probes)
		for _, p := range b.probes {
			if p.began.After(m.broken) { // others began alone
				probes++
			}
		}
		b.mu.Unlock()
		if n > limit {
			m.Fatalf("replica %d runs %d probes", i, n)
		}
		r.mu.Lock()
		if r.wrong != "" {
			m.Fatalf("replica %d: %s", i, r.wrong)
		}
		r.mu.Unlock()
	}
	if !m.store.fails.Load() && probes > limit {
		m.Fatalf("%d probes run in the fleet, %d may", probes, limit)
	}
}

// heals ends every trouble, and waits until everything is as it should be.
func (m *model) heals() {
	m.store.fails.Store(false)
	for _, r := range m.replicas {
		for _, q := range r.open {
			q.cancel()
		}
		r.open = nil
	}
	deadline := time.Now().Add(m.settings.OpenForMax + 3*time.Second + claimLife + 2*pollEvery) // forced states end, too
	for time.Now().Before(deadline) {
		for _, r := range m.replicas {
			m.send(r)
			m.end(r, Success)
		}
		<-time.After(100 * time.Millisecond)
	}
	synctest.Wait()
	for i, r := range m.replicas {
		if s := r.List()[0]; s.State != Closed {
			m.Fatalf("replica %d is %s (%s) for ever: %+v", i, s.State, s.Reason, s)
		}
	}
}

// Whatever happens to a fleet: REL-47.
func TestREL47Model(t *testing.T) {
	steps := 1000 // of each of 100 runs
	if testing.Short() {
		steps = 100
	}
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			m := newModel(t)
			defer m.close()
			for range steps {
				m.step()
			}
			m.heals()
		})
	})
}

// close ends everything.
func (m *model) close() {
	for _, r := range m.replicas {
		for _, q := range r.open {
			q.cancel()
		}
	}
	m.stop()
	m.running.Wait()
}
