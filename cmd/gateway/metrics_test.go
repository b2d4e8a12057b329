package main

import (
	"bytes"
	"maps"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"iqgateway/internal/iqsim"
	"iqgateway/internal/redistest"
	"iqgateway/observability"
)

// measuredServices are made to meet everything that is measured.
const measuredServices = `  crm: {retry: {max_attempts: 2}, FAULTS}
  availability: {limits: {max_in_flight: 1}, quota: {kind: none}, FAULTS}
  pricing: {quota: {max: 3}, retry: {max_attempts: 1}, FAULTS}
`

// newMeasuredRig is a gateway after traffic through every stage.
func newMeasuredRig(t *testing.T) *sickRig {
	t.Helper()
	server := redistest.Single(t)
	r := newSickRig(t, measuredServices, rigOptions{
		sim: iqsim.Options{Limits: map[string]int{"crm": 1_000_000, "pricing": 1000, "availability": 1000}},
		extra: "redis: {addresses: [\"" + strings.Join(server.Addresses(), "\", \"") +
			"\"], timeout: 1s, encryption_keys: [" + newKey() + "], name_key: " + newKey() + "}\n",
		flags: []string{
			"--set", "server.limits.max_memory=4GiB",
			"--set", "callers.till.rate_limit.rate=1/60s", "--set", "callers.till.rate_limit.burst=1", "--set", "callers.till.rate_limit.concurrency=5",
			"--set", "callers.leaving.keys=[{id: leaving-1, sha256: " + digestOf("leaving") + ", expires: 2999-12-31}]",
			"--set", `callers.leaving.access=[{credential: retail, services: {crm: read}}]`,
		},
	})
	r.get(t, "http://"+r.Admin+"/metrics")
	r.traffic(t)
	return r
}

func (r *sickRig) traffic(t *testing.T) {
	t.Helper()
	for range 3 {
		r.do(t, http.MethodGet, catalogItems, "").want(t, http.StatusOK)
	}
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	r.do(t, http.MethodPost, customers, `{"a body": "that is measured"}`)
	r.do(t, http.MethodGet, customers, "", setHeader("X-Api-Key", "nobody's")).want(t, http.StatusUnauthorized)
	r.do(t, http.MethodGet, "/nothing/v1/x", "").want(t, http.StatusNotFound)
	r.do(t, http.MethodGet, customers, "", meets("kind=status&status=503")) // is repeated
	r.do(t, http.MethodGet, customers, "", meets("kind=status&status=401")) // another token
	r.do(t, http.MethodGet, prices, "", meets("kind=status&status=429"))
	for range 4 { // more than the window holds
		r.do(t, http.MethodGet, prices, "", setHeader("X-Gateway-Wait", "0"))
	}
	for range 2 { // more than it may
		r.do(t, http.MethodGet, customers, "", r.byTill)
	}
	c := make(chan struct{})
	go func() {
		defer close(c)
		_, _ = r.try(t.Context(), http.MethodGet, stock, "", meets("kind=latency&delay=3s")) // until it is seen, on a busy machine too
	}()
	await(t, "one has the slot", func() bool { return len(r.metric(t, "iqgw_bulkhead_in_flight", `service="availability"} 1`)) == 1 })
	r.do(t, http.MethodGet, stock, "").want(t, http.StatusOK)
	<-c
	r.order(t, "open", "open", "sim/availability", "--for", "1m", "--reason", "so that it is measured")
	r.do(t, http.MethodGet, stock, "").want(t, http.StatusServiceUnavailable)
	r.operate(t, "is set until", "override", "set", "services.pricing.cache.mode=none", "--for", "10m", "--reason", "so that it is measured")
}

// exposition is what a scraper gets.
func (r *rig) exposition(t *testing.T, accept string) answer {
	t.Helper()
	return r.get(t, "http://"+r.Admin+"/metrics", setHeader("Accept", accept))
}

// A real gateway's /metrics is what the reference says, and clean by Prometheus'
// own checks, in both of its formats.
func TestMetricsOfAGateway(t *testing.T) {
	t.Parallel()
	r := newMeasuredRig(t)
	text := r.exposition(t, "text/plain").text
	t.Run("reference", func(t *testing.T) { wantReference(t, text) })
	t.Run("promtool", func(t *testing.T) { promtoolCheck(t, text) })
	t.Run("lint", func(t *testing.T) {
		problems, err := promlint.New(strings.NewReader(text)).Lint()
		if err != nil || len(problems) > 0 {
			t.Error(problems, err)
		}
	})
	t.Run("OpenMetrics", func(t *testing.T) {
		open := r.exposition(t, "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8")
		if !strings.HasPrefix(open.Header.Get("Content-Type"), "application/openmetrics-text") || !strings.HasSuffix(open.text, "# EOF\n") {
			t.Errorf("%s, ends with %q", open.Header.Get("Content-Type"), open.text[max(0, len(open.text)-20):])
		}
		if plain, opened := familiesOf(text), familiesOf(open.text); len(opened) < len(plain) {
			t.Errorf("%d families, as text %d", len(opened), len(plain))
		}
		if !strings.Contains(open.text, "\nhttp_server_request_duration_seconds_bucket{") {
			t.Error("names differ between the formats")
		}
	})
	if n := strings.Count(text, "\n"); n > 2000+200 {
		t.Errorf("%d lines after a little traffic", n)
	}
}

// promtoolCheck has Prometheus' own tool look for what it would not do.
func promtoolCheck(t *testing.T, text string) {
	t.Helper()
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatal("promtool is not installed (Debian package prometheus): make deps")
	}
	check := exec.CommandContext(t.Context(), tool, "check", "metrics")
	check.Stdin = strings.NewReader(text)
	var out bytes.Buffer
	check.Stdout, check.Stderr = &out, &out
	if err := check.Run(); err != nil || out.Len() > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, &out)
	}
}

// family is a metric as it is served.
type family struct {
	kind, help string
	labels     map[string]bool
}

// familiesOf reads an exposition of ours: the runtime's own metrics are left out.
func familiesOf(text string) map[string]*family {
	found := map[string]*family{}
	named := func(name string) *family {
		if found[name] == nil {
			found[name] = &family{labels: map[string]bool{}}
		}
		return found[name]
	}
	labels := regexp.MustCompile(`(?:[{,])([a-z_0-9]+)="`)
	for line := range strings.Lines(text) {
		switch fields := strings.SplitN(strings.TrimSpace(line), " ", 4); {
		case !strings.Contains(line, "iqgw_") && !strings.Contains(line, "http_"):
		case fields[0] == "#" && fields[1] == "HELP":
			named(fields[2]).help = fields[3]
		case fields[0] == "#" && fields[1] == "TYPE":
			named(fields[2]).kind = fields[3]
		case fields[0] != "#":
			name := regexp.MustCompile(`^[a-z_0-9]+`).FindString(line)
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				if base := strings.TrimSuffix(name, suffix); found[base] != nil {
					name = base
				}
			}
			for _, l := range labels.FindAllStringSubmatch(line, -1) {
				named(name).labels[l[1]] = true
			}
		}
	}
	return found
}

// elsewhere are metrics of what does not happen to one healthy gateway in a test.
// Their own tests have them.
func elsewhere() []string {
	return []string{
		"iqgw_auth_key_set_", "iqgw_caller_passthrough_", "iqgw_cache_invalidations", "iqgw_cache_refreshes", "iqgw_cache_suggested", "iqgw_cache_saved",
		"iqgw_quota_shadow", "iqgw_quota_upstream_429", "iqgw_quota_header_anomaly", "iqgw_quota_window_utilisation", "iqgw_quota_roll", "iqgw_quota_unspent", "iqgw_quota_undercount",
		"iqgw_quota_resent", "iqgw_quota_event", "iqgw_quota_caller_share", "iqgw_quota_queue_wait", "iqgw_quota_remaining_upstream", "iqgw_quota_boundary", "iqgw_quota_window_end",
		"iqgw_token_adopted", "iqgw_token_rollbacks", "iqgw_token_secret", "iqgw_bulkhead_refused", "iqgw_store_rejected", "iqgw_tls_handshake", "iqgw_tls_certificate_loads", "iqgw_telemetry_",
	}
}

// wantReference compares what is served with what the code declares.
func wantReference(t *testing.T, text string) {
	t.Helper()
	m, err := observability.NewMetrics(observability.BuildInfo{})
	if err != nil {
		t.Fatal(err)
	}
	served := familiesOf(text)
	for _, i := range m.Instruments() {
		f := served[i.Name]
		delete(served, i.Name)
		if f == nil {
			if !slices.ContainsFunc(elsewhere(), func(prefix string) bool { return strings.HasPrefix(i.Name, prefix) }) {
				t.Errorf("no %s: did nothing happen?", i.Name)
			}
			continue
		}
		if f.kind != i.Kind || f.help != i.Help {
			t.Errorf("%s: %s %q, declared as %s %q", i.Name, f.kind, f.help, i.Kind, i.Help)
		}
		delete(f.labels, "le")
		for _, l := range slices.Sorted(maps.Keys(f.labels)) {
			if !slices.Contains(i.Labels, l) {
				t.Errorf("%s: the label %s is not declared", i.Name, l)
			}
		}
		for _, l := range i.Labels {
			optional := []string{"of", "credential", "error_type", "reason", "cause", "bucket", "revision", "goversion", "http_route", "caller"}
			if !f.labels[l] && !slices.Contains(optional, l) {
				t.Errorf("%s: nothing has the label %s", i.Name, l)
			}
		}
	}
	for name := range served {
		t.Errorf("%s is served and not declared", name)
	}
}
