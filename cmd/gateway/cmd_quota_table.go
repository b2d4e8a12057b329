package main

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// writeQuotas prints one line a bucket; -o json has all.
func writeQuotas(w io.Writer, quotas []quotaDocument, all bool, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	shown := 0
	for _, q := range quotas {
		if !all && !q.InUse && q.Blocked == nil {
			continue
		}
		if shown++; shown == 1 {
			fmt.Fprintln(t, "BUCKET\tMODE\tLIMIT\tOURS\tOTHERS\tLEFT\tOPENS\tWAITING\tREPLICAS\tNOTE")
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%s\t%s\t%d\t%d\t%s\n", printable(q.Bucket), cmp.Or(printable(q.Mode), "-"), limitOf(q), q.Own, q.External,
			amountOf(q, q.Remaining), opensIn(q, now), q.Waiting, q.Replicas, quotaNote(q, now))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	rest := len(quotas) - shown
	switch {
	case len(quotas) == 0:
		_, err := fmt.Fprintln(w, "no caller may use a service that has a quota")
		return err
	case rest > 0:
		_, err := fmt.Fprintf(w, "%d more not used yet (--all shows them)\n", rest)
		return err
	}
	return nil
}

// limitOf is the limit with its unit.
func limitOf(q quotaDocument) string {
	switch {
	case q.Limit == 0:
		return "?"
	case q.Kind == "concurrency":
		return fmt.Sprintf("%d at once", q.Limit)
	case q.WindowSeconds > 0:
		return fmt.Sprintf("%d/%gs", q.Limit, q.WindowSeconds)
	default:
		return strconv.FormatInt(q.Limit, 10)
	}
}

// amountOf prints what means nothing while the limit is not known.
func amountOf(q quotaDocument, n int64) string {
	if q.Limit == 0 {
		return "?"
	}
	return strconv.FormatInt(n, 10)
}

func opensIn(q quotaDocument, now time.Time) string {
	if q.Opens == nil {
		return "-"
	}
	return "in " + span(max(0, q.Opens.Sub(now)))
}

// quotaNote says why nothing goes out, or what is out of the ordinary.
func quotaNote(q quotaDocument, now time.Time) string {
	var notes []string
	switch {
	case q.Blocked == nil:
	case q.Blocked.Reason != "":
		notes = append(notes, "blocked by an operator until "+instant(q.Blocked.Until, now)+": "+printable(q.Blocked.Reason))
	default:
		notes = append(notes, "nothing more until "+instant(q.Blocked.Until, now))
	}
	if q.LocalShare {
		notes = append(notes, "the replica that answers spends its local share: Redis is away")
	}
	if q.Error != "" {
		notes = append(notes, "this replica's own view only: "+printable(q.Error))
	}
	if !q.Enforced {
		notes = append(notes, "not enforced")
	}
	if len(notes) == 0 {
		return "-"
	}
	return strings.Join(notes, "; ")
}

// writeQuota prints all about one bucket.
func writeQuota(w io.Writer, q quotaDocument, now time.Time) error {
	if err := writeQuotaState(w, q, now); err != nil {
		return err
	}
	if err := writeQuotaCallers(w, q); err != nil {
		return err
	}
	if err := writeQuotaWindows(w, q, now); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s\n", scopeEvidence(q))
	return err
}

func writeQuotaState(w io.Writer, q quotaDocument, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, line := range [][2]string{
		{"bucket", printable(q.Bucket)},
		{"counted as", fmt.Sprintf("%s, mode %s", q.Kind, printable(q.Mode))},
		{"limit", limitOf(q)},
		{"ours", fmt.Sprintf("%d (replicas that use it: %d)", q.Own, q.Replicas)},
		{"others", fmt.Sprintf("%d at least, %d kept back for them", q.External, q.Margin)},
		{"left", amountOf(q, q.Remaining)},
		{"upstream's count", strconv.FormatInt(q.UpstreamUsed, 10) + " as last seen"},
		{"opens", opensIn(q, now)},
		{"waiting", strconv.FormatInt(q.Waiting, 10)},
		{"note", quotaNote(q, now)},
	} {
		fmt.Fprintf(t, "%s\t%s\n", line[0], line[1])
	}
	return t.Flush()
}

func writeQuotaCallers(w io.Writer, q quotaDocument) error {
	if len(q.Callers) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "\nCALLER\tUSED\tWAITING\tGUARANTEE\tCAP\tWEIGHT\tEXPECTED")
	for _, c := range q.Callers {
		var expected []string
		for _, class := range []string{"interactive", "batch", "background"} {
			if n := c.Forecast[class]; n > 0 {
				expected = append(expected, fmt.Sprintf("%s %d", class, n))
			}
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\t%s\t%d\t%s\n", printable(c.Caller), c.Used, c.Waiting, orDash(c.Guarantee), orDash(c.Cap), c.Weight, orNone(expected))
	}
	return t.Flush()
}

func orDash(n int64) string {
	if n == 0 {
		return "-"
	}
	return strconv.FormatInt(n, 10)
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "-"
	}
	return strings.Join(list, ", ")
}

func writeQuotaWindows(w io.Writer, q quotaDocument, now time.Time) error {
	if len(q.Windows) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "\nWINDOW ENDED\tLIMIT\tOURS\tUPSTREAM\tOTHERS\tMISSING\tUNSPENT\t429\tBY")
	for _, c := range q.Windows {
		var by []string
		for _, u := range c.By {
			by = append(by, fmt.Sprintf("%s %d", printable(u.Caller), u.Used))
		}
		upstream := "-"
		if c.UpstreamUsed > 0 {
			upstream = strconv.FormatInt(c.UpstreamUsed, 10)
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\t%d\t%d\t%d\t%d\t%s\n", instant(c.Ended, now), c.Limit, c.Own, upstream, c.External, c.Missing, c.Unspent, c.Refused, orNone(by))
	}
	return t.Flush()
}

// scopeEvidence says what the windows tell about what the upstream counts by.
func scopeEvidence(q quotaDocument) string {
	if q.Kind == "concurrency" {
		return "Scope: an upstream that limits requests at once shows no count to compare with."
	}
	var seen, outside, missing int
	var more, less int64
	for _, c := range q.Windows {
		if c.UpstreamUsed == 0 {
			continue
		}
		seen++
		if c.External > 0 {
			outside++
			more += c.External
		}
		if c.Missing > 0 {
			missing++
			less += c.Missing
		}
	}
	switch {
	case seen == 0:
		return "Scope: no evidence yet, no window has ended in which the upstream showed its count."
	case outside == 0 && missing == 0:
		return fmt.Sprintf("Scope: it fits. In all of %d windows the upstream has counted what we sent and nothing else.", seen)
	case missing == 0:
		return fmt.Sprintf("Scope: in %d of %d windows others used the same quota, %d tokens in all. If that is no other program, a wider scope (or quota_group) would count it here.", outside, seen, more)
	case outside == 0:
		return fmt.Sprintf("Scope: in %d of %d windows the upstream counted less than we sent, %d tokens in all: it counts by something narrower (try scope: credential), in several places, or not every answer. Quota is lost, none is overdrawn.", missing, seen, less)
	default:
		return fmt.Sprintf("Scope: the upstream counted %d tokens of others in %d and %d of ours not in %d of %d windows: it counts by something else than scope says.", more, outside, less, missing, seen)
	}
}
