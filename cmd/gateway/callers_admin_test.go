package main

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/redistest"
)

func (r *rig) callers(t *testing.T) callerList {
	t.Helper()
	var list callerList
	a := r.get(t, "http://"+r.Admin+pathCallers).want(t, http.StatusOK)
	if err := json.Unmarshal([]byte(a.text), &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// An operator sees who may call, until when, and when each credential was last
// used with success.
func TestCallersAndTheirLastUses(t *testing.T) {
	t.Parallel()
	soon := time.Now().Add(3 * 24 * time.Hour).UTC()
	r := newRig(t, rigOptions{extra: `auth: {key_headers: [X-Api-Key]}
`, access: `{"*": write, crm: {methods: [GET], paths: ["/v1/**"]}}`})
	r.rewrite(t, "keys: [{", "rate_limit: {rate: 100/s, concurrency: 5}\n    keys: [{id: storefront-2, sha256: "+strings.Repeat("0", 64)+", expires: "+soon.Format(time.DateOnly)+"}, {")
	restarted := &rig{logs: &lockedBuffer{}, file: r.file, client: r.client}
	restarted.addresses = startProgram(t, restarted.logs, rigEnviron(), "run", "-c", r.file)
	restarted.base, restarted.key = "https://"+restarted.Server, r.key

	if keys := restarted.callers(t).Callers[0].Credentials; len(keys) != 2 || keys[1].LastUsed != nil {
		t.Errorf("before the first use: %+v", keys)
	}
	restarted.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	restarted.do(t, http.MethodGet, customers, "", func(req *http.Request) { req.Header.Set("X-Api-Key", "wrong") }).want(t, http.StatusUnauthorized)
	caller := restarted.callers(t).Callers[0]
	used, unused := caller.Credentials[1], caller.Credentials[0]
	if used.ID != "storefront-1" || used.LastUsed == nil || time.Since(*used.LastUsed) > time.Minute || used.State != "ok" {
		t.Errorf("the key in use: %+v", used)
	}
	if unused.LastUsed != nil || unused.State != "expires soon" {
		t.Errorf("the other key: %+v", unused)
	}
	want := limitDocument{Rate: "100/1s", Burst: 100, Concurrency: 5, Slots: 5}
	if l := caller.Limit; l == nil || l.Tokens < 90 || l.Tokens > 100 { // a refused key costs its owner nothing
		t.Errorf("limit: %+v", l)
	} else if want.Tokens = l.Tokens; *l != want {
		t.Errorf("limit: %+v, want %+v", l, want)
	}
	if got := caller.Access[0].Services; got["*"] != "write" || got["crm"] != "GET, limited" || caller.Access[0].Environment != "sim" {
		t.Errorf("access: %+v", caller.Access)
	}
	environ := adminEnviron(restarted.Admin, "")
	out := wantCommand(t, environ, exitOK, []string{"CALLER", "LAST USED", "expires soon", "s ago", "never"}, "key", "list")
	if strings.Contains(out, digestOf(r.key)) {
		t.Error("digests are shown")
	}
	wantCommand(t, environ, exitOK, []string{`"id": "storefront-2"`}, "key", "list", "--caller", "storefront", "-o", "json")
	wantCommand(t, environ, exitFailure, []string{`there is no caller "store"; did you mean storefront?`}, "key", "list", "--caller", "store")
	restarted.wantMetrics(t, "iqgw_caller_key_expiry_timestamp_seconds{caller=\"storefront\",key_id=\"storefront-2\"} "+expiryOf(soon))
}

// expiryOf is the gauge of a key that lasts to the end of a day.
func expiryOf(day time.Time) string {
	end := time.Date(day.Year(), day.Month(), day.Day(), 23, 59, 59, int(999*time.Millisecond), time.UTC)
	return strconv.FormatFloat(float64(end.UnixMilli())/1000, 'g', -1, 64)
}

// Another replica, and one that starts later, know of a use; Redis knows no
// name.
func TestFleetKnowsLastUses(t *testing.T) {
	t.Parallel()
	redis := redistest.Single(t)
	f := newFleet(t, redis, fleetOptions{replicas: 2, extra: patientRedis})
	f.wantOK(t, f.all[0])
	f.all[0].stop(t) // at its end at the latest, it tells
	status, text := f.api(t, f.all[1], http.MethodGet, pathCallers, "")
	var list callerList
	if err := json.Unmarshal([]byte(text), &list); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	if used := list.Callers[0].Credentials[0].LastUsed; used == nil || time.Since(*used) > time.Minute || list.HereOnly != "" {
		t.Errorf("%s", text)
	}
}
