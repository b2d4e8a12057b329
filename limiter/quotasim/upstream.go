package quotasim

import (
	"math"
	"slices"
	"time"
)

// upstream counts requests in fixed windows.
type upstream struct {
	Upstream
	rnd     source
	limit   int64
	opened  bool
	begin   time.Duration // of the current window, by the upstream's clock
	count   int64
	windows []*WindowCount
}

// WindowCount is what the upstream itself counted in one window. Its instants
// are true times.
type WindowCount struct {
	Begin, End time.Duration
	Name       time.Duration // the end by the upstream's clock, without jitter
	Limit      int64         // the last one, if it changed
	Own        int64         // counted requests of the fleet
	External   int64         // counted requests of others
	Refused    int64         // 429s to the fleet because nothing was left
	Hidden     int64         // 429s to the fleet although tokens were left
	Arrived    int64         // requests of the fleet in all
	Late       int64         // requests of the fleet that were sent in it and arrived after it
}

func newUpstream(plan Upstream, rnd source) *upstream {
	return &upstream{Upstream: plan, rnd: rnd, limit: plan.Limit}
}

// reply is an answer before it is written down as header fields.
type reply struct {
	status    int
	silent    bool
	limit     int64
	remaining int64
	reset     time.Duration // by the upstream's clock
	seconds   int64
	date      time.Duration
	window    *WindowCount
}

// arrive takes a request at true time now.
func (u *upstream) arrive(now time.Duration, own bool) reply {
	w := u.window(now)
	status := u.decide(w, own)
	reading := u.Clock.reads(now)
	r := reply{
		status: status, window: w, date: reading,
		limit: u.limit, remaining: max(0, u.limit-u.count),
		reset: w.Name, seconds: u.round(w.Name - reading),
	}
	if own {
		w.Arrived++
		r.silent = u.rnd.chance(u.Silent)
		if u.Jitter > 0 {
			r.reset += u.rnd.between(-u.Jitter, u.Jitter)
		}
	}
	return r
}

// decide counts the request, or not, and returns the status.
func (u *upstream) decide(w *WindowCount, own bool) int {
	switch {
	case own && u.rnd.chance(u.Hidden) && u.count < u.limit:
		w.Hidden++
		return 429
	case own && u.rnd.chance(u.Free) && u.count < u.limit:
		return 304
	case u.count >= u.limit:
		if own {
			w.Refused++
		}
		if u.Count429 {
			u.count++
		}
		return 429
	}
	u.count++
	if own {
		w.Own++
	} else {
		w.External++
	}
	return 200
}

// window returns the current window, a new one if its time has come.
func (u *upstream) window(now time.Duration) *WindowCount {
	if u.ChangeAt > 0 && now >= u.ChangeAt {
		u.limit = u.ChangeTo
	}
	reading := u.Clock.reads(now)
	begin := reading
	if !u.Anchored {
		begin = floorTo(reading-u.Phase, u.Window) + u.Phase
	}
	if !u.opened || reading >= u.begin+u.Window {
		u.opened, u.begin, u.count = true, begin, 0
		u.windows = append(u.windows, &WindowCount{
			Begin: u.Clock.when(begin), End: u.Clock.when(begin + u.Window), Name: begin + u.Window,
		})
	}
	w := u.windows[len(u.windows)-1]
	w.Limit = u.limit
	return w
}

// late notes that a request arrived in a window after the one it was sent in.
func (u *upstream) late(sent time.Duration) {
	for _, w := range slices.Backward(u.windows) {
		if w.Begin <= sent && sent < w.End {
			w.Late++
			return
		}
	}
}

// used returns what is counted in the current window, without opening one.
func (u *upstream) used(now time.Duration) int64 {
	if !u.opened || u.Clock.reads(now) >= u.begin+u.Window {
		return 0
	}
	return min(u.count, u.limit)
}

// named returns the window of a name, in milliseconds since 1970; a name may be
// off by the jitter and by its full seconds.
func (u *upstream) named(name int64) *WindowCount {
	at := time.Duration(name-origin().UnixMilli()) * time.Millisecond
	for _, w := range slices.Backward(u.windows) {
		if d := at - w.Name; d > -u.Window/2 && d <= u.Window/2 {
			return w
		}
	}
	return nil
}

func (u *upstream) round(left time.Duration) int64 {
	s := left.Seconds()
	switch u.Rounding {
	case Floor:
		return int64(math.Floor(s))
	case Nearest:
		return int64(math.Round(s))
	default:
		return int64(math.Ceil(s))
	}
}

// floorTo rounds down to a multiple of the unit, also below 0.
func floorTo(d, unit time.Duration) time.Duration {
	rest := d % unit
	if rest < 0 {
		rest += unit
	}
	return d - rest
}
