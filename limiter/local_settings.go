package limiter

import (
	"fmt"
	"hash/fnv"
)

// SetSettings replaces the parameters, as a reload does.
func (l *Local) SetSettings(s Settings) {
	if s.Kind != l.o.Settings.Kind {
		l.startOver()
	}
	l.o.Settings = s
	l.sharesID = sharesID(s.Shares)
	l.queue.configure(s.Shares)
	for !s.Enforce && l.queue.total() > 0 {
		l.dequeue(l.now, l.queue.deadlines[0])
	}
}

// startOver forgets what was counted in another way. What is under way stays on
// the books until it ends.
func (l *Local) startOver() {
	l.begin(0, 0)
	l.ledger.settle()
	l.seen, l.last, l.heard = nil, Answer{}, false
	l.alone.renew(l.serial)
	l.changed()
}

// noShares is what is told instead of an empty list, which would look like none
// at all: somebody's default.
func noShares() []Share { return []Share{{Weight: 1}} }

// parameters are what the fleet needs of the settings. Shares are told only if
// the fleet has others.
func (l *Local) parameters() Parameters {
	s := &l.o.Settings
	p := Parameters{
		Kind: s.Kind, Assume: s.Assume, AssumeWindow: s.AssumeWindow.Milliseconds(), Max: s.Max,
		Polite: s.Polite, Shadow: !s.Enforce, SharesID: l.sharesID,
	}
	if l.heard && l.last.SharesID == l.sharesID {
		return p
	}
	if p.Shares = s.Shares; len(p.Shares) == 0 {
		p.Shares = noShares()
	}
	return p
}

// sharesID names shares by their content. It is not 0 and small enough to be
// exact in double precision.
func sharesID(shares []Share) int64 {
	h := fnv.New64a()
	for _, s := range shares {
		fmt.Fprintf(h, "%q %v %v %d\n", s.Caller, s.Guarantee, s.Cap, s.Weight)
	}
	return int64(h.Sum64()>>11) | 1
}
