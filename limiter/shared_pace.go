package limiter

// ringSlices are the parts of a paced span. One more is counted, because the oldest
// is left only in part.
const ringSlices = 10

// paced begins to count without windows of the upstream.
func (s *Shared) paced(mode Mode, now int64) {
	if s.Mode == mode {
		return
	}
	s.Mode, s.Named, s.Lo, s.Hi, s.External = mode, unnamed, 0, 0, 0
	s.Factor = 1
	if mode == ModeBlind {
		s.Factor = 5
	}
	s.Slice, s.Ring = now/s.slice(), make([]int64, ringSlices+1)
	s.Ring[ringSlices] = s.own() // of the probes
}

// slide goes on with a window that slides.
func (s *Shared) slide(now int64) {
	own := s.own()
	s.paced(ModeSliding, now)
	s.External = max(0, s.Used-own)
}

// slice is the length of one part of the ring, in milliseconds. What is paced
// blindly is counted over two seconds.
func (s *Shared) slice() int64 {
	if s.Mode == ModeBlind {
		return 200
	}
	return max(1, s.Span/ringSlices)
}

// turn moves the ring on to now.
func (s *Shared) turn(now int64) {
	if s.Ring == nil {
		return
	}
	slice := now / s.slice()
	for k := min(slice-s.Slice, ringSlices+1); k > 0; k-- {
		s.Ring = append(s.Ring[1:], 0)
	}
	s.Slice = max(s.Slice, slice)
}

// ring is what was granted within the span that is counted.
func (s *Shared) ring() int64 {
	n := int64(0)
	for _, tokens := range s.Ring {
		n += tokens
	}
	return n
}

// rate is how many tokens the ring may hold.
func (s *Shared) rate(maximum int64) int64 {
	switch s.Mode {
	case ModeBlind:
		tokens := int64(2 * s.Factor)
		if maximum > 0 {
			tokens = min(tokens, max(1, maximum*2000/s.Span))
		}
		return max(1, tokens)
	case ModeSliding:
		return int64(0.95 * s.Factor * float64(s.Limit))
	default: // a tenth is left to answers that arrive late
		return max(1, int64(0.9*s.Factor*float64(s.Limit)))
	}
}

func minFactor(m Mode) float64 {
	if m == ModeBlind {
		return 0.5
	}
	return 0.05
}

// paceFor is how long an epoch without windows of the upstream lasts: after a
// clean one, a blind rate grows by one a second.
func (s *Shared) paceFor() int64 {
	if s.Mode == ModeBlind {
		return 10000
	}
	return s.Span
}

// pace lets a paced limit recover, at the end of each epoch without a refusal.
func (s *Shared) pace() {
	if s.Ring == nil || s.CutAt >= s.Opened {
		return
	}
	if s.Mode == ModeBlind {
		s.Factor++
		return
	}
	s.Factor = min(1, s.Factor+0.1)
}
