package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// terminalWidth is what explanations fit into.
const terminalWidth = 80

// explainRequest shows what became of a request that some replica has served.
func (p program) explainRequest(cmd *cobra.Command, flags adminFlags, output outputFlag, id string) error {
	var d requestDocument
	if err := p.askRequests(cmd, flags, id, &d); err != nil {
		return err
	}
	return output.write(p.stdout, d, func() error { writeRequest(p.stdout, d); return nil })
}

// explainTrace shows what became of all requests of a trace.
func (p program) explainTrace(cmd *cobra.Command, flags adminFlags, output outputFlag, id string) error {
	var d traceDocument
	if err := p.askRequests(cmd, flags, id, &d); err != nil {
		return err
	}
	return output.write(p.stdout, d, func() error { writeTrace(p.stdout, d); return nil })
}

func (p program) askRequests(cmd *cobra.Command, flags adminFlags, id string, document any) error {
	client, err := p.adminClient(flags)
	if err != nil {
		return err
	}
	return client.get(cmd.Context(), pathRequests+id, document)
}

func writeTrace(w io.Writer, d traceDocument) {
	fmt.Fprintf(w, "trace %s: %s\n", d.TraceID, plural(len(d.Requests), "request"))
	if d.TraceURL != "" {
		fmt.Fprintf(w, "  %s\n", d.TraceURL)
	}
	if d.Omitted > 0 {
		fmt.Fprintf(w, "  %s more, older, not shown\n", plural(d.Omitted, "request"))
	}
	for _, s := range d.Silent {
		who := "replica " + s.Replica + " has"
		if s.Replica == "" {
			who = "other replicas have"
		}
		writeHanging(w, "  ", 4, fmt.Sprintf("%s not answered and may know of more: %s", who, s.Reason))
	}
	for _, one := range d.Requests {
		fmt.Fprintln(w)
		one.TraceID, one.TraceURL = "", ""
		writeRequest(w, one)
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func writeRequest(w io.Writer, d requestDocument) {
	head := fmt.Sprintf("%s: %s %s", d.RequestID, d.Method, cmp.Or(d.Route, "-"))
	if d.Work != "" {
		head = fmt.Sprintf("%s: %s", d.Work, cmp.Or(d.Route, d.Environment+"/"+d.Credential))
	}
	writeHanging(w, "", 2, head)
	fmt.Fprintf(w, "  at %s, on replica %s\n", d.Started.Format("2006-01-02 15:04:05.000 MST"), d.Replica)
	if d.TraceID != "" {
		fmt.Fprintf(w, "  trace %s\n", d.TraceID)
	}
	if d.TraceURL != "" {
		fmt.Fprintf(w, "  %s\n", d.TraceURL)
	}
	fmt.Fprintln(w)
	const column = 15 // the longest name of a stage, and some
	for _, s := range d.Stages {
		writeHanging(w, fmt.Sprintf("%-*s", column, s.Stage), column, s.Decision)
	}
	writeTimeline(w, d)
	if p := d.Problem; p != nil && p.Detail != "" {
		fmt.Fprintln(w)
		writeHanging(w, "", 2, p.Title+": "+printable(p.Detail))
	}
	if p := d.Problem; p != nil {
		fmt.Fprintf(w, "\nwhat to do: %s\n", p.Documentation)
	}
	if len(d.Dropped) > 0 {
		fmt.Fprintln(w)
		writeHanging(w, "", 2, "not sent upstream: "+printable(strings.Join(d.Dropped, ", ")))
	}
}

// moment is a line of a timeline.
type moment struct {
	at, took     float64
	what, result string
}

// writeTimeline shows what was waited for and sent, in its order.
func writeTimeline(w io.Writer, d requestDocument) {
	var list []moment
	for _, one := range d.Waits {
		list = append(list, moment{one.AtMS, one.TookMS, one.For, one.words()})
	}
	for i, one := range d.Attempts {
		list = append(list, moment{one.AtMS, one.TookMS, fmt.Sprintf("attempt %d", i+1), one.words()})
	}
	if len(list) == 0 {
		return
	}
	slices.SortStableFunc(list, func(a, b moment) int { return cmp.Compare(a.at, b.at) })
	const columns = "%-9s%-10s%-15s" // the longest name of a span, and some
	fmt.Fprintf(w, "\n"+columns+"%s\n", "at ms", "took ms", "what", "result")
	for _, m := range list {
		prefix := fmt.Sprintf(columns, fmt.Sprintf("%.1f", m.at), fmt.Sprintf("%.1f", m.took), m.what)
		writeHanging(w, prefix, len(prefix), printable(m.result))
	}
}

func (d waitDocument) words() string {
	text := d.Result
	if d.Failed {
		text += ", refused"
	}
	if d.Bucket != "" {
		text += " by " + d.Bucket
	}
	if d.Remaining != nil {
		text += fmt.Sprintf(", %d of %d left", *d.Remaining, d.Limit)
	}
	if d.Generation > 0 {
		text += fmt.Sprintf(", generation %d", d.Generation)
	}
	if d.Link != nil {
		text += ", fetched in trace " + d.Link.TraceID
	}
	return text
}

func (d attemptDocument) words() string {
	text := strings.TrimSuffix(cmp.Or(d.Failure, fmt.Sprint(d.Status))+" from "+d.Host, " from ")
	if d.Body != "" {
		text += fmt.Sprintf(", body %s at %.1f", d.Body, d.BodyMS)
	}
	if d.Breaker != "" && d.Breaker != "closed" {
		text += ", breaker " + d.Breaker
	}
	return text
}

// writeHanging writes words behind a prefix, in lines of the terminal's width; all
// but the first are indented. A word that is longer stands alone: ids and URLs are
// to be copied.
func writeHanging(w io.Writer, prefix string, indent int, text string) {
	line, bare := prefix, true
	for word := range strings.FieldsSeq(text) {
		if !bare && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > terminalWidth {
			fmt.Fprintln(w, line)
			line, bare = strings.Repeat(" ", indent), true
		}
		if !bare {
			line += " "
		}
		line, bare = line+word, false
	}
	fmt.Fprintln(w, line)
}
