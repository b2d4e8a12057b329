package observability

import (
	"context"
	"strconv"
	"time"
)

// attemptInstruments measure requests sent upstream.
type attemptInstruments struct {
	duration histogram
	statuses statusTexts
}

func (a *attemptInstruments) declare(d *declarer) {
	a.duration = d.histogram("http.client.request.duration", "s",
		"Duration of upstream attempts until the end of the response body. error_type says why one failed; without a status there was no answer.",
		durationBuckets(), "environment", "service", "credential", "http.request.method", "http.response.status_code", "error.type",
		"server.address", "server.port")
	a.statuses = newStatusTexts()
}

// Attempt is one request sent upstream, as it ended.
type Attempt struct {
	Method      string
	Environment string
	Service     string
	Credential  string
	Host        string // of the configured upstream, without port
	Port        int
	Status      int    // 0 when there was no answer
	ErrorType   string // bounded; "" = none
	Duration    time.Duration
}

// Attempted records the end of an attempt.
func (m *Metrics) Attempted(ctx context.Context, a Attempt) {
	if m == nil {
		return
	}
	status := m.attempts.statuses.of(a.Status)
	m.attempts.duration.record(ctx, a.Duration.Seconds(), a.Environment, a.Service, a.Credential, knownMethod(a.Method), status,
		errorType(a.ErrorType, status, "4"), a.Host, strconv.Itoa(a.Port))
}

// upstreams are those, by environment and service, that anything was sent to.
func (a *attemptInstruments) upstreams() map[[2]string]bool {
	used := map[[2]string]bool{}
	for values := range *a.duration.sets.known.Load() {
		used[[2]string(values[:2])] = true
	}
	return used
}
