package limiter

// This file is the contract between the two sides of a bucket: [Local], one
// replica's side, and [Shared], what the fleet holds in common. A [Store]
// carries the one to the other. Instants are milliseconds of the store's clock
// since 1970, spans are milliseconds, amounts are tokens; an instant of 0 is
// unknown.

// Mode is how a bucket's tokens are counted.
type Mode string

// The modes.
const (
	ModeCold      Mode = "cold"       // nothing is known yet: a probe, or a little of what is assumed
	ModeKnown     Mode = "known"      // fixed windows, as the upstream says
	ModeLimitOnly Mode = "limit_only" // a limit without count or window: 0.9 of it, over a sliding window
	ModeBlind     Mode = "blind"      // no usable header: a rate that finds its own way
	ModeSliding   Mode = "sliding"    // the upstream's window slides
	ModeSlots     Mode = "slots"      // requests at once
)

// Ask is what one replica tells about a bucket and wants from it, all in one
// trip. Every number is absolute, written by this replica alone: to repeat an
// Ask changes nothing, and a lost one heals with the next.
type Ask struct {
	Replica string `json:"r"` // random, new for each start of a process
	// Seq grows with each Ask of a replica. A repeated Ask, because its answer
	// was lost, keeps its Seq and gets the same tokens again.
	Seq int64 `json:"q"`
	// At is when the replica believes to send the Ask, by the store's clock. If
	// that is wrong by more than a quarter of a second, the store is another
	// one, and no instant in this Ask is believed. 0 = the replica cannot tell.
	At int64 `json:"at"`

	Parameters

	// Epoch is the window that Sent, Keep, Done and the Uses belong to: that of
	// the last Answer. It is 0 at first and while the replica has gone on into a
	// new window without the store. Name is that window's name, 0 as long as no
	// answer has named it: by it a store that has lost its state finds the
	// counters' place again.
	Epoch int64 `json:"e"`
	Name  int64 `json:"n"`
	// Sent is how many tokens of the epoch were spent, Keep how many unspent
	// ones the replica wants to keep. What it was granted beyond is returned.
	Sent int64 `json:"s"`
	Keep int64 `json:"k"`
	// Done is how many of Sent are over and were counted in this window for
	// certain, so that they cannot be in a later one. In a Concurrency bucket it is
	// how many are over.
	Done int64 `json:"d"`
	// Carry is how many requests of older epochs may still be counted in this
	// window, or have been.
	Carry int64 `json:"c"`
	// Alone is how many replicas there were when this one began to do without
	// the store, told until shortly after its return; else 0. Others may still
	// spend what the store does not know of.
	Alone int64 `json:"al,omitempty"`
	// Flight is how many requests are under way, of whatever epoch.
	Flight int64 `json:"fl,omitempty"`

	// Seen is what answers of the upstream said, of at most two windows: the
	// newest and the one before. It is repeated in every Ask.
	Seen []Seen `json:"o,omitempty"`
	// Unnamed counts answers since the process started that named no window;
	// Refused those of them that were 429s, and of the named ones those that
	// left tokens (a limit that is not the advertised one). LimitSeen is the
	// limit of the last LimitOnly answer.
	Unnamed   int64 `json:"u,omitempty"`
	Refused   int64 `json:"f,omitempty"`
	LimitSeen int64 `json:"l,omitempty"`
	// HoldUntil is until when the upstream asked for no further request
	// (Retry-After), the latest of all.
	HoldUntil int64 `json:"h,omitempty"`

	// RTT is how long the upstream takes to answer, the 95th percentile.
	RTT int64 `json:"rtt"`
	// Ahead is how many tokens the replica would like to hold beyond those for
	// the requests that wait: what it expects to need until it asks again.
	Ahead int64 `json:"a,omitempty"`
	Uses  []Use `json:"w,omitempty"` // sorted by caller, then class; at most 64 callers
	// Leaving says that the replica ends: it keeps nothing and is forgotten.
	Leaving bool `json:"bye,omitempty"`
}

// Parameters are the part of [Settings] that decisions of the fleet need.
type Parameters struct {
	Kind         BucketKind `json:"kind"`
	Assume       int64      `json:"asm,omitempty"`
	AssumeWindow int64      `json:"asw,omitempty"`
	Max          int64      `json:"max,omitempty"`
	Polite       bool       `json:"pol,omitempty"`
	Shadow       bool       `json:"shd,omitempty"` // Sent may be more than was granted
	// SharesID names the Shares. They are sent only if the last Answer had
	// another SharesID, and kept by the fleet.
	SharesID int64   `json:"sid,omitempty"`
	Shares   []Share `json:"shr,omitempty"`
}

// Use is the part of one caller's class in a bucket, on one replica.
type Use struct {
	Caller  string `json:"c"`
	Class   Class  `json:"x"`
	Waiting int64  `json:"w,omitempty"` // requests that wait for a token now
	Urgent  int64  `json:"u,omitempty"` // of them, those past half of their patience
	Oldest  int64  `json:"o,omitempty"` // how long the first of them has waited
	Spent   int64  `json:"s,omitempty"` // tokens spent in this epoch; of Concurrency, slots held now
	Arrived int64  `json:"a,omitempty"` // requests that came in this epoch
}

// Seen is what the answers that named one window said. Merging is by maximum,
// minimum or the newest, so that order and repetition do not matter.
type Seen struct {
	Name  int64 `json:"n"` // Reset, by the upstream's clock
	Limit int64 `json:"l"` // of the answer whose request was sent last
	Sent  int64 `json:"t"` // when that was
	First int64 `json:"f"` // when the first of these requests was sent
	Last  int64 `json:"r"` // when the last of these answers came
	// Used is the largest count of the upstream (Limit-Remaining), Excess the
	// largest count beyond what this replica itself had in the window when the
	// answer came: its Sent and Carry.
	Used   int64 `json:"u"`
	Excess int64 `json:"x"`
	// Lo and Hi are the bounds of when the window ends.
	Lo int64 `json:"lo"`
	Hi int64 `json:"hi"`
	// Spent counts the 429s that left no token.
	Spent int64 `json:"z,omitempty"`
}

// Answer is what the fleet answers to an [Ask].
type Answer struct {
	Now   int64 `json:"now"` // the store's clock
	Epoch int64 `json:"e"`   // of the grants and of all below
	Mode  Mode  `json:"m"`
	Name  int64 `json:"n"`  // of the window; 0 while no answer has named it
	Lo    int64 `json:"lo"` // bounds of its end
	Hi    int64 `json:"hi"` // 0 = unknown
	Limit int64 `json:"l"`  // what the fleet may use of the window, or at once
	Span  int64 `json:"w"`  // the window's length; 0 = not known for certain
	// Tolerance is how much two names of one window may differ.
	Tolerance int64 `json:"tol"`
	Clock     bool  `json:"k,omitempty"` // windows are aligned with the clock: Hi of the next is known

	// Grants are tokens for the Uses of the Ask, by their index. Pool is tokens
	// that the replica may give to anyone but capped callers. Both expire at
	// Expires and are then counted as spent until the window ends.
	Grants  []int64 `json:"g"`
	Pool    int64   `json:"p"`
	Expires int64   `json:"x"`

	// Available is what is left for grants, Own what the fleet has taken of the
	// window, External what others have, Margin what is left for them.
	Available int64 `json:"av"`
	Own       int64 `json:"own"`
	External  int64 `json:"ext"`
	Margin    int64 `json:"mrg"`
	Used      int64 `json:"um"` // the upstream's own count, as last seen
	// Blocked is until when nothing is granted, 0 = now; Again is when it makes
	// sense to ask again while requests wait.
	Blocked int64 `json:"blk"`
	Again   int64 `json:"ag"`
	// Replicas is how many use the bucket now, Waiting how many requests wait
	// in all.
	Replicas int64 `json:"nr"`
	Waiting  int64 `json:"wt"`
	SharesID int64 `json:"sid"`
	// Left is what each Use could still get of this window if nobody else came;
	// Fair what it can expect of a fresh one. By the index of the Uses.
	Left []int64 `json:"lf"`
	Fair []int64 `json:"fr"`
	// Top are the callers that have used most, largest first, when little is
	// left.
	Top []Usage `json:"top"`
	// Closed is set when this Ask ended a window: its record, for metrics.
	Closed *Closed `json:"cl,omitempty"`
	// Repaired says that the store had lost what this replica knew.
	Repaired bool `json:"rep,omitempty"`
	// Conflict says that what was seen contradicts when the window ends.
	Conflict bool `json:"cf,omitempty"`
	// Unexpected counts 429s that this Ask reported although tokens were left
	// by the fleet's own count.
	Unexpected int64 `json:"un,omitempty"`
}

// Usage is what one caller has used of a window, or at once.
type Usage struct {
	Caller string `json:"c"`
	Spent  int64  `json:"s"`
}

// Closed is the record of a window that is over.
type Closed struct {
	Epoch    int64   `json:"e"`
	Name     int64   `json:"n"`
	Opened   int64   `json:"o"`
	Ended    int64   `json:"d"`
	Limit    int64   `json:"l"`
	Own      int64   `json:"s"` // taken by the fleet, with what was carried in
	External int64   `json:"x"`
	Used     int64   `json:"u"`
	Wasted   int64   `json:"w"` // granted and not spent
	Counted  int64   `json:"k"` // of Own, those that the upstream has counted here for certain
	Refused  int64   `json:"r"` // 429s
	Proof    bool    `json:"p"` // an answer named the next window; else its time had come
	By       []Usage `json:"by"`
}
