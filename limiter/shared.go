package limiter

import (
	"slices"
	"strings"
)

// Spans of the fleet's decisions, in milliseconds.
const (
	rollGuard   = 5     // after the upper bound of a window's end
	leaseFor    = 3000  // three heartbeats
	recoverFor  = 2000  // two heartbeats: every replica has told its part again
	silentFor   = 2500  // without any ask: the store was away, not the replicas
	probeFor    = 5000  // until another probe may go
	clockSlack  = 250   // between clocks that are the same one
	forgetAfter = 10000 // what a silent replica has sent may still be on its way
	defaultSpan = 60000 // the provider documents windows of a minute
)

// Shared is what the fleet holds in common of one bucket. It is pure: time is
// an argument, and every decision of the fleet is [Shared.Acquire]. The zero
// value knows nothing. It survives being written as JSON and read again.
//
// A window of the upstream is an epoch here. Own is everything of ours that the
// upstream may count in it: what was granted, and what was on its way when it
// began. External is the least that others must have used, by the upstream's own
// count. Nothing is granted beyond what Own, External and a margin leave.
type Shared struct {
	Mode  Mode  `json:"mode"`
	Epoch int64 `json:"e"`
	// Name is the current window's if Named is confirmed or expected, else that
	// of the last one that had a name.
	Name   int64 `json:"n"`
	Named  named `json:"nd"`
	Since  int64 `json:"sn"` // when an answer that named the window had come
	Opened int64 `json:"op"` // when the epoch began
	Last   int64 `json:"la"` // when the last ask came
	// Born is when this state began. It is Lost if replicas had been at work
	// before: what they tell first may be old, so that no more than Given are
	// granted before an answer to one of these has told what is left.
	Born  int64 `json:"bo"`
	Lost  bool  `json:"lost"`
	Given int64 `json:"gv"`

	Limit   int64 `json:"l"` // the upstream's
	LimitAt int64 `json:"lat"`
	Lo      int64 `json:"lo"`
	Hi      int64 `json:"hi"`
	Span    int64 `json:"w"`
	Sure    bool  `json:"ws"` // Span was seen as the difference of two names
	Longest int64 `json:"lg"` // time that was left of a window: windows are no shorter
	// Prev is the last name that an answer gave. Lead is how far the end of the
	// very first window lay ahead when nothing of ours had been sent yet.
	// Aligned counts names in a row that lay whole windows apart.
	Prev    int64 `json:"pv"`
	Lead    int64 `json:"ld"`
	Aligned int64 `json:"al"`
	Slid    int64 `json:"sl"` // names in a row that moved though the count did not restart

	Used     int64   `json:"um"` // the upstream's count, largest seen
	External int64   `json:"x"`
	SeenAt   int64   `json:"sa"` // when the newest answer had come
	RTT      int64   `json:"rtt"`
	Outside  float64 `json:"lam"` // forecast of external use, tokens per millisecond
	Clean    int64   `json:"cn"`  // windows in a row without external use
	Adapt    float64 `json:"ma"`  // margin learned from 429s, tokens

	Shut    bool    `json:"sh"` // the upstream has refused in this window
	Refused int64   `json:"rf"` // 429s of the window
	Hold    int64   `json:"ho"` // Retry-After
	Held    int64   `json:"hd"` // by an operator, until
	Why     string  `json:"why"`
	Recover int64   `json:"rec"`
	Cut     int64   `json:"cut"` // requests at once after a hidden limit; 0 = no cut
	CutAt   int64   `json:"cta"`
	Probe   int64   `json:"pr"`  // no other probe before
	Unnamed int64   `json:"un"`  // answers without a name since the last with one
	Aged    int64   `json:"agd"` // tokens of this window that went to long waiters, from the reserve
	Factor  float64 `json:"fac"` // of a paced limit, or the rate of a blind one per second
	Slice   int64   `json:"rs"`  // number of the newest slice of the ring
	Ring    []int64 `json:"rg"`  // tokens by slice, newest last

	With     Parameters `json:"with"` // of the last ask, without its shares
	SharesID int64      `json:"sid"`
	Shares   []Share    `json:"shr"`
	Members  []Member   `json:"m"` // sorted by replica
	Demand   []Demand   `json:"d"` // sorted by caller
	Trips    int64      `json:"tr"`
}

// named is what is known of the current window's name.
type named uint8

const (
	unnamed   named = iota // Name is an older window's
	expected               // one window after the last: windows are aligned with the clock
	confirmed              // an answer has named it
)

// Member is a replica's part of a bucket.
type Member struct {
	Replica string  `json:"r"`
	Seq     int64   `json:"q"`
	Granted int64   `json:"g"`
	Done    int64   `json:"d"`
	Carry   int64   `json:"c"`
	Open    int64   `json:"o"` // requests under way, and tokens that may yet be spent
	Expires int64   `json:"x"`
	Unnamed int64   `json:"u"`
	Refused int64   `json:"f"`
	Spent   int64   `json:"z"` // 429s told of the current window
	Uses    []Use   `json:"w"`
	Epoch   int64   `json:"e"` // of Grants and Pool, what it was answered last
	Grants  []int64 `json:"gr"`
	Pool    int64   `json:"p"`
	Seen    int64   `json:"s"` // its last ask
}

// Acquire applies an Ask at now, in milliseconds of the store's clock.
func (s *Shared) Acquire(ask Ask, now int64) Answer {
	s.Trips++
	m := s.member(ask.Replica)
	if m.Seq != 0 && ask.Seq <= m.Seq { // its answer was lost, or it is late itself
		return s.answer(s.round(m, now), &ask)
	}
	s.begin(ask.Parameters, now)
	s.mistrust(&ask, now)
	s.Last = now
	ask.Uses, ask.Seen = slices.Clone(ask.Uses), slices.Clone(ask.Seen) // the replica may send them again
	heard := m.Seq != 0
	if !heard && s.older(&ask) {
		s.Lost = true
	}
	m.Seq, m.Seen, m.Expires = ask.Seq, now, now+leaseFor
	var a Answer
	before := s.available(now)
	if s.same(&ask) { // so that the record of a window that ends has the last word
		a.Repaired = s.merge(m, &ask, now)
	}
	a.Closed = s.follow(&ask, now, &a)
	m = s.member(ask.Replica) // others may have gone
	a.Repaired = s.merge(m, &ask, now) || a.Repaired
	s.reconcile(m, &ask, heard, before, now, &a)
	r := s.round(m, now)
	r.grant(&ask)
	out := s.answer(r, &ask)
	out.Closed, out.Repaired, out.Conflict, out.Unexpected = a.Closed, a.Repaired, a.Conflict, a.Unexpected
	if ask.Leaving {
		s.drop(m.Replica)
	}
	return out
}

// begin prepares the state for the parameters of an ask.
func (s *Shared) begin(p Parameters, now int64) {
	if p.Kind == Concurrency && s.Mode != ModeSlots || p.Kind == Window && s.Mode == ModeSlots {
		*s = Shared{Trips: s.Trips, Members: s.Members, Held: s.Held, Why: s.Why, Shares: s.Shares, SharesID: s.SharesID}
		for i := range s.Members {
			s.Members[i].reset()
		}
	}
	if s.Epoch == 0 {
		s.Mode, s.Epoch, s.Opened, s.Last, s.Born = ModeCold, now, now, now, now
		if p.Kind == Concurrency {
			s.Mode, s.Epoch = ModeSlots, 1
		}
	}
	if !s.Sure {
		s.Span = defaultSpan
		if p.AssumeWindow > 0 {
			s.Span = p.AssumeWindow
		}
	}
	s.turn(now)
	if p.SharesID != s.SharesID && p.Shares != nil {
		s.SharesID, s.Shares = p.SharesID, p.Shares
	}
	p.Shares = nil
	s.With = p
}

// older reports whether a replica was at work before this state began, and no
// answer has told since what is left.
func (s *Shared) older(ask *Ask) bool {
	return s.LimitAt < s.Born && (ask.Name != 0 || ask.Epoch != 0 && ask.Epoch < s.Born)
}

// mistrust drops instants of another clock: the ask's, and ours when the store
// has moved to a server whose clock differs.
func (s *Shared) mistrust(ask *Ask, now int64) {
	jumped := now < s.Last-clockSlack
	if ask.At != 0 && abs(now-ask.At) > clockSlack {
		jumped = true
		ask.HoldUntil = 0
		for i := range ask.Seen {
			o := &ask.Seen[i]
			o.Lo, o.Hi, o.Sent, o.First, o.Last = 0, 0, 0, 0, 0
		}
	}
	for i := range ask.Seen {
		if o := &ask.Seen[i]; o.Hi <= max(o.Lo, o.Sent) { // a window cannot end before what it counted was sent
			o.Lo, o.Hi = o.Sent, 0
		}
	}
	if jumped {
		s.Lo, s.Hi = 0, 0 // the next answer tells again
		s.LimitAt, s.Since, s.SeenAt = 0, 0, now
		s.Hold, s.Probe, s.Opened, s.CutAt = min(s.Hold, now+s.Span), 0, now, min(s.CutAt, now)
		s.Slice = min(s.Slice, now/s.slice())
	}
	if jumped || s.Mode == ModeSlots && now-s.Last > silentFor {
		s.await(now)
	}
}

// await gives every replica the time to tell its part again: the store was
// away, or has another clock, so that nobody's silence means anything.
func (s *Shared) await(now int64) {
	s.Recover = now + recoverFor
	for i := range s.Members {
		s.Members[i].Expires = now + recoverFor
		s.Members[i].Seen = now
	}
}

// member returns the part of a replica, a new one if it has none.
func (s *Shared) member(replica string) *Member {
	i, found := slices.BinarySearchFunc(s.Members, replica, func(m Member, r string) int { return strings.Compare(m.Replica, r) })
	if !found {
		s.Members = slices.Insert(s.Members, i, Member{Replica: replica})
	}
	return &s.Members[i]
}

func (s *Shared) drop(replica string) {
	i := slices.IndexFunc(s.Members, func(m Member) bool { return m.Replica == replica })
	if m := s.Members[i]; s.Mode == ModeSlots || m.Granted+m.Carry == 0 {
		s.Members = slices.Delete(s.Members, i, i+1)
	} else {
		s.Members[i].Expires = 0 // what it has sent stays counted until the window ends
	}
}

func (m *Member) reset() {
	m.Granted, m.Done, m.Carry, m.Spent, m.Pool = 0, 0, 0, 0, 0
	m.Uses, m.Grants = nil, nil
}

func abs(n int64) int64 { return max(n, -n) }
