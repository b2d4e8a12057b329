package redisstore_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"iqgateway/limiter"
)

// trace makes up what a fleet tells a bucket: mostly what real replicas would,
// sometimes what only faults bring about.
type trace struct {
	*rand.Rand
	upstream string // one of upstreams
	now      int64
	span     int64
	limit    int64
	phase    int64
	used     map[int64]int64 // by window
	with     limiter.Parameters
	replicas []*teller
	born     int
	callers  int
}

// teller is a replica's part of a trace.
type teller struct {
	ask    limiter.Ask
	last   limiter.Ask // as it was sent
	epoch  int64
	name   int64
	held   int64
	spent  map[string]int64
	answer limiter.Answer
}

// upstreams are the kinds of traces. calm is an upstream whose windows are
// aligned with the clock and a fleet without faults, crowd has many callers.
func upstreams() []string {
	return []string{"clock", "first", "jitter", "sliding", "limit", "silent", "slots", "calm", "crowd"}
}

const traceStart = 1_790_000_000_000

func newTrace(seed uint64) *trace {
	x := &trace{Rand: rand.New(rand.NewPCG(seed, 1)), now: traceStart, used: map[int64]int64{}}
	x.upstream = upstreams()[seed%uint64(len(upstreams()))]
	x.span = []int64{1000, 10_000, 60_000}[x.IntN(3)]
	x.limit = []int64{0, 5, 40, 500, 10_000}[x.IntN(5)]
	x.phase = x.Int64N(x.span)
	x.callers = 8
	switch x.upstream {
	case "slots":
		x.with.Kind = limiter.Concurrency
	case "calm":
		x.span, x.limit = max(x.span, 10_000), max(x.limit, 40)
	case "crowd":
		x.callers = 90
	}
	x.parameters()
	for range 1 + x.IntN(4) {
		x.join()
	}
	return x
}

func (x *trace) join() {
	x.born++
	x.replicas = append(x.replicas, &teller{ask: limiter.Ask{Replica: fmt.Sprintf("replica-%d", x.born)}, spent: map[string]int64{}})
}

// parameters are those of a new configuration.
func (x *trace) parameters() {
	p := limiter.Parameters{Kind: x.with.Kind, Polite: x.IntN(4) == 0, Shadow: x.IntN(8) == 0}
	if x.IntN(3) == 0 {
		p.Assume, p.AssumeWindow = x.Int64N(100), x.Int64N(2)*x.span
	}
	if x.IntN(3) == 0 {
		p.Max = 1 + x.Int64N(x.limit+5)
	}
	p.SharesID = x.with.SharesID + x.Int64N(2)
	if p.SharesID != x.with.SharesID {
		p.Shares = []limiter.Share{}
		for i := range 8 {
			if x.IntN(3) > 0 {
				continue
			}
			share := limiter.Share{Caller: caller(i), Weight: x.Int64N(4)}
			share.Guarantee.Percent = float64(x.IntN(2)) * float64(x.IntN(400)) / 10
			share.Cap.Tokens = x.Int64N(2) * x.Int64N(50)
			p.Shares = append(p.Shares, share)
		}
	}
	x.with = p
}

func caller(i int) string { return fmt.Sprintf("caller-%d", i) }

// step lets time pass and returns the next Ask and who tells it.
func (x *trace) step() (*teller, limiter.Ask) {
	x.pass()
	r := x.replicas[x.IntN(len(x.replicas))]
	faults := 100
	if x.upstream == "calm" {
		faults = 1000
	}
	switch n := x.IntN(faults); {
	case n < 5 && r.ask.Seq > 0: // its answer was lost
		return r, r.last
	case n < 7 && r.ask.Seq > 1: // it is late
		old := r.last
		old.Seq--
		old.Uses = old.Uses[:x.IntN(len(old.Uses)+1)]
		return r, old
	case n < 8:
		x.parameters()
	case n < 9:
		x.join()
	case n < 10 && len(x.replicas) > 1:
		x.replicas = slices.DeleteFunc(x.replicas, func(o *teller) bool { return o == r })
		r.ask.Leaving = x.IntN(2) == 0
	}
	x.tell(r)
	r.last = r.ask
	r.last.Uses, r.last.Seen = slices.Clone(r.ask.Uses), slices.Clone(r.ask.Seen)
	return r, r.last
}

func (x *trace) pass() {
	switch n := x.IntN(200); {
	case x.upstream == "calm" && n < 180:
		x.now += x.Int64N(x.span / 4)
	case x.upstream == "calm", x.upstream == "slots" && n < 4:
		x.now += x.Int64N(3 * max(x.span, 30_000)) // nobody came
	case n == 0:
		x.now -= x.Int64N(3000) // another server's clock
	case n < 4:
		x.now += x.Int64N(3 * x.span)
	case n < 20:
		x.now += x.Int64N(x.span/2 + 1)
	default:
		x.now += x.Int64N(60)
	}
}

// tell fills in the Ask of a replica.
func (x *trace) tell(r *teller) {
	a := &r.ask
	a.Seq++
	a.Parameters = x.with
	a.At = []int64{x.now, 0, x.now + x.Int64N(100) - 50, x.now + x.Int64N(100) - 50, x.now + 1000*x.Int64N(2)}[x.IntN(5)]
	if x.upstream == "calm" {
		a.At = x.now
	}
	spend := x.Int64N(r.held + 1)
	a.Sent, r.held = a.Sent+spend, r.held-spend
	if x.with.Shadow {
		a.Sent += x.Int64N(4)
	}
	a.Done = min(a.Sent, a.Done+x.Int64N(a.Sent-a.Done+1))
	a.Carry = max(0, a.Carry-x.Int64N(4))
	a.Epoch, a.Name, a.Alone = r.epoch, r.name, 0
	a.RTT, a.Ahead, a.HoldUntil = x.Int64N(200), x.Int64N(3)*x.Int64N(20), 0
	switch x.IntN(40) {
	case 0:
		r.held = 0 // given back
	case 1:
		a.Sent += x.Int64N(20) // granted by a write that was lost
	case 2:
		a.Epoch = 0
	case 3:
		a.HoldUntil = x.now + x.Int64N(3000)
	case 4, 5:
		a.Alone = 1 + x.Int64N(4) // the store has returned
	}
	a.Keep, a.Flight = r.held, x.Int64N(a.Sent-a.Done+a.Carry+1)
	x.uses(r)
	x.answers(r)
}

func (x *trace) uses(r *teller) {
	r.ask.Uses = nil
	for i := range x.callers {
		for class := range limiter.Class(limiter.Classes) {
			if x.IntN(5) > 0 {
				continue
			}
			u := limiter.Use{Caller: caller(i), Class: class, Waiting: x.Int64N(2) * x.Int64N(x.limit/2+3), Arrived: x.Int64N(30)}
			u.Urgent, u.Oldest = x.Int64N(u.Waiting+1)/2, x.Int64N(1000)
			u.Spent = r.spent[u.Caller]
			r.ask.Uses = append(r.ask.Uses, u)
		}
	}
}

// answers makes up what the upstream's answers have told since.
func (x *trace) answers(r *teller) {
	a := &r.ask
	if x.IntN(30) == 0 {
		a.Refused++
	}
	switch x.upstream {
	case "slots":
		return
	case "silent":
		a.Unnamed += x.Int64N(3)
	case "limit":
		a.Unnamed += x.Int64N(3)
		a.LimitSeen = x.limit
	}
	if x.upstream == "silent" || x.upstream == "limit" {
		if x.IntN(50) > 0 {
			return // else it names a window after all
		}
	}
	switch {
	case x.upstream == "calm" && a.Seq > 1 && x.IntN(4) > 0: // the probe came before
		x.see(a, x.now-x.Int64N(20))
	case x.upstream != "calm" && x.IntN(3) == 0:
		x.see(a, x.now-x.Int64N(x.span/4+1))
	}
	if x.IntN(100) == 0 {
		x.limit = max(1, x.limit+x.Int64N(21)-10)
	}
}

// see merges what an answer to a request that was sent at an instant said.
func (x *trace) see(a *limiter.Ask, sent int64) {
	number := (sent - x.phase) / x.span
	ends := (number+1)*x.span + x.phase
	name := ends + 600_000 // the upstream's clock
	switch {
	case x.upstream == "jitter":
		name += x.Int64N(500)
	case x.upstream == "sliding":
		name = sent + x.span/2 + 600_000
	case x.upstream == "first" && x.IntN(30) == 0:
		x.phase = x.Int64N(x.span)
	}
	x.used[number] = min(x.limit, x.used[number]+x.Int64N(x.limit/10+2))
	used := x.used[number]
	s := limiter.Seen{Name: name, Limit: x.limit, Sent: sent, First: sent, Last: x.now, Used: used, Lo: ends - 1000, Hi: ends + x.now - sent + 1000}
	if x.IntN(5) == 0 {
		s.Excess = x.Int64N(used + 1)
	}
	if x.IntN(4) == 0 && x.upstream != "calm" {
		s.Lo, s.Hi = 0, 0
	}
	if used == x.limit && x.IntN(2) == 0 {
		s.Spent = 1 + x.Int64N(3)
	}
	a.Seen = slices.DeleteFunc(a.Seen, func(o limiter.Seen) bool { return o.Name == name })
	a.Seen = append([]limiter.Seen{s}, a.Seen...)
	a.Seen = a.Seen[:min(2, len(a.Seen))]
}

// take is what the replica does with its answer.
func (r *teller) take(a limiter.Answer) {
	if a.Epoch != r.epoch {
		r.ask.Carry += r.ask.Sent - r.ask.Done
		r.ask.Sent, r.ask.Done, r.held = 0, 0, 0
		clear(r.spent)
	}
	r.epoch, r.name, r.answer = a.Epoch, a.Name, a
	r.held += a.Pool
	for i, n := range a.Grants {
		r.held += n
		if i < len(r.ask.Uses) {
			r.spent[r.ask.Uses[i].Caller] += n
		}
	}
}

func (x *trace) String() string {
	return strings.Join([]string{x.upstream, fmt.Sprint(x.limit), "per", fmt.Sprint(x.span)}, " ")
}
