package traces_test

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"iqgateway/test/rig"
	"iqgateway/test/traces"
)

// TestNumbersAgree: whatever counts requests has counted the same: those who sent
// them, metrics, access log, spans, and the upstream.
func TestNumbersAgree(t *testing.T) {
	t.Parallel()
	n := 2_000
	if *long {
		n = 10_000
	}
	s := newSubject(t, mixSettings())
	driver := s.load(t, n)
	s.settle(t)
	driver.outcomes[keyOf("", "unknown-service")] += s.marks
	driver.statuses[keyOf("", 404)] += s.marks
	c := s.count(t)
	for what, pair := range map[string][2]traces.Tally{
		"exchanges of the driver and metrics":  {driver.outcomes, sure(c.metrics.outcomes)},
		"exchanges of the driver and the log":  {driver.outcomes, sure(c.lines.outcomes)},
		"exchanges of the driver and spans":    {driver.outcomes, sure(c.spans.outcomes)},
		"statuses of the driver and metrics":   {driver.statuses, sure(c.metrics.statuses)},
		"statuses of the driver and the log":   {driver.statuses, sure(c.lines.statuses)},
		"statuses of the driver and spans":     {driver.statuses, sure(c.spans.statuses)},
		"exchanges in metrics and the log":     {c.metrics.outcomes, c.lines.outcomes},
		"exchanges in metrics and spans":       {c.metrics.outcomes, c.spans.outcomes},
		"statuses in metrics and the log":      {c.metrics.statuses, c.lines.statuses},
		"statuses in metrics and spans":        {c.metrics.statuses, c.spans.statuses},
		"cache results in metrics and the log": {c.metrics.cache, c.lines.cache},
		"cache results in metrics and spans":   {c.metrics.cache, c.spans.cache},
		"attempts in metrics and spans":        {c.metrics.tries, c.spans.tries},
		"attempts in metrics and the log":      {c.metrics.attempts, c.lines.attempts},
		"attempts in metrics and the ledger":   {sure(c.metrics.attempts), sure(c.ledger)},
		"attempts in spans and the ledger":     {sure(c.spans.attempts), sure(c.ledger)},
	} {
		if diff := pair[0].Diff(pair[1]); diff != "" {
			t.Errorf("%s differ:\n%s", what, diff)
		}
	}
	if seen := c.exchanges - total(driver.outcomes); seen < 1 || seen > driver.halves {
		t.Errorf("%d exchanges of %d that went away within the body", seen, driver.halves)
	}
	wantMix(t, c)
	s.wantSameIDs(t)
	t.Logf("%d exchanges, %d spans, %d attempts", c.exchanges, len(s.sink.Spans()), total(c.ledger))
}

// wantSameIDs: each line of the access log names the span of its request.
func (s *subject) wantSameIDs(t *testing.T) {
	t.Helper()
	lines, err := traces.AccessLines(s.gateway.Log.String())
	rig.Must(t, err)
	type ids struct{ trace, span string }
	logged := map[string]ids{}
	for _, l := range lines {
		logged[l.RequestID] = ids{l.TraceID, l.SpanID}
	}
	for _, span := range s.sink.Spans() {
		if id := span.Text("iqgw.request_id"); span.Kind == "server" && logged[id] != (ids{span.Trace, span.ID}) {
			t.Fatalf("the log has %+v for %s, whose span is %s of %s", logged[id], id, span.ID, span.Trace)
		}
	}
}

// sure leaves out requests, and attempts, whose caller broke off before anything
// of them needed to arrive.
func sure(counted traces.Tally) traces.Tally {
	rest := maps.Clone(counted)
	maps.DeleteFunc(rest, func(key string, _ int) bool { return strings.HasPrefix(key, keyOf(half)) })
	return rest
}

// wantMix: all that was to be mixed was there.
func wantMix(t *testing.T, c counted) {
	t.Helper()
	outcomes := map[string]bool{}
	for key := range c.spans.outcomes {
		var service, outcome string
		_, _ = fmt.Sscanf(key, "%q %q", &service, &outcome)
		outcomes[outcome] = true
	}
	for _, k := range mix() {
		if k.outcome != "" && !outcomes[k.outcome] {
			t.Errorf("nothing ended as %q: %s", k.outcome, k.name)
		}
	}
	for _, result := range []string{"hit", "miss", "bypass"} {
		if c.spans.cache[keyOf("productlibrary", result)]+c.spans.cache[keyOf("crm", result)] == 0 {
			t.Errorf("no cache result %s", result)
		}
	}
}

// load sends n requests of the mix, a few at a time, and returns what became of
// them. Now and then it waits until they are told of, so that no queue is full.
func (s *subject) load(t *testing.T, n int) *driven {
	t.Helper()
	d := &driven{outcomes: traces.Tally{}, statuses: traces.Tally{}}
	const workers, batch = 4, 250
	all := mix()
	var next atomic.Int64
	for until := batch; ; until += batch {
		until = min(until, n)
		var crowd sync.WaitGroup
		for range workers {
			crowd.Go(func() {
				for {
					i := int(next.Add(1)) - 1
					if i >= until {
						return
					}
					k := of(all, i)
					a, err := s.send(t.Context(), k, i)
					if err != nil {
						t.Error(err)
					}
					d.note(k, a)
				}
			})
		}
		crowd.Wait()
		if until == n {
			return d
		}
		next.Store(int64(until))
		s.settle(t)
	}
}

// counts are what one of those that count says.
type counts struct {
	outcomes, statuses, cache traces.Tally // of exchanges, by service
	tries                     traces.Tally // attempts by how they ended
	attempts                  traces.Tally // by service
}

func newCounts() counts {
	return counts{traces.Tally{}, traces.Tally{}, traces.Tally{}, traces.Tally{}, traces.Tally{}}
}

type counted struct {
	exchanges             int
	metrics, lines, spans counts
	ledger                traces.Tally // by service
}

// count asks all of them, once nothing is under way.
func (s *subject) count(t *testing.T) counted {
	t.Helper()
	c := counted{metrics: s.countMetrics(t), spans: s.countSpans(), ledger: traces.Tally{}}
	c.exchanges = total(c.metrics.outcomes)
	s.await(t, "the log is written", func() bool {
		lines, err := traces.AccessLines(s.gateway.Log.String())
		return err == nil && len(lines) >= c.exchanges
	})
	c.lines = s.countLines(t)
	for _, services := range s.Counts() {
		for service, of := range services {
			if service != "accounts" {
				c.ledger[keyOf(service)] += int(of.Requests)
			}
		}
	}
	return c
}

func (s *subject) countMetrics(t *testing.T) counts {
	t.Helper()
	text, err := s.gateway.Metrics(t.Context())
	rig.Must(t, err)
	c := newCounts()
	each := func(name string, into traces.Tally, labels ...string) {
		list, err := traces.Samples(string(text), name)
		rig.Must(t, err)
		for _, one := range list {
			var key []any
			for _, l := range labels {
				value := one.Labels[l]
				if l == "http_route" {
					_, below, _ := strings.Cut(value, "/sim/") // of a refused one there is no service
					value, _, _ = strings.Cut(below, "/")
				}
				key = append(key, value)
			}
			into[keyOf(key...)] += int(one.Value)
		}
	}
	each("iqgw_exchanges_total", c.outcomes, "service", "outcome")
	each("http_server_request_duration_seconds_count", c.statuses, "http_route", "http_response_status_code")
	each("iqgw_cache_requests_total", c.cache, "service", "result")
	each("http_client_request_duration_seconds_count", c.tries, "service", "http_response_status_code", "error_type")
	each("http_client_request_duration_seconds_count", c.attempts, "service")
	return c
}

func (s *subject) countLines(t *testing.T) counts {
	t.Helper()
	lines, err := traces.AccessLines(s.gateway.Log.String())
	rig.Must(t, err)
	c := newCounts()
	for _, l := range lines {
		c.outcomes[keyOf(l.Service, or(l.Error, "ok"))]++
		c.statuses[keyOf(l.Service, l.Status)]++
		if l.Cache != "" {
			c.cache[keyOf(l.Service, l.Cache)]++
		}
		if l.Attempts > 0 {
			c.attempts[keyOf(l.Service)] += l.Attempts
		}
	}
	return c
}

func (s *subject) countSpans() counts {
	c := newCounts()
	all := s.sink.Spans()
	parents := map[string]traces.Span{}
	for _, span := range all {
		parents[span.ID] = span
	}
	for _, span := range all {
		switch service := parents[span.Parent].Text("iqgw.service"); {
		case span.Kind == "server":
			c.outcomes[keyOf(span.Text("iqgw.service"), span.Text("iqgw.outcome"))]++
			c.statuses[keyOf(span.Text("iqgw.service"), span.Attributes["http.response.status_code"])]++
			if result := span.Text("iqgw.cache.result"); result != "" {
				c.cache[keyOf(span.Text("iqgw.service"), result)]++
			}
		case span.Kind == "client" && parents[span.Parent].Name != "token.fetch":
			status := ""
			if code, answered := span.Attributes["http.response.status_code"]; answered {
				status = fmt.Sprint(code)
			}
			c.tries[keyOf(service, status, span.Text("error.type"))]++
			c.attempts[keyOf(service)]++
		}
	}
	return c
}

// keyOf joins what something is counted by.
func keyOf(parts ...any) string {
	text := ""
	for i, p := range parts {
		if i > 0 {
			text += " "
		}
		text += fmt.Sprintf("%q", fmt.Sprint(p))
	}
	return text
}

func total(t traces.Tally) (sum int) {
	for _, n := range t {
		sum += n
	}
	return sum
}
