package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"iqgateway/observability"
)

const (
	shortestOrder  = time.Second
	maxOrderReason = 200 // bytes
)

// orderLimits bound what an operator orders for a time, with a reason.
type orderLimits struct {
	most    time.Duration
	longest string // the same, as people write it
	readers string // of the reason
}

func (o orderLimits) allows(lasting time.Duration) bool {
	return lasting >= shortestOrder && lasting <= o.most
}

// check returns for how long, or what to correct in the body of a request.
func (o orderLimits) check(lasting, reason string) (time.Duration, error) {
	d, err := time.ParseDuration(lasting)
	switch {
	case err != nil || !o.allows(d):
		return 0, fmt.Errorf("for is %q: want a time from %s to %s, as 10m", lasting, shortestOrder, o.longest)
	case strings.TrimSpace(reason) == "" || len(reason) > maxOrderReason || !utf8.ValidString(reason):
		return 0, fmt.Errorf("give a reason of at most %d bytes: %s will read it", maxOrderReason, o.readers)
	}
	return d, nil
}

// orderFlags are --for and --reason.
type orderFlags struct {
	lasting time.Duration
	reason  string
}

func (f *orderFlags) register(cmd *cobra.Command, o orderLimits) {
	cmd.Flags().DurationVar(&f.lasting, "for", 0, "how long, as 10m; at most "+o.longest+" (required)")
	cmd.Flags().StringVar(&f.reason, "reason", "", "why (required)")
}

// check returns what to correct in the command line.
func (f *orderFlags) check(cmd *cobra.Command, o orderLimits) error {
	switch {
	case !cmd.Flags().Changed("for"):
		return usageError{errors.New("--for is missing: say for how long, as --for 10m")}
	case !o.allows(f.lasting):
		return usageError{fmt.Errorf("--for %s: want a time from %s to %s, as 10m", f.lasting, shortestOrder, o.longest)}
	case strings.TrimSpace(f.reason) == "":
		return usageError{fmt.Errorf("--reason is missing: say why, for %s", o.readers)}
	}
	return nil
}

// orderWhy is the reason of an order that may come without one. Nobody is shown it:
// it is for the log and the audit log.
type orderWhy struct {
	Reason string `json:"reason,omitempty"`
}

func (o *orderWhy) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.Reason, "reason", "", "why, for the audit log")
}

// checkReason returns what to correct.
func (o orderWhy) checkReason() error {
	if len(o.Reason) > maxOrderReason || !utf8.ValidString(o.Reason) {
		return fmt.Errorf("the reason is not text of at most %d bytes: the audit log keeps it", maxOrderReason)
	}
	return nil
}

// with adds the reason to what is written of an order.
func (o orderWhy) with(attrs ...slog.Attr) []slog.Attr {
	if o.Reason != "" {
		attrs = append(attrs, slog.String("reason", o.Reason))
	}
	return attrs
}

// readOrder reads the body of a request that changes something; false = it was
// answered with what is wrong with it.
func readOrder[T any](w http.ResponseWriter, r *http.Request, check func(T) error) (T, bool) {
	var body T
	err := observability.ReadJSON(r, &body)
	if err == nil {
		err = check(body)
	}
	if err != nil {
		observability.WriteProblem(w, http.StatusBadRequest, err.Error())
	}
	return body, err == nil
}

// unknownName says that there is no such thing, and lists those that are near,
// or else all.
func unknownName(what, name string, known []string) string {
	const most = 20
	near := slices.DeleteFunc(slices.Clone(known), func(k string) bool { return !strings.Contains(k, name) })
	switch {
	case len(near) > 0:
		return fmt.Sprintf("there is no %s %q; did you mean %s?", what, name, strings.Join(near, ", "))
	case len(known) > most:
		return fmt.Sprintf("there is no %s %q; there are %s and %d more", what, name, strings.Join(known[:most], ", "), len(known)-most)
	default:
		return fmt.Sprintf("there is no %s %q; there is %s", what, name, strings.Join(known, ", "))
	}
}
