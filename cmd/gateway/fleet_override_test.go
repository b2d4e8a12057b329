package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"iqgateway/internal/redistest"
)

// override has a replica set or clear one.
func (f *replicas) override(t *testing.T, r *replica, method, body string) (int, overrideChanged, string) {
	t.Helper()
	status, text := f.api(t, r, method, pathOverrides, body)
	var c overrideChanged
	if status == http.StatusOK {
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			t.Fatal(err)
		}
	}
	return status, c, text
}

// held are the overrides that a replica goes by, as KEY=VALUE.
func (f *replicas) held(t *testing.T, r *replica) string {
	t.Helper()
	_, text := f.api(t, r, http.MethodGet, pathOverrides, "")
	var list overrideList
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, d := range list.Overrides {
		all = append(all, d.Key+"="+d.Value)
	}
	return strings.Join(all, " ")
}

// answers are the statuses that the caller gets, of each replica.
func (f *replicas) answers(t *testing.T) string {
	t.Helper()
	var all []string
	for _, r := range f.all {
		status, _, err := f.call(t.Context(), r, http.MethodGet, customers, "")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprint(status))
	}
	return strings.Join(all, " ")
}

const blockStorefront = `{"key": "callers.storefront.blocked", "value": "true", "for": "%s", "reason": "floods"}`

// What is set on one replica holds on all, on those that start later too, until it
// is cleared; in metrics, status and access lines. Orders may cross each other.
func TestFleetOverride(t *testing.T) {
	t.Parallel()
	f := newFleet(t, redistest.Single(t), fleetOptions{extra: patientRedis})
	status, c, text := f.override(t, f.all[0], http.MethodPost, fmt.Sprintf(blockStorefront, "1h"))
	if status != http.StatusOK || c.Fleet.Followed != 3 || c.Fleet.Replicas != 3 || c.HereOnly {
		t.Fatalf("%d %s", status, text)
	}
	if got := f.answers(t); got != "403 403 403" {
		t.Errorf("answered %s", got)
	}
	late := f.start(t)
	if status, text, err := f.call(t.Context(), late, http.MethodGet, customers, ""); err != nil || status != http.StatusForbidden || !strings.Contains(text, "caller-blocked") {
		t.Errorf("a replica that starts later: %d %s %v", status, text, err)
	}
	f.all = append(f.all, late)
	for _, r := range f.all {
		if n := f.metric(t, r, "iqgw_override_active", `key="callers.*.blocked"`); n != 1 {
			t.Errorf("%v overrides are active", n)
		}
		if !strings.Contains(r.out.String(), `"override":"callers.storefront.blocked"`) {
			t.Errorf("no access line tells of it:\n%s", r.out)
		}
	}
	if _, text := f.api(t, late, http.MethodGet, pathStatus, ""); !strings.Contains(text, `"key": "callers.storefront.blocked"`) {
		t.Errorf("status: %s", text)
	}
	if status, c, text := f.override(t, late, http.MethodDelete, `{"key": "callers.storefront.blocked"}`); status != http.StatusOK || c.Fleet.Followed != 4 {
		t.Fatalf("%d %s", status, text)
	}
	if got := f.answers(t); got != "200 200 200 200" {
		t.Errorf("answered %s", got)
	}
	if n := f.metric(t, late, "iqgw_override_active"); n != 0 {
		t.Errorf("%v overrides are active", n)
	}
	f.overrideAtOnce(t)
}

// Redis is away: the order holds where it was given, says so, and reaches the
// others when it is back. One that is over ends everywhere meanwhile.
func TestFleetOverrideWithoutRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Single(t)
	f := newFleet(t, server, fleetOptions{replicas: 2})
	if status, _, text := f.override(t, f.all[0], http.MethodPost, `{"key": "telemetry.traces.sample", "value": "5%", "for": "4s", "reason": "look"}`); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	await(t, "the other replica follows", func() bool { return f.held(t, f.all[1]) == "telemetry.traces.sample=5%" })
	server.Kill()
	status, c, text := f.override(t, f.all[0], http.MethodPost, fmt.Sprintf(blockStorefront, "1h"))
	if status != http.StatusOK || !c.HereOnly || !c.Fleet.Alone || c.Fleet.Followed != 1 {
		t.Fatalf("%d %s", status, text)
	}
	if got := f.answers(t); got != "403 200" {
		t.Errorf("answered %s", got)
	}
	await(t, "the end without Redis", func() bool { return f.held(t, f.all[1]) == "" })
	server.Start()
	await(t, "the other one follows", func() bool { return f.answers(t) == "403 403" })
}

// overrideAtOnce gives orders on all replicas at once; all hold, everywhere.
func (f *replicas) overrideAtOnce(t *testing.T) {
	t.Helper()
	keys := []string{"services.crm.quota.max", "services.order.quota.max", "services.catalogs.quota.max", "services.crm.retry.max_attempts", "services.order.retry.max_attempts", "telemetry.logs.level"}
	values := []string{"10", "11", "12", "2", "2", "warn"}
	done := make(chan string, len(keys))
	for i, key := range keys {
		go func() {
			answer := "no answer"
			defer func() { done <- answer }() // whatever ends it
			status, text := f.api(t, f.all[i%len(f.all)], http.MethodPost, pathOverrides, fmt.Sprintf(`{"key": %q, "value": %q, "for": "1h", "reason": "at once"}`, key, values[i]))
			answer = fmt.Sprint(status, text)
		}()
	}
	for range keys {
		if got := <-done; !strings.HasPrefix(got, "200") {
			t.Error(got)
		}
	}
	for _, r := range f.all {
		await(t, "all six hold", func() bool { return len(strings.Fields(f.held(t, r))) == len(keys) })
	}
}
