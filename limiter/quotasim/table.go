package quotasim

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"iqgateway/limiter"
)

// Column is a scenario that strategies are compared in.
type Column struct {
	Name     string
	Scenario Scenario
}

// Compared is the base of the columns: 1000 tokens per minute, 4 replicas, 130 %
// of that wanted by batch requests that wait for 20 s, 1 % of the
// answers 1 to 6 s late.
func Compared(seed uint64, windows int) Scenario {
	s := Scenario{
		Seed: seed, Windows: windows,
		Upstream: Upstream{Limit: 1000, Window: time.Minute, Phase: time.Second * 7, Rounding: Nearest},
		Network: Network{
			RTT: 120 * time.Millisecond, Sigma: 0.4,
			Tail: 0.01, TailMin: time.Second, TailMax: 6 * time.Second,
		},
		Store: StorePlan{RTT: time.Millisecond, Timeout: 50 * time.Millisecond},
		Fleet: Fleet{Replicas: 4},
		Settings: limiter.Settings{Enforce: true, MaxWait: [limiter.Classes]time.Duration{
			limiter.Interactive: 2 * time.Second,
			limiter.Batch:       20 * time.Second,
			limiter.Background:  300 * time.Second,
		}},
	}
	s.want(1.3)
	return s
}

// want has ten equal callers want so much of what there is.
func (s *Scenario) want(load float64) {
	rate := load * float64(s.Upstream.Limit) / s.Upstream.Window.Seconds()
	s.Demand = nil
	for i := range 10 {
		s.Demand = append(s.Demand, Demand{
			Caller: fmt.Sprintf("caller-%d", i), Class: limiter.Batch, Rate: rate / 10,
		})
	}
}

// Columns returns the scenarios of the comparison.
func Columns(seed uint64, windows int) []Column {
	calm := Compared(seed, windows)
	slow := Compared(seed, windows)
	slow.Network.Tail = 0.05
	slow.want(1)
	outside := Compared(seed, windows)
	outside.External.Rate = 0.2 * 1000 / 60
	half := Compared(seed, windows)
	half.External.Rate = 0.5 * 1000 / 60
	bursts := Compared(seed, windows)
	bursts.External.Burst = 100
	short := Compared(seed, windows)
	short.Upstream.Limit, short.Upstream.Window, short.Upstream.Phase, short.Upstream.ISO = 50, time.Second, 0, true
	short.want(1.3)
	return []Column{
		{"no one else", calm},
		{"5 % slow, load 1.0", slow},
		{"20 % outside", outside},
		{"50 % outside", half},
		{"outside bursts of 100", bursts},
		{"50 per second", short},
	}
}

// Cell is what a strategy came to in a column, over all seeds.
type Cell struct {
	Used    float64 // part of what others left, over full windows
	Refused float64 // 429s per window
	Worst   int64   // 429s of the worst window
	Trips   float64 // to the store per request
	Windows int
}

// Summarise puts the runs of one cell together.
func Summarise(length time.Duration, runs []Result) Cell {
	var c Cell
	var own, usable, refused int64
	var trips, sent int
	for _, r := range runs {
		for _, w := range r.Full(length) {
			c.Windows++
			own, usable, refused = own+w.Own, usable+w.Limit-w.External, refused+w.Refused
			c.Worst = max(c.Worst, w.Refused)
		}
		trips, sent = trips+r.Trips, sent+r.Sent
	}
	c.Used = float64(own) / float64(max(1, usable))
	c.Refused = float64(refused) / float64(max(1, c.Windows))
	c.Trips = float64(trips) / float64(max(1, sent))
	return c
}

// Row is one strategy in all columns.
type Row struct {
	Strategy string
	Cells    []Cell
}

// WriteTable writes the comparison as text: what was used of what others left,
// and 429s per window (in the worst one).
func WriteTable(w io.Writer, columns []Column, rows []Row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "strategy")
	for _, c := range columns {
		fmt.Fprintf(t, "\t%s", c.Name)
	}
	fmt.Fprintln(t)
	for _, r := range rows {
		fmt.Fprint(t, r.Strategy)
		for _, c := range r.Cells {
			fmt.Fprintf(t, "\t%.1f %% / %.2f (%d)", 100*c.Used, c.Refused, c.Worst)
			if c.Trips > 0 {
				fmt.Fprintf(t, " %.3f", c.Trips)
			}
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}
