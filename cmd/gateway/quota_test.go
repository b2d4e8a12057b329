package main

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
)

// fewCalls is a simulation whose crm takes n calls in each window of ten
// minutes, so that none ends while a test runs.
func fewCalls(n int) iqsim.Options {
	return iqsim.Options{Limits: map[string]int{"crm": n}, Switches: iqsim.Switches{Window: iqsim.Duration(10 * time.Minute)}}
}

func noWaiting(r *http.Request) { r.Header.Set("X-Gateway-Wait", "0") }

// spend takes all of a small quota and returns the last answer.
func (r *rig) spend(t *testing.T, n int) answer {
	t.Helper()
	var last answer
	for range n {
		last = r.do(t, http.MethodGet, customers, "", noWaiting).want(t, http.StatusOK)
	}
	return last
}

// operate runs a command against the rig's admin server, and wants what it
// prints.
func (r *rig) operate(t *testing.T, want string, args ...string) {
	t.Helper()
	wantCommand(t, adminEnviron(r.Admin, adminToken), exitOK, []string{want}, args...)
}

// What callers see of the quota, by response_headers and kind of bucket.
func TestQuotaFieldsThroughTheStack(t *testing.T) {
	t.Parallel()
	const (
		limit     = `X-Ratelimit-Limit: 1000`
		left      = `X-Ratelimit-Remaining: 99\d`
		reset     = `X-Ratelimit-Reset: \d\d/\d\d/\d{4} \d\d:\d\d:\d\d`
		seconds   = `X-Ratelimit-Resetseconds: [1-6]?\d`
		policy    = `Ratelimit-Policy: "crm-authenticated";q=1000;w=60(, "share";q=\d+;w=60)?`
		remaining = `Ratelimit: "crm-authenticated";r=99\d;t=[1-6]?\d(, "share";r=\d+;t=[1-6]?\d)?`
		wait      = `X-Quota-Wait-Ms: \d+`
		timing    = `Server-Timing: cache;dur=\d+\.\d, quota;dur=\d+\.\d, token;dur=\d+\.\d, upstream;dur=\d+\.\d`
	)
	all := []string{limit, left, reset, seconds, policy, remaining, wait, timing}
	tests := map[string]struct {
		mode, quota, target string
		want                []string // whole fields; no others of quota
	}{
		"standard": {"standard", "{}", customers, all},
		"debug":    {"debug", "{}", customers, slices.Concat(all[:7], []string{timing + `, attempts;desc="1"`})},
		"minimal":  {"minimal", "{}", customers, nil},
		"a guarantee is a share": {
			"standard", "{shares: {storefront: 25%}}", customers,
			slices.Concat(all[:4], []string{
				`Ratelimit-Policy: "crm-authenticated";q=1000;w=60, "share";q=250;w=60`,
				`Ratelimit: "crm-authenticated";r=99\d;t=[1-6]?\d, "share";r=24\d;t=[1-6]?\d`, wait, timing,
			}),
		},
		"a cap is all that the caller can get": {
			"standard", "{shares: {storefront: {cap: 10}}}", customers,
			[]string{
				limit, `X-Ratelimit-Remaining: [89]`, reset, seconds, wait, timing,
				`Ratelimit-Policy: "crm-authenticated";q=1000;w=60, "share";q=10;w=60`,
				`Ratelimit: "crm-authenticated";r=[89];t=[1-6]?\d, "share";r=[89];t=[1-6]?\d`,
			},
		},
		"what is not counted keeps its fields": {
			"standard", "{kind: none}", customers,
			[]string{limit, `X-Ratelimit-Remaining: 99[89]`, reset, seconds, `Server-Timing: cache;dur=\d+\.\d, token;dur=.*`},
		},
		"slots": {
			"standard", "{}", "/dataconnect/lists/stores?Response=Json",
			[]string{
				`Ratelimit-Policy: "dataconnect-authenticated";q=8;qu="concurrent-requests"(, "share";q=\d;qu="concurrent-requests")?`,
				`Ratelimit: "dataconnect-authenticated";r=[0-8](, "share";r=\d)?`, wait, timing,
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, rigOptions{
				extra: "services: {crm: {quota: " + tt.quota + "}}\n", flags: []string{"--set", "server.response_headers=" + tt.mode},
			})
			r.do(t, http.MethodGet, tt.target, "").want(t, http.StatusOK)
			wantFields(t, r.do(t, http.MethodGet, tt.target, "").want(t, http.StatusOK).Header, tt.want)
		})
	}
}

// wantFields compares the fields that are about quota.
func wantFields(t *testing.T, h http.Header, want []string) {
	t.Helper()
	var got []string
	for name := range h {
		if strings.Contains(strings.ToLower(name), "ratelimit") && !strings.HasPrefix(name, "Iq-Apim") ||
			strings.HasPrefix(name, "X-Quota") || name == "Server-Timing" || name == "Retry-After" {
			got = append(got, name+": "+strings.Join(h.Values(name), " | "))
		}
	}
	slices.Sort(got)
	for _, pattern := range want {
		whole := regexp.MustCompile("^" + pattern + "$")
		i := slices.IndexFunc(got, whole.MatchString)
		if i < 0 {
			t.Errorf("no field %s in\n  %s", pattern, strings.Join(got, "\n  "))
			continue
		}
		got = slices.Delete(got, i, i+1)
	}
	if len(got) > 0 {
		t.Errorf("fields that are not wanted:\n  %s", strings.Join(got, "\n  "))
	}
}

// refusedBy is the part of a 429 that programs read.
type refusedQuota struct {
	Type       string   `json:"type"`
	Detail     string   `json:"detail"`
	RetryAfter int64    `json:"retry_after"`
	Outcome    string   `json:"outcome"`
	Violated   []string `json:"violated-policies"`
	Bucket     string   `json:"bucket"`
}

// A refusal says what is used up, who has used it and when it opens; the
// upstream never has to say it.
func TestQuotaRefusal(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		calls    int
		quota    string
		violated string
		detail   []string
	}{
		"the bucket is spent": {5, "{assume: 5/600s}", "crm-authenticated", []string{"sim/crm/authenticated", "5 per 10m)", "storefront 5", "The quota opens again in"}},
		"the cap is spent":    {2, "{assume: 5/600s, shares: {storefront: {cap: 2}}}", "share", []string{"your cap of 2"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, rigOptions{sim: fewCalls(5), extra: "services: {crm: {quota: " + tt.quota + "}}\n"})
			r.spend(t, tt.calls)
			a := r.do(t, http.MethodGet, customers, "", noWaiting).want(t, http.StatusTooManyRequests)
			var p refusedQuota
			if err := json.Unmarshal([]byte(a.text), &p); err != nil {
				t.Fatalf("%v in %s", err, a.text)
			}
			if p.Type != "https://iana.org/assignments/http-problem-types#quota-exceeded" || !slices.Equal(p.Violated, []string{tt.violated}) ||
				p.Bucket != "sim/crm/authenticated" || p.Outcome != "not_executed" {
				t.Errorf("problem %+v", p)
			}
			for _, want := range tt.detail {
				if !strings.Contains(p.Detail, want) {
					t.Errorf("no %q in %q", want, p.Detail)
				}
			}
			wantTrueRetryAfter(t, a, p.RetryAfter)
			if a.Header.Get("X-Quota-Source") != "gateway" || a.Header.Get("X-Ratelimit-Remaining") != "0" {
				t.Errorf("header %v", a.Header)
			}
			for _, call := range r.calls("crm") {
				if call.Status == http.StatusTooManyRequests {
					t.Errorf("the upstream had to refuse: %+v", call)
				}
			}
			if n := len(r.calls("crm")); n != tt.calls {
				t.Errorf("%d calls reached the upstream, want %d", n, tt.calls)
			}
		})
	}
}

// wantTrueRetryAfter: not before the window opens, and not much later.
func wantTrueRetryAfter(t *testing.T, a answer, inProblem int64) {
	t.Helper()
	after, err := strconv.ParseInt(a.Header.Get("Retry-After"), 10, 64)
	opens, err2 := strconv.ParseInt(a.Header.Get("X-Ratelimit-Resetseconds"), 10, 64)
	if err != nil || err2 != nil || after < opens || after > opens+3 || inProblem != 0 && inProblem != after {
		t.Errorf("Retry-After %q (%d in the problem), the window opens in %q s", a.Header.Get("Retry-After"), inProblem, a.Header.Get("X-Ratelimit-Resetseconds"))
	}
}

// A bucket that is not enforced lets everything through; the upstream's refusal
// is then marked and says when to come back.
func TestQuotaShadow(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: fewCalls(3), extra: "services: {crm: {quota: {enforce: false, assume: 3/600s}}}\n"})
	r.spend(t, 3)
	a := r.do(t, http.MethodGet, customers, "", noWaiting).want(t, http.StatusTooManyRequests)
	if a.Header.Get("X-Quota-Source") != "upstream" || strings.Contains(a.Header.Get("Content-Type"), "problem") {
		t.Errorf("header %v", a.Header)
	}
	wantTrueRetryAfter(t, a, 0)
	r.wantLog(t, `"quota":"shadow"`)
	metrics := r.get(t, "http://"+r.Admin+"/metrics").text
	if !strings.Contains(metrics, `iqgw_quota_shadow_held_total{caller="storefront",class="interactive",environment="sim"`) {
		t.Error("no metric of what would have been held")
	}
}

func (r *rig) wantLog(t *testing.T, text string) {
	t.Helper()
	await(t, "a log line with "+text, func() bool { return strings.Contains(r.logs.String(), text) })
}

// An operator sees the bucket, blocks it and opens it again.
func TestOperatorBlocksAQuota(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{flags: []string{"--set", "admin.token=" + adminToken}})
	r.spend(t, 3)
	const bucket = "sim/crm/authenticated"
	quota := func(want string, args ...string) {
		t.Helper()
		r.operate(t, want, append([]string{"quota"}, args...)...)
	}
	quota(bucket+"   known   1000/60s", "list")
	quota("storefront", "show", bucket)
	quota("storefront", "top", "--once")
	quota(`"caller": "storefront"`, "show", bucket, "-o", "json")

	quota("blocked for every replica", "block", bucket, "--for", "10m", "--reason", "INC-4711 pause")
	quota("blocked by an operator until", "list")
	quota("INC-4711 pause", "show", bucket)
	r.wantLog(t, `"msg":"an operator has blocked a quota"`)
	await(t, "the block holds", func() bool { // once what this replica held is spent
		return r.do(t, http.MethodGet, customers, "", noWaiting).StatusCode == http.StatusTooManyRequests
	})
	r.wantLog(t, `"quota":"no_wait"`)
	n := len(r.calls("crm"))
	a := r.do(t, http.MethodGet, customers, "", noWaiting).want(t, http.StatusTooManyRequests)
	if after, err := strconv.Atoi(a.Header.Get("Retry-After")); err != nil || after < 550 || !strings.Contains(a.text, "an operator has blocked it") {
		t.Errorf("Retry-After %q, %s", a.Header.Get("Retry-After"), a.text)
	}
	if got := len(r.calls("crm")); got != n {
		t.Errorf("%d calls reached the upstream while it was blocked", got-n)
	}

	quota("is open to every replica again", "unblock", bucket)
	await(t, "the bucket is open", func() bool {
		return r.do(t, http.MethodGet, customers, "", noWaiting).StatusCode == http.StatusOK
	})
	r.wantLog(t, `"msg":"an operator has unblocked a quota"`)
}

// The gauges come with the first use, the counters with names from the
// configuration, and no client id is anywhere.
func TestQuotaMetricsOfARunningGateway(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{extra: "services: {crm: {quota: {shares: {storefront: 20%}}}}\n"})
	r.spend(t, 2)
	text := r.get(t, "http://"+r.Admin+"/metrics").text
	const labels = `environment="sim",policy="authenticated",service="crm"`
	for _, want := range []string{
		`iqgw_quota_limit{` + labels + `} 1000`,
		`iqgw_quota_mode{environment="sim",mode="known",policy="authenticated",service="crm"} 1`,
		`iqgw_quota_caller_share{caller="storefront",` + labels + `} 200`,
		`iqgw_quota_caller_tokens_total{caller="storefront",class="interactive",` + labels + `} 2`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no %s", want)
		}
	}
	if t.Failed() {
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "iqgw_quota") && !strings.Contains(line, "_bucket{") {
				t.Log(strings.TrimSpace(line))
			}
		}
	}
	if all := text + r.get(t, "http://"+r.Admin+pathQuotas).text; strings.Contains(all, rigSecrets.client) {
		t.Error("the client id is shown")
	}
}

func TestWrongQuotaFieldsAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	for field, value := range map[string]string{"X-Gateway-Wait": "maybe", "X-Request-Priority": "urgent", "X-Request-Timeout-Ms": "soon"} {
		a := r.do(t, http.MethodGet, customers, "", func(r *http.Request) { r.Header.Set(field, value) })
		if a.StatusCode != http.StatusBadRequest || !strings.Contains(a.text, field) {
			t.Errorf("%s: %s: %d %s", field, value, a.StatusCode, a.text)
		}
	}
	if n := len(r.calls("crm")); n != 0 {
		t.Errorf("%d calls went out", n)
	}
}
