package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"iqgateway/auth"
	"iqgateway/internal/redistest"
)

// Whichever replica is asked, the one that served the request answers, through
// Redis: to its caller and to operators, and to nobody else.
func TestFleetFindsARequest(t *testing.T) {
	t.Parallel()
	fleetOn(t, "single", func(t *testing.T, topology redistest.Topology) {
		till, digest := auth.NewKey()
		f := newFleet(t, topology, fleetOptions{
			replicas: 2, extra: patientRedis,
			config: fleetConfig + "  till:\n    keys: [{id: till-1, sha256: " + digest + "}]\n    access: [{credential: retail, services: {crm: read}}]\n",
		})
		served, asked := f.all[0], f.all[1]
		await(t, "the replicas know each other", func() bool { return f.metric(t, asked, "iqgw_store_replicas") == 2 })
		id, _, _ := f.ask(t, served, customers, f.key)
		f.findable(t, id, till)
		f.traceable(t, till)
		for key, value := range topology.Dump(t) {
			if strings.Contains(value, id) || strings.Contains(value, "/sim/crm") {
				t.Errorf("%s is not sealed: %q", key, value)
			}
		}
		topology.NoEternalKeys(t)
		served.stop(t)
		if _, status, text := f.ask(t, asked, pathOwnRequests+id, f.key); status != http.StatusNotFound {
			t.Errorf("of a replica that is gone: %d %s", status, text)
		}
	})
}

// findable asks every replica for a request of the storefront.
func (f *replicas) findable(t *testing.T, id, other string) {
	t.Helper()
	for _, r := range f.all {
		_, status, text := f.ask(t, r, pathOwnRequests+id, f.key)
		var d requestDocument
		if err := json.Unmarshal([]byte(text), &d); status != http.StatusOK || err != nil || d.RequestID != id || d.Caller != "storefront" || !strings.HasPrefix(id, d.Replica+"-") {
			t.Errorf("%d %s", status, text)
		}
		if _, status, text := f.ask(t, r, pathOwnRequests+id, other); status != http.StatusNotFound || strings.Contains(text, id) {
			t.Errorf("another caller gets %d %s", status, text)
		}
		if status, text := f.api(t, r, http.MethodGet, pathRequests+id, ""); status != http.StatusOK || !strings.Contains(text, id) {
			t.Errorf("an operator gets %d %s", status, text)
		}
		unknown := id[:len(id)-4] + "0000"
		if _, status, text := f.ask(t, r, pathOwnRequests+unknown, f.key); status != http.StatusNotFound {
			t.Errorf("one that never was: %d %s", status, text)
		}
	}
}

// traceable has every replica serve a request of one trace, and asks each for all.
func (f *replicas) traceable(t *testing.T, other string) {
	t.Helper()
	var served []string
	for _, r := range f.all {
		id, status, text := f.ask(t, r, customers, f.key, setHeader("Traceparent", traceParent))
		if status != http.StatusOK {
			t.Fatalf("%d %s", status, text)
		}
		served = append(served, id)
		await(t, "the record of "+id, func() bool {
			_, status, _ := f.ask(t, r, pathOwnRequests+id, f.key)
			return status == http.StatusOK
		})
	}
	_, _, own := f.ask(t, f.all[0], pathOwnRequests+someTrace, f.key)
	_, all := f.api(t, f.all[1], http.MethodGet, pathRequests+someTrace, "")
	for _, text := range []string{own, all} {
		var d traceDocument
		if err := json.Unmarshal([]byte(text), &d); err != nil || len(d.Requests) != len(served) || len(d.Silent) > 0 {
			t.Errorf("%v: %s", err, text)
			continue
		}
		for i, id := range served {
			if d.Requests[i].RequestID != id {
				t.Errorf("request %d is %s, not %s", i, d.Requests[i].RequestID, id)
			}
		}
	}
	if _, status, text := f.ask(t, f.all[0], pathOwnRequests+someTrace, other); status != http.StatusNotFound {
		t.Errorf("another caller gets %d %s", status, text)
	}
}

// ask sends a GET with a key of a caller's.
func (f *replicas) ask(t *testing.T, r *replica, target, key string, edit ...func(*http.Request)) (id string, status int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.server+target, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", key)
	for _, e := range edit {
		e(req)
	}
	resp, err := f.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Header.Get("X-Request-Id"), resp.StatusCode, string(body)
}
