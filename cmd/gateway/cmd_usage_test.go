package main

import (
	"context"
	"net/http"
	"testing"
	"time"

	"iqgateway/usage"
)

// oneADay is a usageAdmin on 2026-03-31 whose caller has made a request each day.
func oneADay() usageAdmin {
	return usageAdmin{
		replica: "one", now: func() time.Time { return time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC) },
		read: func(_ context.Context, first, last usage.Day) (usage.Days, error) {
			days := usage.Days{}
			for day := first; day <= last; day++ {
				days[day] = map[usage.Names]usage.Counts{{Caller: "shop"}: {Requests: 1}}
			}
			return days, nil
		},
	}
}

// A bill is of a month, which is over when it is written.
func TestUsageOfAMonth(t *testing.T) {
	var report usageReport
	environ := adminServer(t, oneADay().endpoints()...)
	client, err := program{environ: environ}.adminClient(adminFlags{})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.find(t.Context(), pathUsage, map[string][]string{"by": {"caller"}, "since": {"2026-02-01"}, "until": {"2026-02-28"}}, &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Rows) != 1 || report.Rows[0].Requests != 28 || report.Since != "2026-02-01" || report.Until != "2026-02-28" {
		t.Errorf("%+v", report)
	}
	today := usage.DayOf(time.Now())
	wantCommand(t, environ, exitUsage, []string{"--until", "want a day from"}, "usage", "--since", "2d", "--until", (today + 1).String())
}

func TestUsageRefusesWhatIsNoPeriod(t *testing.T) {
	environ := adminServer(t, oneADay().endpoints()...)
	for want, queries := range map[string][]string{
		"since is": {
			"since=0d", "since=-1d", "since=401d", "since=4294967297d", "since=d", "since=",
			"since=2026-04-01", "since=2025-01-01", "since=2026-02-30",
		},
		"until is":  {"until=2026-04-01", "until=30d", "until=", "since=2d&until=2026-03-29"},
		"by is":     {"by=", "by=day,day", "by=path"},
		"each once": {"since=2d&since=3d", "what=1"},
	} {
		for _, query := range queries {
			wantRefused(t, environ, http.MethodGet, pathUsage+"?"+query, "", http.StatusBadRequest, want)
		}
	}
}
