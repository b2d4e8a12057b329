package main

import (
	"sync"
	"time"

	"iqgateway/limiter"
	"iqgateway/observability"
)

// quotaSeen keeps what the store last answered about each bucket, for gauges: a
// scrape asks the store nothing. It is safe for concurrent use; the zero value
// is ready.
type quotaSeen struct {
	mu   sync.Mutex
	last map[limiter.Name]quotaLast
}

type quotaLast struct {
	answer limiter.Answer
	at     time.Time // when it came
	away   bool      // the store has not answered since
}

func (q *quotaSeen) answered(b limiter.Name, a limiter.Answer, at time.Time) {
	a.Grants, a.Left, a.Fair, a.Top, a.Closed = nil, nil, nil, nil, nil // not ours to keep
	q.set(b, func(l *quotaLast) { l.answer, l.at = a, at })
}

func (q *quotaSeen) turned(b limiter.Name, away bool) {
	q.set(b, func(l *quotaLast) { l.away = away })
}

func (q *quotaSeen) set(b limiter.Name, change func(*quotaLast)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.last == nil {
		q.last = map[limiter.Name]quotaLast{}
	}
	l := q.last[b]
	change(&l)
	q.last[b] = l
}

// gaugesLive is how long an answer is shown after the window that it is of: an
// idle bucket is then absent, and not shown as it was.
const gaugesLive = 10 * time.Second

// states returns what is known at now. guarantees has the shares of what is
// configured now.
func (q *quotaSeen) states(now time.Time, guarantees map[limiter.Name][]limiter.Share) []observability.QuotaState {
	q.mu.Lock()
	defer q.mu.Unlock()
	var states []observability.QuotaState
	for name, l := range q.last {
		shares, configured := guarantees[name]
		if !configured || now.Sub(l.at) > gaugesLive+milliseconds64(l.answer.Span) && !l.away {
			continue
		}
		s := l.state()
		s.Bucket = quotaBucket(name)
		s.Guarantees = guaranteed(shares, l.answer.Limit)
		states = append(states, s)
	}
	return states
}

func (l quotaLast) state() observability.QuotaState {
	a := l.answer
	s := observability.QuotaState{
		Mode: string(a.Mode), Limit: a.Limit, Remaining: a.Available, Upstream: -1,
		Granted: a.Own, External: a.External, Margin: a.Margin, Waiting: a.Waiting, Replicas: a.Replicas,
		Blocked: a.Blocked > a.Now, Uncertainty: -1,
	}
	if a.Used > 0 {
		s.Upstream = max(0, a.Limit-a.Used)
	}
	if a.Lo > 0 && a.Hi >= a.Lo {
		s.Uncertainty, s.Ends = milliseconds64(a.Hi-a.Lo), time.UnixMilli(a.Hi)
	}
	if l.away {
		s.Mode = "local_share"
	}
	return s
}

func guaranteed(shares []limiter.Share, limit int64) map[string]int64 {
	byCaller := map[string]int64{}
	for _, s := range shares {
		if !s.Guarantee.None() {
			byCaller[s.Caller] = max(1, s.Guarantee.Of(limit))
		}
	}
	return byCaller
}
