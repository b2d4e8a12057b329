package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
	"iqgateway/internal/redistest"
)

// With the refresh grant a renewal revokes the token that the other replicas
// still use: they switch to the new one, and no call fails.
func TestFleetRefreshesWithoutAFailure(t *testing.T) {
	t.Parallel()
	fleetOn(t, "sentinel", func(t *testing.T, topology redistest.Topology) {
		f := newFleet(t, topology, fleetOptions{
			sim:    shortLived(4),
			config: strings.Replace(fleetConfig, "    client_id:", "    grant: refresh_token\n    client_id:", 1),
		})
		f.wantOK(t, f.all[0])
		load := f.drive(t, 150, customers)
		pass(t, 7*time.Second)
		wantNoFailure(t, "while tokens were refreshed", load.stop())
		calls := f.TokenCalls("")
		t.Logf("%d logins and %d refreshes", calls.Password, calls.Refresh)
		if calls.Refresh < 1 || calls.Password > 2 {
			t.Errorf("%d logins and %d refreshes, want one login and a refresh every two seconds or so", calls.Password, calls.Refresh)
		}
	})
}

const twoAccounts = fleetHead + `credentials:
  retail: {environment: sim, client_id: client-a, client_secret: secret-a, username: user-a, password: password-a}
  supplier: {environment: sim, client_id: client-b, client_secret: secret-b, username: user-b, password: password-b}
services:
  dataconnect: {session: {preferred_endpoint: false}}
callers:
  storefront:
    keys: [{id: storefront-1, sha256: DIGEST}]
    access:
      - {credential: retail, default: true, services: {"*": write}}
      - {credential: supplier, services: {"*": write}}
`

// Two accounts of one environment share nothing: tokens, cookies, connections.
func TestFleetKeepsAccountsApart(t *testing.T) {
	t.Parallel()
	server := redistest.Single(t)
	f := newFleet(t, server, fleetOptions{config: twoAccounts, sim: iqsim.Options{Accounts: []iqsim.Account{
		{ClientID: "client-a", ClientSecret: "secret-a", Username: "user-a", Password: "password-a"},
		{ClientID: "client-b", ClientSecret: "secret-b", Username: "user-b", Password: "password-b"},
	}}})
	const stores = "/dataconnect/lists/stores?Response=Json&sim-nonce="
	accounts := map[string]string{"": "user-a", "retail": "user-a", "supplier": "user-b"}
	for round := range 3 {
		for _, r := range f.all {
			for credential := range accounts {
				if err := f.callWith(t.Context(), r, stores+fmt.Sprintf("%s-%d", credential, round), credential); err != nil {
					t.Fatal(err)
				}
			}
		}
		pass(t, 200*time.Millisecond) // sessions are shared in the background
	}
	cookies, remotes := map[string]map[string]bool{}, map[string]map[string]bool{}
	note := func(sets map[string]map[string]bool, account, value string) {
		if sets[account] == nil {
			sets[account] = map[string]bool{}
		}
		sets[account][value] = true
	}
	for _, e := range f.Ledger(iqsim.LedgerQuery{Service: "dataconnect"}) {
		credential, _, _ := strings.Cut(e.Nonce, "-")
		if want := accounts[credential]; e.Account != want || e.Authorizations != 1 {
			t.Errorf("a call for %q went out as %q with %d tokens", credential, e.Account, e.Authorizations)
		}
		note(remotes, e.Account, e.Remote)
		for _, cookie := range e.Header["Cookie"] {
			note(cookies, e.Account, cookie)
		}
	}
	for what, sets := range map[string]map[string]map[string]bool{"cookie": cookies, "connection": remotes} {
		if len(sets["user-a"]) == 0 || len(sets["user-b"]) == 0 {
			t.Errorf("no %s of one account was seen: %v", what, sets)
		}
		for value := range sets["user-a"] {
			if sets["user-b"][value] {
				t.Errorf("both accounts use the %s %s", what, value)
			}
		}
	}
	if n := f.tokenCalls(); n != 2 {
		t.Errorf("%d token calls for two accounts", n)
	}
	if s := f.DataConnectStats(""); s.SessionsOpened > 2*int64(len(f.all)) || s.SessionHits < 18 {
		t.Errorf("%d sessions opened, %d calls with one", s.SessionsOpened, s.SessionHits)
	}
}

// callWith makes one call that names its credential and wants 200.
func (f *replicas) callWith(ctx context.Context, r *replica, target, credential string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.server+target, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("X-Api-Key", f.key)
	if credential != "" {
		req.Header.Set("X-Gateway-Credential", credential)
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || resp.Header.Get("Set-Cookie") != "") {
		err = fmt.Errorf("%s with Set-Cookie %q: %s", resp.Status, resp.Header.Get("Set-Cookie"), text)
	}
	return err
}
