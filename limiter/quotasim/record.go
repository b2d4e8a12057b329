package quotasim

import (
	"time"

	"iqgateway/limiter"
)

// Result is what a run came to.
type Result struct {
	Strategy string
	Came     int
	Sent     int
	Refused  int
	Trips    int // to the store
	Windows  []WindowCount
	// Samples are taken each 200th of a window.
	Samples []Sample
	// Waits of the requests that were sent, by class.
	Waits [limiter.Classes][]Wait
	// Uses is, for each of Windows, what each caller had counted in it.
	Uses []map[string]int64
}

// Wait is how long a request waited, and when it came.
type Wait struct{ Came, For time.Duration }

// Sample is the state of a run at one instant.
type Sample struct {
	At      time.Duration
	Used    int64 // of the current window, by the upstream's count
	Waiting int
	Refused int64 // 429s to the fleet since the run began
}

// recorder measures a run.
type recorder struct {
	w       *world
	came    int
	waiting int
	sum     Result // so far
	uses    map[*WindowCount]map[string]int64
}

func newRecorder(w *world) *recorder {
	return &recorder{w: w, uses: map[*WindowCount]map[string]int64{}}
}

// begin has samples taken until the run ends.
func (r *recorder) begin() {
	var next func()
	next = func() {
		var refused int64
		for _, c := range r.w.up.windows {
			refused += c.Refused
		}
		r.sum.Samples = append(r.sum.Samples, Sample{
			At: r.w.now, Used: r.w.up.used(r.w.now), Waiting: r.waiting, Refused: refused,
		})
		r.w.after(r.w.Upstream.Window/200, next)
	}
	r.w.at(0, next)
}

func (r *recorder) sent(q *request) {
	r.waiting--
	r.sum.Sent++
	r.sum.Waits[q.Class] = append(r.sum.Waits[q.Class], Wait{q.came, r.w.now - q.came})
}

func (r *recorder) refused(*request, *limiter.Refusal) {
	r.waiting--
	r.sum.Refused++
}

func (r *recorder) arrived(q *request, a reply) {
	if a.status == 429 {
		return
	}
	of := r.uses[a.window]
	if of == nil {
		of = map[string]int64{}
		r.uses[a.window] = of
	}
	of[q.Caller]++
}

func (r *recorder) result(strategy string) Result {
	out := r.sum
	out.Strategy, out.Came = strategy, r.came
	for _, c := range r.w.up.windows {
		out.Windows = append(out.Windows, *c)
		out.Uses = append(out.Uses, r.uses[c])
	}
	return out
}

// Full returns the windows that lie within the run as a whole, but for the
// first: there nothing was known yet.
func (r Result) Full(length time.Duration) []WindowCount {
	var full []WindowCount
	for i, c := range r.Windows {
		if i > 0 && c.End <= length {
			full = append(full, c)
		}
	}
	return full
}
