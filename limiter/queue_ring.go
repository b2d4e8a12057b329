package limiter

import "slices"

// ring is the lanes of one class in which requests wait, in deficit round
// robin: each may take as many tokens as its weight before the next one's turn.
type ring struct {
	lanes []*lane
	at    int
}

// add puts a lane at the end of the round, if it is not in the ring.
func (g *ring) add(ln *lane) {
	if ln.ringed {
		return
	}
	ln.ringed, ln.credit = true, 0
	g.lanes = slices.Insert(g.lanes, g.at, ln) // before the one whose turn it is
	g.at++
	if g.at == len(g.lanes) {
		g.at = 0
	}
}

// drop takes a lane out; what it has not used of its credit is void.
func (g *ring) drop(ln *lane) {
	i := slices.Index(g.lanes, ln)
	if i < 0 {
		return
	}
	ln.ringed, ln.credit = false, 0
	g.lanes = slices.Delete(g.lanes, i, i+1)
	if i < g.at {
		g.at--
	}
	if g.at >= len(g.lanes) {
		g.at = 0
	}
}

// turn returns the lane that may take the next token, and books it; nil if no
// lane is eligible.
func (g *ring) turn(eligible func(*lane) bool) *lane {
	for range g.lanes {
		ln := g.lanes[g.at]
		if eligible(ln) {
			if ln.credit <= 0 {
				ln.credit = ln.caller.weight
			}
			if ln.credit--; ln.credit == 0 {
				g.step()
			}
			return ln
		}
		ln.credit = 0
		g.step()
	}
	return nil
}

func (g *ring) step() { g.at = (g.at + 1) % len(g.lanes) }
