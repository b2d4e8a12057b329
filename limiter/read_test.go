package limiter

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func windowed(limit, remaining int64, resetAt string, form ResetForm, seconds int64) Observation {
	return Observation{
		Status: 200, Kind: Windowed, Limit: limit, Remaining: remaining,
		Reset: utc(resetAt), ResetForm: form, ResetSeconds: seconds, HasResetSeconds: true,
	}
}

func with(o Observation, change func(*Observation)) Observation {
	change(&o)
	return o
}

func unusable(found ...Anomaly) Observation {
	return Observation{Status: 200, Kind: Unusable, Anomalies: AnomaliesOf(found...)}
}

func limitOnly(limit int64, found ...Anomaly) Observation {
	return Observation{Status: 200, Kind: LimitOnly, Limit: limit, Anomalies: AnomaliesOf(found...)}
}

type readCase struct {
	name   string
	status int
	window time.Duration
	lines  [][2]string
	want   Observation
}

func (c readCase) run(t *testing.T) {
	t.Helper()
	status := c.status
	if status == 0 {
		status = 200
	}
	c.want.Status = status
	got := Read(status, fields(t, c.lines...), c.window)
	if diff := cmp.Diff(c.want, got); diff != "" {
		t.Errorf("-want +got:\n%s\nanomalies %b, want %b", diff, got.Anomalies, c.want.Anomalies)
	}
	if got != c.want {
		t.Error("equal observations do not compare with ==")
	}
}

func TestReadForms(t *testing.T) {
	iso := windowed(1000, 999, "2016-02-25T13:00:00Z", ResetISO, 17)
	us := windowed(1000, 999, "2018-10-30T18:59:00Z", ResetUS, 41)
	full := [][2]string{
		{"X-RateLimit-Limit", "1000"},
		{"X-RateLimit-Remaining", "999"},
		{"X-RateLimit-Reset", sampleReset},
		{"X-RateLimit-ResetSeconds", "41"},
	}
	plus := func(more ...[2]string) [][2]string { return append(slices.Clip(full), more...) }
	for _, c := range []readCase{
		{name: "documented: ISO-8601 with 7 digits", lines: [][2]string{
			{"X-RateLimit-Limit", "1000"},
			{"X-RateLimit-Remaining", "999"},
			{"X-RateLimit-Reset", "2016-02-25T13:00:00.0000000Z"},
			{"X-RateLimit-ResetSeconds", "17"},
		}, want: iso},
		{name: "captured: MM/DD/YYYY", lines: full, want: us},
		{name: "RFC 9110 5.1: names in any case", lines: [][2]string{
			{"x-ratelimit-limit", "1000"},
			{"X-RATELIMIT-REMAINING", "999"},
			{"X-Ratelimit-Reset", sampleReset},
			{"x-ratelimit-resetSECONDS", "41"},
		}, want: us},
		{name: "RFC 9110 5.5: spaces around values", lines: [][2]string{
			{"X-RateLimit-Limit", " 1000"},
			{"X-RateLimit-Remaining", "999\t"},
			{"X-RateLimit-Reset", " " + sampleReset + " "},
			{"X-RateLimit-ResetSeconds", " 41 "},
		}, want: us},
		{name: "captured: the X-RateLimit fields beat the layer's", lines: plus([2]string{"IQ-APIM-RateLimit-Limit", "0"}), want: us},
		{name: "documented: 429 with nothing left", status: 429, lines: [][2]string{
			{"X-RateLimit-Limit", "1000"},
			{"X-RateLimit-Remaining", "0"},
			{"X-RateLimit-Reset", sampleReset},
			{"X-RateLimit-ResetSeconds", "0"},
		}, want: windowed(1000, 0, "2018-10-30T18:59:00Z", ResetUS, 0)},
		{name: "429 with quota left is told as it is", status: 429, lines: full, want: us},
		{name: "errors count as observations", status: 500, lines: full, want: us},
		{name: "429 of limit 0 is a limit", status: 429, lines: [][2]string{
			{"X-RateLimit-Limit", "0"}, {"X-RateLimit-Remaining", "0"}, {"X-RateLimit-ResetSeconds", "5"},
		}, want: with(windowed(0, 0, sampleDateISO, ResetUS, 5), noReset)},
		{name: "without Reset the seconds bound the window", lines: [][2]string{full[0], full[1], full[3]}, want: with(us, noReset)},
		{name: "without ResetSeconds the Reset names it", lines: full[:3], want: with(us, func(o *Observation) {
			o.ResetSeconds, o.HasResetSeconds = 0, false
		})},
		{name: "Date goes along", lines: plus([2]string{"Date", sampleDate}), want: with(us, func(o *Observation) { o.Date = utc(sampleDateISO) })},
	} {
		t.Run(c.name, c.run)
	}
}

const sampleDateISO = "2018-10-30T18:58:20Z"

func noReset(o *Observation) { o.Reset = time.Time{} }

func TestReadLittleOrNothing(t *testing.T) {
	for _, c := range []readCase{
		{name: "absence is no limit and no error"},
		{name: "429 without fields", status: 429},
		{name: "unrelated fields", lines: [][2]string{{"RateLimit-Limit", "5"}, {"X-Rate-Limit-Limit", "5"}, {"X-RateLimit-Used", "5"}}},
		{name: "captured: only IQ-APIM", lines: [][2]string{{"IQ-APIM-RateLimit-Limit", "1500"}}, want: limitOnly(1500)},
		{name: "documented: Cova", lines: [][2]string{{"COVA-APIM-RateLimit-Limit", "300"}}, want: limitOnly(300)},
		{name: "Cova's other fields name no window", lines: [][2]string{
			{"COVA-APIM-RateLimit-Limit", "300"}, {"COVA-APIM-RateLimit-Remaining", "299"}, {"COVA-APIM-RateLimit-Reset", "9"},
		}, want: limitOnly(300)},
		{name: "two layers: the tighter", lines: [][2]string{
			{"COVA-APIM-RateLimit-Limit", "300"}, {"IQ-APIM-RateLimit-Limit", "1500"},
		}, want: limitOnly(300)},
		{name: "two layers: the tighter, other way", lines: [][2]string{
			{"COVA-APIM-RateLimit-Limit", "3000"}, {"IQ-APIM-RateLimit-Limit", "1500"},
		}, want: limitOnly(1500)},
		{name: "two layers, one of them absurd", lines: [][2]string{
			{"COVA-APIM-RateLimit-Limit", "x"}, {"IQ-APIM-RateLimit-Limit", "1500"},
		}, want: limitOnly(1500, AnomalyUnparsable)},
		{name: "captured: IQ-APIM 0 with a 200", lines: [][2]string{{"IQ-APIM-RateLimit-Limit", "0"}}, want: unusable(AnomalyZeroLimit)},
		{name: "limit 0 with an error that is no 429", status: 404, lines: [][2]string{{"IQ-APIM-RateLimit-Limit", "0"}}, want: unusable(AnomalyZeroLimit)},
		{name: "two layers, the last absurd", lines: [][2]string{
			{"IQ-APIM-RateLimit-Limit", "1500"}, {"COVA-APIM-RateLimit-Limit", "0"},
		}, want: limitOnly(1500, AnomalyZeroLimit)},
		{name: "layer limit of 0 with a 429", status: 429, lines: [][2]string{{"IQ-APIM-RateLimit-Limit", "0"}}, want: limitOnly(0)},
		{name: "Limit without the rest", lines: [][2]string{{"X-RateLimit-Limit", "1000"}}, want: limitOnly(1000)},
		{name: "Limit and Remaining of no window", lines: [][2]string{
			{"X-RateLimit-Limit", "1000"}, {"X-RateLimit-Remaining", "9"},
		}, want: limitOnly(1000, AnomalyIncomplete)},
		{name: "window without Remaining", lines: [][2]string{
			{"X-RateLimit-Limit", "1000"}, {"X-RateLimit-Reset", sampleReset}, {"X-RateLimit-ResetSeconds", "41"},
		}, want: limitOnly(1000, AnomalyIncomplete)},
		{name: "Remaining of no Limit", lines: [][2]string{
			{"X-RateLimit-Remaining", "9"}, {"X-RateLimit-Reset", sampleReset},
		}, want: unusable(AnomalyIncomplete)},
		{name: "a layer's limit does not complete it", lines: [][2]string{
			{"X-RateLimit-Remaining", "9"}, {"X-RateLimit-Reset", sampleReset}, {"IQ-APIM-RateLimit-Limit", "1500"},
		}, want: unusable(AnomalyIncomplete)},
	} {
		t.Run(c.name, c.run)
	}
}

// TestReadAcrossTheWire holds the spelling of our field names against what
// net/http makes of the upstream's, in both protocols.
func TestReadAcrossTheWire(t *testing.T) {
	captures := readCaptures(t)
	for _, http2 := range []bool{false, true} {
		server := serveCaptures(t, captures, http2)
		for i, c := range captures {
			got := fetch(t, server, i, http2)
			if want := Read(c.Status, c.header(), time.Minute); got != want || got.Kind == Silent {
				t.Errorf("%s, HTTP/2 %v: %+v, want %+v", c.Request, http2, got, want)
			}
		}
	}
}

func fetch(t *testing.T, server *httptest.Server, i int, http2 bool) Observation {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("%s/%d", server.URL, i), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if (resp.ProtoMajor == 2) != http2 {
		t.Fatalf("answered with %s", resp.Proto)
	}
	return Read(resp.StatusCode, resp.Header, time.Minute)
}
