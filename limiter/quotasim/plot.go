package quotasim

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// The drawing's measures, in pixels.
const (
	plotWidth, plotLeft, plotRight  = 960, 64, 24
	panelTop, panelHeight, panelGap = 84, 150, 52
	panelBottom                     = 56
)

// panel is one quantity over time, of all strategies.
type panel struct {
	title string
	value func(Sample) float64
}

// WritePlot writes an SVG of what the runs came to over time: tokens used,
// requests waiting and 429s, one line per strategy. All runs are of one
// scenario; limit is that of its upstream. The result depends on nothing else.
func WritePlot(w io.Writer, s Scenario, runs []Result, from, to time.Duration) error {
	panels := []panel{
		{"tokens used of the window (upstream's count)", func(s Sample) float64 { return float64(s.Used) }},
		{"requests waiting", func(s Sample) float64 { return float64(s.Waiting) }},
		{"429s from the upstream, summed up", func(s Sample) float64 { return float64(s.Refused) }},
	}
	height := panelTop + len(panels)*(panelHeight+panelGap) - panelGap + panelBottom
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="t d">`, plotWidth, height)
	fmt.Fprintf(&b, "\n<title id=\"t\">Staying within %d requests per %v</title>\n", s.Upstream.Limit, s.Upstream.Window)
	fmt.Fprintf(&b, "<desc id=\"d\">%s</desc>\n", "Tokens used, requests waiting and refusals over time, per strategy, on the same simulated demand.")
	b.WriteString(plotStyle)
	fmt.Fprintf(&b, "<rect class=\"bg\" width=\"%d\" height=\"%d\"/>\n", plotWidth, height)
	fmt.Fprintf(&b, "<text class=\"h\" x=\"%d\" y=\"26\">Staying within %d requests per %v: %d replicas, seed %d</text>\n",
		plotLeft, s.Upstream.Limit, s.Upstream.Window, s.Fleet.Replicas, s.Seed)
	for i, r := range runs {
		x := plotLeft + i%4*220
		y := 46 + i/4*18
		fmt.Fprintf(&b, "<line class=\"s%d\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/><text x=\"%d\" y=\"%d\">%s</text>\n",
			i, x, y-4, x+22, y-4, x+28, y, r.Strategy)
	}
	for i, p := range panels {
		p.draw(&b, panelTop+i*(panelHeight+panelGap), runs, from, to)
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// draw draws the panel with its axes at the given height.
func (p panel) draw(b *strings.Builder, top int, runs []Result, from, to time.Duration) {
	var largest float64
	for _, r := range runs {
		for _, s := range within(r.Samples, from, to) {
			largest = max(largest, p.value(s))
		}
	}
	largest = roundUp(largest)
	bottom, right := top+panelHeight, plotWidth-plotRight
	fmt.Fprintf(b, "<g><text x=\"%d\" y=\"%d\">%s</text>\n", plotLeft, top+8, p.title)
	top += 18
	for i := range 3 {
		y := bottom - (bottom-top)*i/2
		fmt.Fprintf(b, "<line class=\"g\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/><text class=\"e\" x=\"%d\" y=\"%d\">%g</text>\n",
			plotLeft, y, right, y, plotLeft-8, y+4, largest*float64(i)/2)
	}
	for i := range 7 {
		at := from + (to-from)*time.Duration(i)/6
		x := plotLeft + (right-plotLeft)*i/6
		fmt.Fprintf(b, "<text class=\"m\" x=\"%d\" y=\"%d\">%v</text>\n", x, bottom+18, at.Round(time.Second))
	}
	for i, r := range slices.Backward(runs) { // the first one on top
		fmt.Fprintf(b, "<polyline class=\"s%d\" points=\"", i)
		for j, s := range p.corners(within(r.Samples, from, to)) {
			if j > 0 {
				b.WriteByte(' ')
			}
			x := plotLeft + float64(right-plotLeft)*float64(s.At-from)/float64(to-from)
			y := float64(bottom) - float64(bottom-top)*p.value(s)/largest
			fmt.Fprintf(b, "%.1f,%.1f", x, y)
		}
		b.WriteString("\"/>\n")
	}
	b.WriteString("</g>\n")
}

// corners leaves out what lies on a level line.
func (p panel) corners(samples []Sample) []Sample {
	var kept []Sample
	for i, s := range samples {
		if i == 0 || i == len(samples)-1 ||
			p.value(samples[i-1]) != p.value(s) || p.value(s) != p.value(samples[i+1]) {
			kept = append(kept, s)
		}
	}
	return kept
}

func within(samples []Sample, from, to time.Duration) []Sample {
	var in []Sample
	for _, s := range samples {
		if s.At >= from && s.At <= to {
			in = append(in, s)
		}
	}
	return in
}

// roundUp returns the end of an axis: 1, 2 or 5 times a power of ten, above 0.
func roundUp(v float64) float64 {
	for unit := 1.0; ; unit *= 10 {
		for _, f := range []float64{1, 2, 5} {
			if f*unit >= v {
				return f * unit
			}
		}
	}
}

const plotStyle = `<style>
svg{--bg:#fff;--ink:#1f2328;--grid:#d8dee4;--s0:#0b57d0;--s1:#b3261e;--s2:#8a6100;--s3:#7b3fb5;--s4:#1a7f37;--s5:#57606a;--s6:#a23b72}
@media (prefers-color-scheme:dark){svg{--bg:#0d1117;--ink:#e6edf3;--grid:#30363d;--s0:#6cb0ff;--s1:#ff8a80;--s2:#e3b341;--s3:#d2a8ff;--s4:#56d364;--s5:#9ea7b3;--s6:#f0a3c9}}
.bg{fill:var(--bg)}text{fill:var(--ink);font:12px system-ui,sans-serif}.h{font-size:15px;font-weight:600}.e{text-anchor:end}.m{text-anchor:middle}
.g{stroke:var(--grid)}polyline{fill:none;stroke-linejoin:round}
.s0{stroke:var(--s0);stroke-width:2.5}.s1{stroke:var(--s1);stroke-width:1.2}.s2{stroke:var(--s2);stroke-width:1.2;stroke-dasharray:6 3}.s3{stroke:var(--s3);stroke-width:1.2;stroke-dasharray:2 3}
.s4{stroke:var(--s4);stroke-width:1.2;stroke-dasharray:9 3 2 3}.s5{stroke:var(--s5);stroke-width:1.2;stroke-dasharray:4 4}.s6{stroke:var(--s6);stroke-width:1.2;stroke-dasharray:1 2}
</style>
`
