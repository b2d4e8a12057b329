package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// writeStatus prints how a replica is.
func writeStatus(w io.Writer, s statusDocument, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "replica\t%s, version %s, up for %s\n", printable(s.Replica), printable(s.Version), span(max(0, now.Sub(s.Started))))
	fmt.Fprintf(t, "state\t%s\n", stateOf(s))
	fmt.Fprintf(t, "fleet\t%s\n", fleetOf(s))
	fmt.Fprintf(t, "stores\t%s\n", storesOf(s.Stores))
	fmt.Fprintf(t, "breakers\t%s\n", breakersOf(s))
	if len(s.Overrides) > 0 { // none is how it should be
		fmt.Fprintf(t, "overrides\t%s\n", overridesOf(s.Overrides, now))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if err := writeReplicas(w, s, now); err != nil || len(s.Disturbed) == 0 {
		return err
	}
	fmt.Fprintln(w)
	return writeBreakers(w, s.Disturbed, true, now)
}

// writeReplicas prints a line for each replica, where there are several, and
// what is not well. What differs from the replica that was asked has a star.
func writeReplicas(w io.Writer, s statusDocument, now time.Time) error {
	if len(s.Replicas) > 1 {
		t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
		fmt.Fprintln(t, "\nREPLICA\tSTATE\tVERSION\tCONFIGURATION\tUP\tCLOCK\tCERTIFICATE ENDS\tNOTE")
		asked := askedReplica(s)
		for _, r := range s.Replicas {
			ends := "-"
			if r.CertificateEnds != nil {
				ends = instant(*r.CertificateEnds, now)
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", printable(r.Replica), cmp.Or(printable(r.State), "unknown"),
				starred(r.Version, asked.Version), starred(r.Hash, asked.Hash), span(max(0, now.Sub(r.Started))), clockOf(r), ends, replicaNote(r))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	for i, text := range s.Trouble {
		if i == 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "not well: %s\n", printable(text))
	}
	return nil
}

func askedReplica(s statusDocument) replicaDocument {
	for _, r := range s.Replicas {
		if r.Replica == s.Replica {
			return r
		}
	}
	return s.Replicas[0]
}

// starred marks what is not as it is elsewhere.
func starred(text, usual string) string {
	if text != "" && usual != "" && text != usual {
		return printable(text) + "*"
	}
	return cmp.Or(printable(text), "-")
}

func clockOf(r replicaDocument) string {
	if r.State == "" {
		return "-"
	}
	text, skew := fmt.Sprintf("%+dms", r.SkewMS), time.Duration(r.SkewMS)*time.Millisecond
	if skew.Abs() > mostSkew {
		text += "*"
	}
	return text
}

func replicaNote(r replicaDocument) string {
	parts := []string{}
	for _, c := range r.Checks {
		parts = append(parts, c.Name+" "+c.State+": "+c.Detail)
	}
	for _, p := range []string{r.Problem, r.Unasked} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return cmp.Or(printable(strings.Join(parts, "; ")), "-")
}

// stateOf names what is not well.
func stateOf(s statusDocument) string {
	parts := []string{printable(s.State)}
	for _, c := range s.Checks {
		if c.State != "ok" {
			parts = append(parts, printable(c.Name)+" "+printable(c.State)+": "+printable(c.Detail))
		}
	}
	return strings.Join(parts, "; ")
}

func fleetOf(s statusDocument) string {
	if len(s.Replicas) == 0 {
		return "unknown: Redis does not answer"
	}
	if len(s.Replicas) == 1 {
		return "this replica is alone"
	}
	return strconv.Itoa(len(s.Replicas)) + " replicas"
}

func storesOf(all []storeDocument) string {
	if len(all) == 0 {
		return "in memory alone"
	}
	var names []string
	for _, s := range all {
		state := "down"
		if s.Up {
			state = "up"
		}
		names = append(names, printable(s.Store)+" "+state)
	}
	return strings.Join(names, ", ")
}

func breakersOf(s statusDocument) string {
	if n := len(s.Disturbed); n > 0 {
		return fmt.Sprintf("%d of %d are not closed, or forced", n, s.Breakers)
	}
	return fmt.Sprintf("all %d are closed", s.Breakers)
}

// mostNamedOverrides are told by key; `gateway override list` has all.
const mostNamedOverrides = 3

// overridesOf names what operators have laid over the configuration, that which
// ends first first.
func overridesOf(all []overrideDocument, now time.Time) string {
	all = slices.SortedStableFunc(slices.Values(all), func(a, b overrideDocument) int { return a.Until.Compare(b.Until) })
	parts := []string{}
	for _, d := range all[:min(len(all), mostNamedOverrides)] {
		text := fmt.Sprintf("%s=%s for %s", printable(d.Key), printable(d.Value), span(max(0, d.Until.Sub(now))))
		if d.Unfit != "" {
			text += " (does nothing on this replica)"
		}
		parts = append(parts, text)
	}
	if more := len(all) - len(parts); more > 0 {
		parts = append(parts, strconv.Itoa(more)+" more")
	}
	return strings.Join(parts, "; ") + ": see gateway override list"
}

// writePings prints a line for each service that was asked, and how many have no
// ping.
func writePings(w io.Writer, services []serviceDocument) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	asked, unknown := 0, []string{}
	for _, s := range services {
		if s.Pinged == nil {
			unknown = append(unknown, printable(s.Environment+"/"+s.Service))
			continue
		}
		if asked++; asked == 1 {
			fmt.Fprintln(t, "\nSERVICE\tUPSTREAM\tSTATUS\tVERSION\tTOOK\tBREAKER\tPROBLEM")
		}
		a := s.Pinged
		status := "-"
		if a.Status != 0 {
			status = strconv.Itoa(a.Status)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%dms\t%s\t%s\n", printable(s.Environment+"/"+s.Service), printable(s.Upstream), status,
			cmp.Or(printable(a.Version), "-"), a.Milliseconds, printable(s.Breaker), cmp.Or(printable(a.Problem), "-"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(unknown) > 0 {
		fmt.Fprintf(w, "\nno ping is known of %s\n", strings.Join(unknown, ", "))
	}
	_, err := fmt.Fprintf(w, "\n%d asked, each for one token of its quota\n", asked)
	return err
}
