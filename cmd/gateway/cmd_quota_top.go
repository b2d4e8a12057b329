package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// How top shows a bucket.
const (
	topBar       = 30 // characters
	topCallers   = 5
	shortestTop  = 200 * time.Millisecond
	usualRefresh = 2 * time.Second
)

func (p program) quotaTopCommand(flags *adminFlags) *cobra.Command {
	output, once, every := outputFlag("table"), false, usualRefresh
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch the fullest buckets and who fills them",
		Long: `Show the buckets in use, the fullest first, each with the callers that have used
most of it, and refresh until Ctrl-C. In the bar, # is this fleet's use and x that
of others. With -o json or yaml they are printed once, in the same order.`,
		Example: `  gateway quota top
  gateway quota top --once   # for a ticket
  gateway quota top -o json`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if every < shortestTop {
				return usageError{fmt.Errorf("--interval %s: want %s or more", every, shortestTop)}
			}
			client, err := p.adminClient(*flags)
			if err != nil {
				return err
			}
			return p.top(cmd.Context(), client, output, once, every)
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "print once and end")
	cmd.Flags().DurationVar(&every, "interval", usualRefresh, "time between two looks")
	cmd.Flags().VarP(&output, "output", "o", "table, json or yaml")
	return cmd
}

func (p program) top(ctx context.Context, client *adminClient, output outputFlag, once bool, every time.Duration) error {
	draw := func(w io.Writer) error {
		var list quotaList
		if err := client.get(ctx, pathQuotas, &list); err != nil {
			return err
		}
		list.Quotas = topQuotas(list.Quotas)
		return output.write(w, list, func() error {
			writeTop(w, list, time.Now())
			return nil
		})
	}
	if once || output != "table" {
		return draw(p.stdout)
	}
	return p.watch(ctx, every, draw)
}

// topQuotas are the buckets in use, the fullest first.
func topQuotas(all []quotaDocument) []quotaDocument {
	quotas := slices.DeleteFunc(all, func(q quotaDocument) bool { return !q.InUse && q.Blocked == nil })
	slices.SortStableFunc(quotas, func(a, b quotaDocument) int {
		return cmp.Or(cmp.Compare(fullness(b), fullness(a)), cmp.Compare(b.Waiting, a.Waiting))
	})
	return quotas
}

func writeTop(w io.Writer, list quotaList, now time.Time) {
	fmt.Fprintf(w, "%s, replica %s, %d buckets in use\n", now.UTC().Format(time.RFC3339), printable(list.Replica), len(list.Quotas))
	for _, q := range list.Quotas {
		opens := ""
		if q.Opens != nil {
			opens = ", opens " + opensIn(q, now)
		}
		fmt.Fprintf(w, "\n%s  %s  %s used of %s%s, %d waiting\n", printable(q.Bucket), bar(q), used(q), limitOf(q), opens, q.Waiting)
		var callers []string
		for _, c := range q.Callers[:min(len(q.Callers), topCallers)] {
			if c.Used > 0 || c.Waiting > 0 {
				callers = append(callers, topCaller(q, c))
			}
		}
		if len(callers) > 0 {
			fmt.Fprintf(w, "  %s\n", strings.Join(callers, "   "))
		}
		if note := quotaNote(q, now); note != "-" {
			fmt.Fprintf(w, "  %s\n", note)
		}
	}
}

func topCaller(q quotaDocument, c quotaCaller) string {
	text := fmt.Sprintf("%s %d", printable(c.Caller), c.Used)
	if q.Limit > 0 {
		text += fmt.Sprintf(" (%d %%)", c.Used*100/q.Limit)
	}
	if c.Waiting > 0 {
		text += fmt.Sprintf(", %d waiting", c.Waiting)
	}
	return text
}

func used(q quotaDocument) string {
	if q.Limit == 0 {
		return fmt.Sprintf("%d", q.Own+q.External)
	}
	return fmt.Sprintf("%d (%.0f %%)", q.Own+q.External, 100*fullness(q))
}

// fullness is the used part of a bucket, 0 while its limit is not known.
func fullness(q quotaDocument) float64 {
	if q.Limit <= 0 {
		return 0
	}
	return float64(q.Own+q.External) / float64(q.Limit)
}

func bar(q quotaDocument) string {
	if q.Limit <= 0 {
		return "[" + strings.Repeat("?", topBar) + "]"
	}
	ours := int(min(q.Own, q.Limit) * topBar / q.Limit)
	others := min(int(q.External*topBar/q.Limit), topBar-ours)
	return "[" + strings.Repeat("#", ours) + strings.Repeat("x", max(0, others)) + strings.Repeat(".", topBar-ours-max(0, others)) + "]"
}
