package quotasim

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// plotted is the scenario of the plot: others take a fifth of the quota.
func plotted() Scenario {
	s := Compared(7, 6)
	s.External.Rate = 0.2 * 1000 / 60
	return s
}

func drawPlot(t *testing.T, w io.Writer, s Scenario) {
	t.Helper()
	var results []Result
	for _, strategy := range append([]Strategy{Design()}, Baselines()...) {
		r, broken := Run(s, strategy)
		if broken != nil {
			t.Fatal(broken.Report())
		}
		results = append(results, r)
	}
	if err := WritePlot(w, s, results, time.Minute, s.Length()); err != nil {
		t.Fatal(err)
	}
}

func TestPlot(t *testing.T) {
	s := plotted()
	s.Windows = 2
	var a, b strings.Builder
	drawPlot(t, &a, s)
	drawPlot(t, &b, s)
	if a.String() != b.String() {
		t.Error("two plots of one scenario differ")
	}
	lines := 0
	for d := xml.NewDecoder(strings.NewReader(a.String())); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the plot is no XML: %v", err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "polyline" {
			lines++
			if points := e.Attr[1].Value; len(points) < 10 {
				t.Errorf("line %d is %q", lines, points)
			}
		} else if ok && e.Name.Local == "script" {
			t.Error("the plot has a script")
		}
	}
	if want := 3 * (1 + len(Baselines())); lines != want {
		t.Errorf("%d lines, want %d", lines, want)
	}
	if !strings.Contains(a.String(), "prefers-color-scheme:dark") {
		t.Error("the plot has no dark form")
	}
}

// TestWritePlot writes the plot of the documentation, in the long form only.
func TestWritePlot(t *testing.T) {
	if !*long {
		t.Skip("no -long")
	}
	var b strings.Builder
	drawPlot(t, &b, plotted())
	if err := os.WriteFile("../../docs/quota-simulation.svg", []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestAxesEndAtRoundNumbers(t *testing.T) {
	for v, want := range map[float64]float64{0: 1, 1: 1, 1.1: 2, 4: 5, 51: 100, 999: 1000, 1001: 2000} {
		if got := roundUp(v); got != want {
			t.Errorf("an axis for %g ends at %g, want %g", v, got, want)
		}
	}
}
