package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"iqgateway/internal/iqsim"
)

const rotatingAccount = `version: 1
server: {address: "127.0.0.1:0", tls: {mode: none}, lame_duck: 0s}
admin: {address: "127.0.0.1:0", token: "${env:RIG_SECRET}"}
environments:
  sim: {url: "SIM/{service}"}
credentials:
  retail:
    environment: sim
    client_id: client
    client_secret: secret
    username: ${file:DIR/user}
    password: ${file:DIR/password}
callers:
  storefront:
    keys: [{id: one, sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}]
    access: [{credential: retail, services: {dataconnect: read}}]
`

// The files of a credential come to hold another account while the gateway
// runs: the session of the first one is not used for the second.
func TestSessionEndsWithItsAccount(t *testing.T) {
	sim, _, simURL := newSim(t, iqsim.Options{Accounts: []iqsim.Account{
		{ClientID: "client", ClientSecret: "secret", Username: "user-a", Password: "password-a"},
		{ClientID: "client", ClientSecret: "secret", Username: "user-b", Password: "password-b"},
	}})
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("gateway.yaml", strings.NewReplacer("SIM", simURL, "DIR", dir).Replace(rotatingAccount))
	write("user", "user-a")
	write("password", "password-a")
	at := startProgram(t, io.Discard, rigEnviron(), "run", "-c", filepath.Join(dir, "gateway.yaml"))
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	send := func(method, url, body string, fields map[string]string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range fields {
			req.Header.Set(name, value)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if text, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK {
			t.Fatalf("%s %s: %s %s", method, url, res.Status, text)
		}
	}
	calls := func() {
		t.Helper()
		for range 3 {
			send(http.MethodGet, "http://"+at.Server+"/dataconnect/lists/stores", "", map[string]string{"X-Api-Key": "test"})
		}
	}
	calls()
	write("user", "user-b")
	write("password", "password-b")
	send(http.MethodPost, "http://"+at.Admin+pathTokenInvalidate, `{"credential":"retail"}`,
		map[string]string{"Authorization": "Bearer " + rigSecrets.secret, "Content-Type": "application/json"})
	calls()

	owner, accounts := map[string]string{}, map[string]bool{}
	for _, e := range sim.Ledger(iqsim.LedgerQuery{Service: "dataconnect"}) {
		accounts[e.Account] = true
		cookie := e.Header.Get("Cookie")
		if other := owner[cookie]; cookie != "" && other != "" && other != e.Account {
			t.Errorf("%s and %s used the same session", other, e.Account)
		}
		owner[cookie] = e.Account
	}
	if len(accounts) != 2 || len(owner) < 3 { // no session at first, then one of each
		t.Errorf("accounts %v, sessions %v", accounts, owner)
	}
}
