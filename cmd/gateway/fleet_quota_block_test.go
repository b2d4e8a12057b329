package main

import (
	"net/http"
	"strings"
	"testing"

	"iqgateway/internal/iqsim"
	"iqgateway/internal/redistest"
)

// operate runs a command against a replica's admin server, and wants what it
// prints.
func (f *replicas) operate(t *testing.T, r *replica, want string, args ...string) {
	t.Helper()
	wantCommand(t, adminEnviron(strings.TrimPrefix(r.adminAt, "http://"), f.admin), exitOK, []string{want}, args...)
}

// status makes a call that must not wait and returns what came of it.
func (f *replicas) status(t *testing.T, r *replica) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.server+customers, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", f.key)
	req.Header.Set("X-Gateway-Wait", "0")
	resp, err := f.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// What an operator tells one replica holds for all, also for one that starts
// later; any of them shows the bucket alike.
func TestFleetBlocksAQuota(t *testing.T) {
	t.Parallel()
	f := newFleet(t, redistest.Single(t), fleetOptions{replicas: 2, extra: patientRedis})
	for _, r := range f.all {
		f.wantOK(t, r)
	}
	const bucket = "sim/crm/authenticated"
	crm := iqsim.LedgerQuery{Service: "crm"}
	quota := func(r *replica, want string, args ...string) {
		t.Helper()
		f.operate(t, r, want, append([]string{"quota"}, args...)...)
	}
	quota(f.all[0], "for every replica", "block", bucket, "--for", "10m", "--reason", "INC-4711")
	for i, r := range f.all {
		await(t, "a replica follows", func() bool { return f.status(t, r) == http.StatusTooManyRequests })
		quota(r, "INC-4711", "show", bucket)
		t.Logf("replica %d holds", i)
	}
	late := f.start(t)
	if got := f.status(t, late); got != http.StatusTooManyRequests {
		t.Errorf("a replica that started later answers %d", got)
	}
	before := len(f.Ledger(crm))
	for _, r := range f.all {
		f.status(t, r)
	}
	if n := len(f.Ledger(crm)) - before; n != 0 {
		t.Errorf("%d calls went out while the quota was blocked", n)
	}
	quota(late, "open to every replica", "unblock", bucket)
	for _, r := range append(f.all, late) {
		await(t, "a replica sends again", func() bool { return f.status(t, r) == http.StatusOK })
	}
}
