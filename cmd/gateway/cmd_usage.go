package main

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"iqgateway/usage"
)

func (p program) usageCommand() *cobra.Command {
	var flags adminFlags
	var by, since, until string
	output := usageOutput{"table"}
	cmd := &cobra.Command{
		Use:   "usage",
		Short: "Show what callers have used, by day, service, caller or credential",
		Long: `Show what the callers of a fleet have used, from counters by day (UTC) that are
kept for 400 days: in Redis for the whole fleet, without Redis in data_dir.

  REQUESTS  of callers, whatever became of them
  ATTEMPTS  requests sent upstream, repetitions and refreshes of the cache too
  TOKENS    of upstream quotas that they spent
  HITS      requests that the cache has answered alone
  REFUSED   requests that the gateway has answered with a problem
  BYTES     of answers' bodies

"-" is of requests whose caller is not known, or that were not routed; (rest) is all
that found no room in a day; (gone …) a name that is not configured any more.

` + adminHelp,
		Example: `  gateway usage
  gateway usage --by caller,service --since 30d -o csv
  gateway usage --by day,caller --since 2026-01-31
  gateway usage --since 2026-01-01 --until 2026-01-31`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{"by": {by}, "since": {since}}
			if until != "" {
				query.Set("until", until)
			}
			if _, err := readUsageQuestion(query, usage.DayOf(time.Now())); err != nil {
				return usageError{fmt.Errorf("--%w", err)}
			}
			client, err := p.adminClient(flags)
			if err != nil {
				return err
			}
			var report usageReport
			if err := client.find(cmd.Context(), pathUsage, query, &report); err != nil {
				return err
			}
			if report.HereOnly != "" {
				fmt.Fprintf(p.stderr, "warning: these are counts of replica %s alone that are not stored yet: %s\n", printable(report.Replica), printable(report.HereOnly))
			}
			if output.outputFlag == "csv" {
				return writeUsageCSV(p.stdout, report)
			}
			return output.write(p.stdout, report, func() error { return writeUsage(p.stdout, report) })
		},
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&by, "by", defaultUsageBy, "what rows are told apart by: some of "+strings.Join(usage.Dimensions(), ", "))
	cmd.Flags().StringVar(&since, "since", defaultUsageSince, "a number of days with today, as 30d, or a day (UTC), as 2026-01-31")
	cmd.Flags().StringVar(&until, "until", "", "last day (UTC), as 2026-02-28 (default today)")
	cmd.Flags().VarP(&output, "output", "o", "table, csv, json or yaml")
	return cmd
}

// usageOutput is an [outputFlag] that knows csv.
type usageOutput struct{ outputFlag }

// Set implements pflag.Value.
func (o *usageOutput) Set(text string) error {
	if text == "csv" {
		o.outputFlag = "csv"
		return nil
	}
	if err := o.outputFlag.Set(text); err != nil {
		return fmt.Errorf("%q is none of table, csv, json and yaml", text)
	}
	return nil
}

// usageNumbers are the counts of a row, in the order of the columns.
func usageNumbers(c usage.Counts) []int64 {
	return []int64{c.Requests, c.Attempts, c.Tokens, c.Hits, c.Refusals, c.BytesOut}
}

func writeUsage(w io.Writer, report usageReport) error {
	if len(report.Rows) == 0 {
		_, err := fmt.Fprintf(w, "nothing was used from %s to %s\n", printable(report.Since), printable(report.Until))
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, strings.ToUpper(strings.Join(report.By, "\t"))+"\tREQUESTS\tATTEMPTS\tTOKENS\tHITS\tREFUSED\tBYTES")
	for _, row := range report.Rows {
		var cells []string
		for _, d := range report.By {
			cells = append(cells, cmp.Or(printable(row.Value(d)), "-"))
		}
		numbers := usageNumbers(row.Counts)
		for _, n := range numbers[:len(numbers)-1] {
			cells = append(cells, strconv.FormatInt(n, 10))
		}
		fmt.Fprintln(t, strings.Join(append(cells, bytesText(row.BytesOut)), "\t"))
	}
	return t.Flush()
}

// writeUsageCSV has the names of the JSON document in its first line.
func writeUsageCSV(w io.Writer, report usageReport) error {
	c := csv.NewWriter(w)
	_ = c.Write(append(append([]string{}, report.By...), "requests", "attempts", "tokens", "hits", "refusals", "bytes_out"))
	for _, row := range report.Rows {
		var cells []string
		for _, d := range report.By {
			cells = append(cells, printable(row.Value(d)))
		}
		for _, n := range usageNumbers(row.Counts) {
			cells = append(cells, strconv.FormatInt(n, 10))
		}
		_ = c.Write(cells)
	}
	c.Flush()
	return c.Error()
}
