package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"iqgateway/cache"
)

// writeCache prints one line a service; -o json has all.
func writeCache(w io.Writer, d cacheDocument, reasons bool) error {
	if err := writeCacheState(w, d); err != nil {
		return err
	}
	if len(d.Services) == 0 {
		_, err := fmt.Fprintln(w, "\nno request has reached the cache yet")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "\nSERVICE\tHITS\tSTALE\tJOINED\tCONFIRMED\tMISSES\tBYPASS\tSAVED\tSUGGESTED\tMEMORY")
	for _, s := range d.Services {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t%s\n", printable(s.Environment+"/"+s.Service), s.Hits, sum(s.Stale), s.Coalesced,
			s.Revalidated, sum(s.Misses), sum(s.Bypass), savedText(s.Counts), suggestedText(s.Counts), bytesText(s.Bytes))
	}
	if err := t.Flush(); err != nil || !reasons {
		return err
	}
	return writeCacheReasons(w, d.Services)
}

func writeCacheState(w io.Writer, d cacheDocument) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	tier := "in " + printable(d.Tier.Store)
	switch {
	case d.Tier.Store == "":
		tier = "none: " + printable(d.Tier.Reason)
	case !d.Tier.Up:
		tier += ", not used now: " + printable(d.Tier.Reason)
	}
	log := "this replica is alone"
	switch {
	case d.Log == nil:
	case d.Log.Silent:
		log = "not heard for more than 5s: nothing is used that callers can write"
	default:
		log = "heard"
	}
	for _, line := range [][2]string{
		{"replica", printable(d.Replica)},
		{"memory", fmt.Sprintf("%s of %s, %s", bytesText(d.Memory.Bytes), bytesText(d.Memory.Limit), answersText(d.Memory.Answers))},
		{"second tier", tier},
		{"writes of others", log},
	} {
		fmt.Fprintf(t, "%s\t%s\n", line[0], line[1])
	}
	return t.Flush()
}

// writeCacheReasons prints why answers did not come from the cache, the most
// frequent reason first.
func writeCacheReasons(w io.Writer, services []cache.ServiceStats) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "\nSERVICE\tRESULT\tREASON\tREQUESTS")
	for _, s := range services {
		for _, result := range []struct {
			name string
			by   map[string]uint64
		}{{"miss", s.Misses}, {"stale", s.Stale}, {"bypass", s.Bypass}} {
			order := slices.SortedFunc(maps.Keys(result.by), func(a, b string) int {
				return cmp.Or(cmp.Compare(result.by[b], result.by[a]), cmp.Compare(a, b))
			})
			for _, reason := range order {
				fmt.Fprintf(t, "%s\t%s\t%s\t%d\n", printable(s.Environment+"/"+s.Service), result.name, printable(reason), result.by[reason])
			}
		}
	}
	return t.Flush()
}

func answersText(n int) string {
	if n == 1 {
		return "1 stored answer"
	}
	return fmt.Sprintf("%d stored answers", n)
}

func savedText(c cache.Counts) string {
	if c.SavedCalls == c.SavedTokens {
		return fmt.Sprint(c.SavedCalls)
	}
	return fmt.Sprintf("%d (%d tokens)", c.SavedCalls, c.SavedTokens)
}

func suggestedText(c cache.Counts) string {
	if c.SuggestedHits+c.SuggestedMisses == 0 {
		return "-"
	}
	return fmt.Sprintf("%d of %d", c.SuggestedHits, c.SuggestedHits+c.SuggestedMisses)
}

// bytesText is a size with one decimal: what is measured has no round number.
func bytesText(n int64) string {
	const step = 1024
	size, unit := float64(n), "B"
	for _, next := range []string{"KiB", "MiB", "GiB"} {
		if size < step {
			break
		}
		size, unit = size/step, next
	}
	if unit == "B" || size == float64(int64(size)) {
		return fmt.Sprintf("%d%s", int64(size), unit)
	}
	return fmt.Sprintf("%.1f%s", size, unit)
}

func sum(by map[string]uint64) (total uint64) {
	for _, n := range by {
		total += n
	}
	return total
}

func writePurged(w io.Writer, d purged) error {
	for _, what := range d.Purged {
		fmt.Fprintf(w, "purged %s\n", printable(what))
	}
	_, err := fmt.Fprintln(w, followedText(d.Result))
	return err
}
