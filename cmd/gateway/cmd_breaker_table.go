package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// writeBreakers prints one line a breaker; -o json has all.
func writeBreakers(w io.Writer, breakers []breakerDocument, all bool, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	shown := 0
	for _, b := range breakers {
		if !all && isQuiet(b) {
			continue
		}
		if shown++; shown == 1 {
			fmt.Fprintln(t, "BREAKER\tSTATE\tREASON\tFAILED\tNEXT\tNOTE")
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", printable(b.Breaker), printable(b.State), cmp.Or(printable(b.Reason), "-"),
			failedOf(b), nextProbe(b, now), cmp.Or(breakerNote(b, now), "-"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	var err error
	switch rest := len(breakers) - shown; {
	case len(breakers) == 0:
		_, err = fmt.Fprintln(w, "no service is proxied")
	case shown == 0:
		_, err = fmt.Fprintf(w, "all %d breakers are closed, with nothing counted (--all shows them)\n", rest)
	case rest > 0:
		_, err = fmt.Fprintf(w, "%d more closed, with nothing counted (--all shows them)\n", rest)
	}
	return err
}

// failedOf is the failures of what was counted; only a closed breaker counts.
func failedOf(b breakerDocument) string {
	if all := b.Failures + b.Successes; all > 0 {
		return fmt.Sprintf("%d/%d", b.Failures, all)
	}
	return "-"
}

// isQuiet reports whether there is nothing to tell about a breaker.
func isQuiet(b breakerDocument) bool {
	return b.State == "closed" && b.Failures+b.Successes == 0 && b.Forced == nil && len(b.Quota) == 0
}

func nextProbe(b breakerDocument, now time.Time) string {
	switch {
	case b.State == "closed":
		return "-"
	case b.Probes > 0:
		return "probing"
	case b.NextProbe == nil:
		return "now"
	}
	return "in " + span(max(0, b.NextProbe.Sub(now)))
}

// breakerNote says who forced it, what failed last and what the quota does.
func breakerNote(b breakerDocument, now time.Time) string {
	var notes []string
	if f := b.Forced; f != nil {
		notes = append(notes, "forced "+printable(f.State)+" until "+instant(f.Until, now)+": "+printable(f.Reason))
	}
	if b.State != "closed" && len(b.Last) > 0 {
		notes = append(notes, "last failure: "+printable(b.Last[0].Cause))
	}
	for _, q := range b.Quota {
		note := "quota " + printable(q.Bucket) + ": open (429) until " + instant(q.Until, now)
		if q.Reason != "" {
			note += ", by an operator: " + printable(q.Reason)
		}
		notes = append(notes, note)
	}
	return strings.Join(notes, "; ")
}
