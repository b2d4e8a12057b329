package storetest

import (
	"strconv"
	"testing"
	"time"

	"iqgateway/limiter"
)

// window is one window of the upstream. All requests arrive at once.
type window struct {
	name, limit, used, span, ends int64
}

func (w *world) newWindow(limit int64, span time.Duration) *window {
	ends := w.now() + span.Milliseconds()
	return &window{name: ends, limit: limit, span: span.Milliseconds(), ends: ends}
}

// next is the window that follows.
func (u *window) next() *window {
	return &window{name: u.name + u.span, limit: u.limit, span: u.span, ends: u.ends + u.span}
}

// replica is one process's side of a bucket.
type replica struct {
	t     *testing.T
	world *world
	store limiter.Store
	key   limiter.Key

	ask  limiter.Ask // the next
	last limiter.Answer
	held int64 // unspent tokens
}

// replica returns the side of the i-th process.
func (w *world) replica(t *testing.T, i int) *replica {
	t.Helper()
	return &replica{
		t: t, world: w, store: w.stores[i%len(w.stores)], key: w.key,
		ask: limiter.Ask{Replica: "replica-" + strconv.Itoa(i), RTT: 20},
	}
}

// trip tells everything and takes what is granted.
func (r *replica) trip() limiter.Answer {
	r.t.Helper()
	r.ask.Seq++
	return r.send()
}

// send carries the Ask as it is, again or for the first time.
func (r *replica) send() limiter.Answer {
	r.t.Helper()
	r.ask.At, r.ask.Keep = r.world.now(), r.held
	a, err := r.store.Acquire(r.t.Context(), r.key, r.ask)
	if err != nil {
		r.t.Fatal(err)
	}
	if len(a.Grants) != len(r.ask.Uses) || len(a.Left) != len(r.ask.Uses) || len(a.Fair) != len(r.ask.Uses) {
		r.t.Fatalf("%d uses, %d grants, %d left, %d fair", len(r.ask.Uses), len(a.Grants), len(a.Left), len(a.Fair))
	}
	r.take(a)
	return a
}

func (r *replica) take(a limiter.Answer) {
	if a.Epoch != r.ask.Epoch {
		r.ask.Carry += r.ask.Sent - r.ask.Done
		r.ask.Sent, r.ask.Done, r.held = 0, 0, 0
		for i := range r.ask.Uses {
			r.ask.Uses[i].Spent, r.ask.Uses[i].Arrived = 0, 0
		}
	}
	r.ask.Epoch, r.ask.Name, r.last = a.Epoch, a.Name, a
	r.held += granted(a)
}

func granted(a limiter.Answer) int64 {
	n := a.Pool
	for _, g := range a.Grants {
		n += g
	}
	return n
}

// wants makes n requests of a caller wait. Uses must come sorted.
func (r *replica) wants(caller string, class limiter.Class, n int64) *replica {
	for i := range r.ask.Uses {
		if u := &r.ask.Uses[i]; u.Caller == caller && u.Class == class {
			u.Waiting, u.Arrived = n, u.Arrived+n
			return r
		}
	}
	r.ask.Uses = append(r.ask.Uses, limiter.Use{Caller: caller, Class: class, Waiting: n, Arrived: n})
	return r
}

// spend sends as many requests as tokens are held; none is answered yet. The
// grants go to their callers, the pool to the first.
func (r *replica) spend() int64 {
	n := r.held
	r.ask.Sent += n
	for i, g := range r.last.Grants {
		u := &r.ask.Uses[i]
		u.Spent, u.Waiting = u.Spent+g, max(0, u.Waiting-g)
	}
	r.last.Grants = nil
	r.held = 0
	return n
}

// answered has all n requests counted and answered by the window u.
func (r *replica) answered(u *window, n int64) {
	r.ask.Done += n
	r.see(u, n)
}

// see merges what answers of n requests say.
func (r *replica) see(u *window, n int64) {
	u.used += n
	now := r.world.now()
	seen := limiter.Seen{
		Name: u.name, Limit: u.limit, Sent: now, First: now, Last: now,
		Used: u.used, Excess: u.used - r.ask.Sent - r.ask.Carry,
		Lo: u.ends - 20, Hi: u.ends + 20,
	}
	for i, o := range r.ask.Seen {
		if o.Name == u.name {
			seen.First, seen.Used, seen.Excess = o.First, max(o.Used, seen.Used), max(o.Excess, seen.Excess)
			seen.Spent = o.Spent
			r.ask.Seen[i] = seen
			return
		}
	}
	r.ask.Seen = append([]limiter.Seen{seen}, r.ask.Seen...)
	r.ask.Seen = r.ask.Seen[:min(2, len(r.ask.Seen))]
}

// refused has the window u refuse a request that was sent.
func (r *replica) refused(u *window) {
	r.ask.Done++
	r.see(u, 0)
	for i := range r.ask.Seen {
		if r.ask.Seen[i].Name == u.name {
			r.ask.Seen[i].Spent++
		}
	}
}

// learn makes the bucket known: one request goes through.
func (w *world) learn(t *testing.T, r *replica) {
	t.Helper()
	r.wants("aa", limiter.Interactive, 1).trip()
	if r.held != 1 {
		t.Fatalf("the probe got %d tokens", r.held)
	}
	r.answered(w.window, r.spend())
	r.trip()
	if a := r.last; a.Mode != limiter.ModeKnown || a.Limit != w.window.limit || a.Name != w.window.name {
		t.Fatalf("after the first answer: %+v", a)
	}
}

func (r *replica) want(got, want int64, what string) {
	r.t.Helper()
	if got != want {
		r.t.Errorf("%s: %d, want %d", what, got, want)
	}
}
