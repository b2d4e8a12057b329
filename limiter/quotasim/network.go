package quotasim

import "time"

// way is what becomes of one request on the wire.
type way struct {
	there, back    time.Duration
	unsent         bool // fails before a byte is written
	lost, vanishes bool // no answer; not even an arrival
}

func (n Network) draw(s source) way {
	rtt := s.logNormal(n.RTT, n.Sigma)
	w := way{there: rtt * 3 / 10, back: rtt - rtt*3/10}
	if s.chance(n.Tail) {
		late := s.between(n.TailMin, n.TailMax)
		if s.chance(0.5) {
			w.there += late
		} else {
			w.back += late
		}
	}
	w.unsent = s.chance(n.Unsent)
	w.lost = s.chance(n.Lost)
	w.vanishes = w.lost && s.chance(0.5)
	return w
}

// patience returns when the replica gives up, 0 = never: at its timeout, or when
// it sees the connection break.
func (w way) patience(n Network) time.Duration {
	if !w.lost {
		return n.Patience
	}
	broken := w.there + w.back
	if n.Patience > 0 {
		return min(broken, n.Patience)
	}
	return broken
}
