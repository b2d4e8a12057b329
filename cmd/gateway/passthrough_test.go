package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"iqgateway/internal/exchange"
	"iqgateway/internal/iqsim"
)

// movingAccess is that of an application on its way: catalogs by the gateway's
// account, all else with its own token.
const movingAccess = `{catalogs: read}}
      - {credential: passthrough, until: "2099-12-31", environment: sim, services: {crm: write, dataconnect: read, pricing: read}`

// ownAccount is the application's own, which the gateway does not know.
func ownAccount() iqsim.Account {
	return iqsim.Account{ClientID: "own-client", ClientSecret: "own-secret", Username: "own@example.com", Password: "own-password"}
}

func movingOptions() rigOptions {
	shared := iqsim.Account{ClientID: rigSecrets.client, ClientSecret: rigSecrets.secret, Username: rigSecrets.user, Password: rigSecrets.password}
	return rigOptions{access: movingAccess, sim: iqsim.Options{Accounts: []iqsim.Account{shared, ownAccount()}}}
}

// ownToken asks the upstream for a token, as the application does.
func (r *rig) ownToken(t testing.TB) string {
	t.Helper()
	a := ownAccount()
	form := url.Values{
		"grant_type": {"password"}, "client_id": {a.ClientID}, "client_secret": {a.ClientSecret}, "username": {a.Username}, "password": {a.Password},
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.upstream(t)+"/accounts/v1/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var pair tokenPair
	if err := json.NewDecoder(resp.Body).Decode(&pair); err != nil || pair.Access == "" {
		t.Fatalf("%s: %v", resp.Status, err)
	}
	return pair.Access
}

// upstream is the URL of the rig's simulation.
func (r *rig) upstream(t testing.TB) string {
	t.Helper()
	_, rest, _ := strings.Cut(r.configuration(t), `sim: {url: "`)
	origin, _, _ := strings.Cut(rest, "/{service}")
	return origin
}

// bringing is an application that sends its own token beside its key.
func bringing(token string) func(*http.Request) {
	return func(q *http.Request) { q.Header.Set("Authorization", "Bearer "+token) }
}

func TestPassthrough(t *testing.T) {
	t.Parallel()
	r := newRig(t, movingOptions())
	token := r.ownToken(t)
	a := r.do(t, http.MethodGet, customers, "", bringing(token)).want(t, http.StatusOK)
	if got := a.Header.Get("Cache-Status"); !strings.Contains(got, "fwd=bypass") {
		t.Errorf("Cache-Status %q", got)
	}
	r.do(t, http.MethodGet, catalogItems, "", bringing(token)).want(t, http.StatusOK) // by the gateway's account
	crm, catalogs := r.calls("crm"), r.calls("catalogs")
	if len(crm) != 1 || crm[0].ClientID != "own-client" || crm[0].Authorizations != 1 {
		t.Errorf("crm was asked %+v", crm)
	}
	if len(catalogs) != 1 || catalogs[0].ClientID != rigSecrets.client || catalogs[0].Authorizations != 1 {
		t.Errorf("catalogs was asked %+v", catalogs)
	}
	without := r.do(t, http.MethodGet, customers, "").want(t, http.StatusForbidden)
	if !strings.Contains(without.text, "Authorization: Bearer TOKEN") {
		t.Errorf("without a token: %s", without.text)
	}
	session := r.do(t, http.MethodGet, "/dataconnect/session", "", bringing(token)).want(t, http.StatusOK)
	if strings.Contains(session.text, token) || !strings.Contains(session.text, "isValid") {
		t.Errorf("session: %s", session.text)
	}
	for _, call := range r.calls("dataconnect") {
		if call.ClientID != "own-client" {
			t.Errorf("dataconnect was asked with the token of %s", call.ClientID)
		}
	}
	quotas := r.get(t, "http://"+r.Admin+"/api/v1/quotas").text
	metrics := r.get(t, "http://"+r.Admin+"/metrics").text
	if !strings.Contains(quotas, "passthrough:storefront") || !strings.Contains(metrics, `credential="passthrough"`) {
		t.Errorf("no bucket or metric of its own: %s", quotas)
	}
	if !strings.Contains(r.logs.String(), `"credential":"passthrough"`) {
		t.Error("the access log does not name it")
	}
	me := r.do(t, http.MethodGet, "/-/me", "").want(t, http.StatusOK).text
	if !strings.Contains(strings.Join(strings.Fields(me), ""), `"credentials":["passthrough"],"kind"`) {
		t.Errorf("/-/me does not show its bucket: %s", me)
	}
	r.wantNowhere(t, token)
	if strings.Contains(quotas+me, token) {
		t.Error("the token shows in /api/v1/quotas or /-/me")
	}
}

// The answer to a caller's own token is the caller's: a 401 too, which costs no
// token and no second attempt, and says nothing against the upstream.
func TestPassthroughIsNotRepaired(t *testing.T) {
	t.Parallel()
	r := newRig(t, movingOptions())
	token := r.ownToken(t)
	if _, err := r.RevokeTokens(iqsim.TokenQuery{}); err != nil {
		t.Fatal(err)
	}
	for range 25 {
		a := r.do(t, http.MethodGet, customers, "", bringing(token)).want(t, http.StatusUnauthorized)
		if strings.HasPrefix(a.Header.Get("Content-Type"), "application/problem+json") {
			t.Fatalf("the upstream's 401 became %s", a.text)
		}
	}
	if n := len(r.calls("crm")); n != 25 {
		t.Errorf("%d attempts for 25 requests", n)
	}
	if n := r.passwordCalls(); n != 1 { // the application's own
		t.Errorf("%d token calls", n)
	}
	session := r.do(t, http.MethodGet, "/dataconnect/session", "", bringing(token)).want(t, http.StatusUnauthorized)
	if !strings.Contains(session.text, "your key is fine") || !strings.Contains(session.text, string(exchange.OwnTokenRejected)) {
		t.Errorf("session: %s", session.text)
	}
	for _, challenge := range session.Header.Values("Www-Authenticate") {
		if strings.Contains(challenge, "iqgateway") {
			t.Errorf("session: the gateway asks for its own key: %s", challenge)
		}
	}
	r.wantNowhere(t, token)
}

// What others get from the cache is neither made nor read by a caller's own
// token; what it writes is dropped there.
func TestPassthroughAndTheCache(t *testing.T) {
	t.Parallel()
	o := movingOptions()
	o.access = strings.NewReplacer("catalogs: read}}", "entitymanager: read}, default: true}", "pricing: read", "entitymanager: write").Replace(movingAccess)
	r := newRig(t, o)
	token := r.ownToken(t)
	own := func(q *http.Request) {
		bringing(token)(q)
		q.Header.Set("X-Gateway-Credential", passthrough)
		q.Header.Set("Content-Type", "application/json")
	}
	ask := func(edit ...func(*http.Request)) string {
		return r.do(t, http.MethodGet, companyTree, "", edit...).want(t, http.StatusOK).Header.Get("Cache-Status")
	}
	bypasses := func(when string) {
		t.Helper()
		if got := ask(own); !strings.Contains(got, "fwd=bypass") {
			t.Errorf("with its own token, %s: %s", when, got)
		}
	}
	hits := func() bool { return strings.HasPrefix(ask(), "iqgateway; hit") }
	bypasses("before anybody")
	if hits() {
		t.Error("what its own token brought is stored")
	}
	if !hits() {
		t.Fatal("what the gateway's token brought is not stored")
	}
	bypasses("while an answer is stored")
	if !hits() {
		t.Error("a read with its own token drops what is stored")
	}
	r.do(t, http.MethodPut, companyNode, renamedNode, own).want(t, http.StatusOK)
	if hits() {
		t.Error("what its own token has changed is still answered")
	}
}

// configuration is the text of the rig's file.
func (r *rig) configuration(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(r.file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
