package traces_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
	"iqgateway/internal/iqsim/simtest"
	"iqgateway/internal/redistest"
	"iqgateway/test/rig"
)

// Secrets and words that must show nowhere, beside those of the caller.
const (
	canaryRedis    = "canary-redis-password-61aa0b"
	canaryExporter = "canary-exporter-header-0f9d21"
	canaryQuery    = "canary-query-value-7d1e"
	canaryCookie   = "canary-cookie-88c2"
	canaryBody     = "canary-body-519f"
	canaryField    = "canary-field-31d7"
	canaryPath     = "canary-path-a60c"
	canaryAnswer   = "canary-answer-2be8"
	canaryWrongKey = "canary-wrong-key-40c7"
	canaryBaggage  = "canary-baggage-d973"
)

// Keys must be 32 bytes in base64.
func canarySettings(redis, seal, names string) settings {
	return settings{
		trusted: true,
		services: `  crm: {headers: {forward: [X-Sim-Fault, X-Odd]}, breaker: {min_requests: 1000000}, timeouts: {response_header: 1s}}
`,
		extra: "redis:\n  addresses: [" + redis + "]\n  timeout: 1s\n  password: \"${env:RIG_REDIS}\"\n  encryption_keys: [\"${env:RIG_SEAL}\"]\n  name_key: \"${env:RIG_NAMES}\"\n",
		environ: []string{
			"RIG_REDIS=" + canaryRedis, "RIG_SEAL=" + seal, "RIG_NAMES=" + names,
			"OTEL_EXPORTER_OTLP_HEADERS=x-collector-key=" + canaryExporter,
		},
	}
}

// canaryFaults are how upstreams answer, each once.
func canaryFaults() []string {
	field := "&field=X-Debug: " + canaryAnswer + "&field=Set-Cookie: s=" + canaryAnswer
	return []string{
		"kind=reset", "kind=truncate", "kind=stall", "kind=raw&body=" + canaryAnswer,
		"kind=status&status=500&body=" + canaryAnswer + field,
		"kind=status&status=401&body=" + canaryAnswer,
		"kind=status&status=429&body=" + canaryAnswer + "&field=Retry-After: 90",
		"kind=status&status=302&field=Location: https://elsewhere.test/?access_token=" + canaryAnswer,
	}
}

// canaries are requests that carry all that a caller can bring.
func canaries() []ask {
	full := func(method, target, fault string) ask {
		a := ask{method: method, target: target + "?$top=1&canary=" + canaryQuery, fault: fault, header: map[string]string{
			"Cookie": "session=" + canaryCookie, "X-Odd": canaryField, "X-Unknown": canaryField, "Baggage": "k=" + canaryBaggage,
			"Traceparent": sampledParent, "Tracestate": "a=" + canaryBaggage, "Referer": "https://elsewhere.test/" + canaryField,
		}}
		if method != http.MethodGet {
			a.body = `{"PrimaryName":"` + canaryBody + `","CustomerTypeId":2}`
		}
		return a
	}
	var list []ask
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		list = append(list, full(method, customers, ""), full(method, "/crm/v1/"+canaryPath, ""), full(method, "/accounts/v1/"+canaryPath, ""))
		for _, fault := range canaryFaults() {
			list = append(list, full(method, customers, fault))
		}
	}
	wrong := full(http.MethodGet, customers, "")
	wrong.header["X-Api-Key"] = canaryWrongKey
	return append(list, wrong, ask{target: customers + "?access_token=" + canaryQuery}, full("TRACE", customers, ""), full(http.MethodGet, items, ""), full(http.MethodGet, items, ""))
}

// TestNoSecretInTelemetry: nothing that is secret, and nothing that a caller or an
// upstream says, is in spans, exemplars, log, or what is remembered.
func TestNoSecretInTelemetry(t *testing.T) {
	t.Parallel()
	redis := redistest.Single(t, redistest.WithPassword(canaryRedis))
	seal, names := rig.NewKey(), rig.NewKey()
	s := newSubject(t, canarySettings(redis.Address(), seal, names))
	tap, issued := s.tapped()
	var ids []string
	for _, a := range canaries() {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		ids = append(ids, s.try(ctx, a).id())
		cancel()
	}
	s.failLogin(t)
	s.settle(t)
	if len(tap.All()) < 1 || len(issued.all()) < 2 || len(s.sink.Spans()) < 50 {
		t.Fatalf("%d tokens, %d issued, %d spans: the sweep proves nothing\n%s", len(tap.All()), len(issued.all()), len(s.sink.Spans()), s.gateway.Log.String())
	}
	said := []string{canaryQuery, canaryCookie, canaryBody, canaryField, canaryPath, canaryAnswer, canaryBaggage}
	secrets := append(append(tap.All(), issued.all()...), seal, names, s.keys[usual], secretOf(usual), passwordOf(usual), clientOf(usual), userOf(usual), adminToken, canaryRedis, canaryExporter, canaryWrongKey)
	for where, text := range s.shown(t, ids) {
		for _, secret := range append(secrets, said...) {
			if secret == canaryPath && where == "the log" || secret == canaryBaggage && where == "the spans" {
				continue // the text of an error may name the path; a span has its caller's tracestate
			}
			if leak := simtest.Leak(text, secret); leak != "" {
				t.Errorf("%.16s… shows in %s: %.300s", secret, where, leak)
			}
		}
	}
}

// tapped notes the tokens that reach the upstream, and those that it issues.
func (s *subject) tapped() (*simtest.Tap, *issued) {
	issued := &issued{next: s.gate.next}
	tap := simtest.NewTap(issued)
	s.gate.mu.Lock()
	defer s.gate.mu.Unlock()
	s.gate.next = tap
	return tap, issued
}

// issued notes what a token endpoint gives out: tokens to refresh others with never
// come back where nothing needs refreshing.
type issued struct {
	next http.Handler

	mu     sync.Mutex
	tokens []string
}

func (i *issued) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/oauth2/token") {
		i.next.ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	i.next.ServeHTTP(answer, r)
	var given struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if json.Unmarshal(answer.Body.Bytes(), &given) == nil && given.Access != "" && given.Refresh != "" {
		i.mu.Lock()
		i.tokens = append(i.tokens, given.Access, given.Refresh)
		i.mu.Unlock()
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // who has left is not told
}

func (i *issued) all() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.tokens)
}

// failLogin has the token endpoint refuse the password.
func (s *subject) failLogin(t *testing.T) {
	t.Helper()
	wrong := "another"
	rig.Must(t, s.ChangeAccount("", userOf(usual), iqsim.AccountChange{Password: &wrong}))
	_, err := s.RevokeTokens(iqsim.TokenQuery{})
	rig.Must(t, err)
	s.try(t.Context(), ask{target: customers})
}

// shown is all that telemetry shows, by where.
func (s *subject) shown(t *testing.T, ids []string) map[string]string {
	t.Helper()
	all := map[string]string{"the log": s.gateway.Log.String(), "the spans": string(bytes.Join(s.sink.Raw(), nil))}
	metrics := s.fetch(t, "http://"+s.gateway.Admin+"/metrics", "application/openmetrics-text; version=1.0.0")
	all["the metrics"] = metrics
	s.wantExported(t, metrics)
	admin, self := "http://"+s.gateway.Admin, "http://"+s.gateway.Server
	for _, id := range ids {
		if id != "" {
			all["/api/v1/requests"] += s.fetch(t, admin+"/api/v1/requests/"+id, "")
			all["/-/requests"] += s.fetch(t, self+"/-/requests/"+id, "")
		}
	}
	for trace := range s.tracesHere() {
		all["/api/v1/requests of a trace"] += s.fetch(t, admin+"/api/v1/requests/"+trace, "")
		all["/-/requests of a trace"] += s.fetch(t, self+"/-/requests/"+trace, "")
	}
	for _, name := range []string{"services", "quotas", "tokens", "breakers", "cache", "callers", "status", "log/level"} {
		all["/api/v1/"+name] = s.fetch(t, admin+"/api/v1/"+name, "")
	}
	all["/-/me"] = s.fetch(t, self+"/-/me", "")
	for where, text := range all {
		if strings.HasPrefix(where, "/") && !strings.Contains(text, "200 OK") || len(text) < 20 {
			t.Errorf("%s is not there: %.100s", where, text)
		}
	}
	for _, where := range []string{"/api/v1/requests", "/-/requests", "/api/v1/requests of a trace", "/-/requests of a trace"} {
		if !strings.Contains(all[where], "attempts") {
			t.Errorf("%s tells nothing: %.300s", where, all[where])
		}
	}
	return all
}

// tracesHere are the traces that have come.
func (s *subject) tracesHere() map[string]bool {
	all := map[string]bool{}
	for _, span := range s.sink.Spans() {
		all[span.Trace] = true
	}
	return all
}

// wantExported: whom an exemplar leads to a trace, finds it.
func (s *subject) wantExported(t *testing.T, metrics string) {
	t.Helper()
	here := s.tracesHere()
	exemplars := regexp.MustCompile(`# \{.*trace_id="([0-9a-f]+)"`).FindAllStringSubmatch(metrics, -1)
	for _, one := range exemplars {
		if !here[one[1]] {
			t.Errorf("no span of the exemplar's trace %s has come", one[1])
		}
	}
	if len(exemplars) == 0 {
		t.Error("the metrics have no exemplars")
	}
}

// fetch reads a document with all rights.
func (s *subject) fetch(t *testing.T, url, accept string) string {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	req.RequestURI = ""
	req.Header.Set("Authorization", "Bearer "+adminToken)
	if strings.Contains(url, s.gateway.Server) {
		req.Header.Set("Authorization", "Bearer "+s.keys[usual])
	}
	req.Header.Set("Accept", accept)
	resp, err := s.client.Do(req)
	rig.Must(t, err)
	defer resp.Body.Close()
	var text strings.Builder
	_, err = io.Copy(&text, io.LimitReader(resp.Body, maxAnswer))
	rig.Must(t, err)
	return fmt.Sprintln(resp.Status, text.String())
}
