package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"iqgateway/observability"
	"iqgateway/usage"
)

// pathUsage is a path of the admin API that a command uses.
const pathUsage = "/api/v1/usage"

const (
	defaultUsageBy    = "caller,service"
	defaultUsageSince = "30d"
)

// usageAdmin is what the admin API needs to show usage.
type usageAdmin struct {
	replica string
	// read returns the counts of days, with why the fleet's are not in it.
	read func(ctx context.Context, first, last usage.Day) (usage.Days, error)
	now  func() time.Time
}

// usageReport is the answer to GET /api/v1/usage.
type usageReport struct {
	Replica string      `json:"replica"`
	By      []string    `json:"by"`
	Since   string      `json:"since"` // first day, UTC
	Until   string      `json:"until"` // last day
	Rows    []usage.Row `json:"rows"`
	// HereOnly says why the counts are what this replica alone could not store yet;
	// "" = they are the fleet's.
	HereOnly string `json:"here_only,omitempty"`
}

func (u usageAdmin) endpoints() []observability.Endpoint {
	return []observability.Endpoint{reads(pathUsage, observability.Operation{
		Serve: u.show, Summary: "Show what callers have used, by day, service, caller or credential", Answer: usageReport{},
		Query: []observability.Parameter{
			{Name: "by", Summary: "What rows are told apart by: some of day, environment, service, caller, credential, separated by commas (" + defaultUsageBy + ")"},
			{Name: "since", Summary: "Since when: a number of days with today, as 30d, or a day (UTC), as 2026-01-31 (" + defaultUsageSince + ")"},
			{Name: "until", Summary: "The last day (UTC), as 2026-02-28 (today)"},
		},
		Problems: []int{http.StatusBadRequest},
	})}
}

// usageQuestion is what a query asks for.
type usageQuestion struct {
	by          []string
	first, last usage.Day
}

// readUsageQuestion reads a query.
func readUsageQuestion(query map[string][]string, today usage.Day) (q usageQuestion, err error) {
	asked := map[string]string{"by": defaultUsageBy, "since": defaultUsageSince, "until": today.String()}
	for name, values := range query {
		if _, known := asked[name]; !known || len(values) != 1 {
			return q, fmt.Errorf("%s takes by, since and until, each once", pathUsage)
		}
		asked[name] = values[0]
	}
	if q.by, err = usage.ParseBy(asked["by"]); err != nil {
		return q, err
	}
	if q.first, err = sinceDay(asked["since"], today); err != nil {
		return q, err
	}
	q.last, err = usage.ParseDay(asked["until"])
	if err != nil || q.last < q.first || q.last > today {
		return q, fmt.Errorf("until is %q: want a day from %s to %s", asked["until"], q.first, today)
	}
	return q, nil
}

// sinceDay reads 30d or 2026-01-31.
func sinceDay(text string, today usage.Day) (usage.Day, error) {
	first, err := usage.ParseDay(text)
	if count, isCount := strings.CutSuffix(text, "d"); isCount {
		var days uint64
		days, err = strconv.ParseUint(count, 10, 16)
		first = today - usage.Day(days) + 1
	}
	if err != nil || first > today || first <= today-usage.KeepDays {
		return 0, fmt.Errorf("since is %q: want a number of days with today, from 1d to %dd, or a day from %s to %s", text, usage.KeepDays, today-usage.KeepDays+1, today)
	}
	return first, nil
}

func (u usageAdmin) show(w http.ResponseWriter, r *http.Request) {
	q, err := readUsageQuestion(r.URL.Query(), usage.DayOf(u.now()))
	if err != nil {
		observability.WriteProblem(w, http.StatusBadRequest, err.Error())
		return
	}
	days, err := u.read(r.Context(), q.first, q.last)
	answer := usageReport{Replica: u.replica, By: q.by, Since: q.first.String(), Until: q.last.String(), Rows: usage.Sum(days, q.by)}
	if err != nil {
		answer.HereOnly = err.Error()
	}
	observability.WriteJSON(w, http.StatusOK, answer)
}

// usageAdmin shows what the store has.
func (g *gateway) usageAdmin() usageAdmin {
	return usageAdmin{replica: g.replica, now: time.Now, read: func(ctx context.Context, first, last usage.Day) (usage.Days, error) {
		return g.stores.usage.Read(ctx, first, last, usageNames(g.current.Load().cfg))
	}}
}
