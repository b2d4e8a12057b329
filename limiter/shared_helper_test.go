package limiter

import "testing"

// epoch0 is the instant at which the tests of Shared begin, in milliseconds.
const epoch0 = int64(1_800_000_000_000)

// fleet drives one Shared by the asks of several replicas, each with the
// numbers that a faithful replica would tell.
type fleet struct {
	t       *testing.T
	shared  Shared
	with    Parameters
	now     int64
	replica map[string]*account
}

// account is what one replica knows of itself.
type account struct {
	seq, epoch, name               int64
	sent, keep, done, carry, ahead int64
	seen                           []Seen
	unnamed, refused, limit        int64
	uses                           []Use
	at                             int64
	leaving                        bool
	answer                         Answer
}

func newFleet(t *testing.T, p Parameters) *fleet {
	return &fleet{t: t, with: p, now: epoch0, replica: map[string]*account{}}
}

func (f *fleet) of(name string) *account {
	if f.replica[name] == nil {
		f.replica[name] = &account{}
	}
	return f.replica[name]
}

// ask has the replica ask, and spend what it gets at once.
func (f *fleet) ask(name string) Answer {
	f.t.Helper()
	r := f.of(name)
	r.seq++
	a := f.shared.Acquire(f.askOf(name), f.now)
	if a.Epoch != r.epoch {
		if r.epoch != 0 {
			r.carry += r.sent - r.done
		}
		r.sent, r.done, r.keep, r.epoch, r.name = 0, 0, 0, a.Epoch, a.Name
		for i := range r.uses {
			r.uses[i].Spent, r.uses[i].Arrived = 0, 0
		}
	}
	if a.Name != 0 {
		r.name = a.Name
	}
	for i, n := range a.Grants {
		r.sent += n
		r.uses[i].Spent += n
		r.uses[i].Waiting -= n
	}
	r.keep += a.Pool
	r.answer = a
	f.check(a)
	return a
}

func (f *fleet) askOf(name string) Ask {
	r := f.of(name)
	return Ask{
		Replica: name, Seq: r.seq, At: r.at, Parameters: f.with, Epoch: r.epoch, Name: r.name,
		Sent: r.sent, Keep: r.keep, Done: r.done, Carry: r.carry, Flight: r.sent - r.done + r.carry, Ahead: r.ahead, Seen: r.seen,
		Unnamed: r.unnamed, Refused: r.refused, LimitSeen: r.limit, Uses: r.uses, RTT: 20, Leaving: r.leaving,
	}
}

// check is invariant I1: nothing is granted beyond what is left.
func (f *fleet) check(a Answer) {
	f.t.Helper()
	s := &f.shared
	granted := a.Pool
	for _, n := range a.Grants {
		granted += n
	}
	if s.Mode == ModeKnown && granted > 0 && s.own()+s.External+s.margin(f.now) > s.Limit {
		f.t.Fatalf("own %d + external %d + margin %d > limit %d after a grant of %d",
			s.own(), s.External, s.margin(f.now), s.Limit, granted)
	}
}

// sees has the replica tell what an answer said: the window ends in seconds.
func (f *fleet) sees(name string, window, limit, used, seconds int64) {
	r := f.of(name)
	o := told(window, limit, used, used-r.sent-r.carry, f.now, seconds)
	for i := range r.seen {
		if r.seen[i].Name == window {
			o.Excess, o.Used = max(o.Excess, r.seen[i].Excess), max(o.Used, r.seen[i].Used)
			o.First, o.Spent = r.seen[i].First, r.seen[i].Spent
			o.Lo, o.Hi = max(o.Lo, r.seen[i].Lo), min(o.Hi, r.seen[i].Hi)
			r.seen[i] = o
			return
		}
	}
	r.seen = append(r.seen, o)
	if len(r.seen) > 2 {
		r.seen = r.seen[1:]
	}
}

// known has replica a learn a window of limit tokens that ends in seconds.
func (f *fleet) known(limit, seconds int64) {
	f.t.Helper()
	f.of("a").uses = []Use{waiting("probe", Interactive, 1)}
	f.ask("a")
	r := f.of("a")
	f.sees("a", f.now+seconds*1000, limit, r.sent, seconds)
	r.done = r.sent
	r.uses = nil
	if a := f.ask("a"); a.Mode != ModeKnown || a.External != 0 {
		f.t.Fatalf("not known: %+v", a)
	}
}

func sum(list []int64) (n int64) {
	for _, v := range list {
		n += v
	}
	return n
}

// waiting is a caller with n requests that wait, of which nobody knows yet.
func waiting(caller string, class Class, n int64) Use {
	return Use{Caller: caller, Class: class, Waiting: n, Arrived: n}
}

// told is what one answer told of the window named name.
func told(name, limit, used, excess, at, seconds int64) Seen {
	return Seen{
		Name: name, Limit: limit, Used: used, Excess: excess, Sent: at, First: at, Last: at,
		Lo: at + (seconds-1)*1000, Hi: at + (seconds+1)*1000,
	}
}
