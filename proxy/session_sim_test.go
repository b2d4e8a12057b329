package proxy_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"iqgateway/internal/iqsim"
	"iqgateway/internal/iqsim/simtest"
	"iqgateway/proxy"
)

// dataConnect is a simulated DataConnect that listens on two hosts: the one
// that is configured, and the one that its session may prefer.
type dataConnect struct {
	*iqsim.Sim
	Main, Other *httptest.Server
	Tokens      map[string]string // of two accounts
}

const cookieName = "Keks" // the provider does not publish its own

// startDataConnect runs the simulation; option may name {other} as its
// preferred endpoint.
func startDataConnect(t *testing.T, https bool, preferred string) *dataConnect {
	t.Helper()
	account := func(name string) iqsim.Account {
		return iqsim.Account{ClientID: "sim-client", ClientSecret: "sim-secret", Username: name, Password: "sim-password"}
	}
	sim, err := iqsim.New(iqsim.Options{
		Accounts:    []iqsim.Account{account("retail"), account("wholesale")},
		DataConnect: iqsim.DataConnectOptions{CookieName: cookieName},
	})
	if err != nil {
		t.Fatal(err)
	}
	d := &dataConnect{Sim: sim, Tokens: map[string]string{}}
	for _, s := range []**httptest.Server{&d.Main, &d.Other} {
		*s = httptest.NewUnstartedServer(sim)
		if https {
			(*s).EnableHTTP2 = true
			(*s).StartTLS()
		} else {
			(*s).Start()
		}
		t.Cleanup((*s).Close)
	}
	d.prefer(t, preferred)
	for _, name := range []string{"retail", "wholesale"} {
		d.Tokens[name] = d.login(t, name)
	}
	return d
}

// prefer changes what the session names; {other} is the other host.
func (d *dataConnect) prefer(t *testing.T, preferred string) {
	t.Helper()
	preferred = strings.ReplaceAll(preferred, "{other}", d.Other.URL)
	if err := d.ConfigureDataConnect("", iqsim.DataConnectOptions{CookieName: cookieName, PreferredEndpoint: preferred}); err != nil {
		t.Fatal(err)
	}
}

func (d *dataConnect) login(t *testing.T, username string) string {
	t.Helper()
	form := simtest.PasswordForm()
	form.Set("username", username)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.Main.URL+"/accounts/v1/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := d.Main.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.Token == "" {
		t.Fatalf("login of %s: %s, %v", username, res.Status, err)
	}
	return answer.Token
}

// dataCalls counts the requests for reports and lists that a host has served.
func (d *dataConnect) dataCalls(host *httptest.Server) (n int) {
	for _, e := range d.Ledger(iqsim.LedgerQuery{}) {
		if e.Service == "dataconnect" && !strings.HasSuffix(e.Target, "/session") && e.Host == simtest.HostOf(host.URL) {
			n++
		}
	}
	return n
}

// sessionCalls counts the requests for the session document.
func (d *dataConnect) sessionCalls() (n int) {
	for _, e := range d.Ledger(iqsim.LedgerQuery{}) {
		if strings.HasSuffix(e.Target, "/session") {
			n++
		}
	}
	return n
}

// gate returns a gateway in front of it. Its sessions end with the test.
func (d *dataConnect) gate(t *testing.T, o proxy.SessionsOptions, change func(*gate)) *gate {
	t.Helper()
	sessions := proxy.NewSessions(o)
	t.Cleanup(sessions.Close)
	return newGate(t, d.Main.URL+"/dataconnect", func(g *gate) {
		g.Sessions, g.Tokens = sessions, d.Tokens
		g.Service.Session = proxy.ServiceSession{Cookies: true, PreferredEndpoint: true}
		if d.Main.TLS != nil {
			g.Settings.Trust = trusting(t, certificatePEM(d.Main))
		}
		if change != nil {
			change(g)
		}
	})
}

// get asks as one credential and wants a 200.
func (g *gate) get(t *testing.T, credential, path string) (*http.Response, string) {
	t.Helper()
	res, body := g.do(t, http.MethodGet, "/svc"+path, nil, http.Header{"X-Credential": {credential}})
	if res.StatusCode != http.StatusOK {
		t.Errorf("%s as %s: %d %s", path, credential, res.StatusCode, body)
	}
	if len(res.Header["Set-Cookie"]) > 0 {
		t.Errorf("%s: the caller got %q", path, res.Header["Set-Cookie"])
	}
	return res, body
}

// key is that of a credential's session at the gate.
func (g *gate) key(credential string) proxy.SessionKey {
	return proxy.SessionKey{Environment: "sandbox", Service: "crm", Upstream: g.Target.Upstream.String(), Credential: credential}
}

func (g *gate) preferred(credential string) string {
	return g.Sessions.PreferredOf(g.key(credential), g.Target.Upstream)
}

// eventually waits for what happens in the background.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

func TestSessionCookieIsKept(t *testing.T) {
	for _, https := range []bool{false, true} {
		d := startDataConnect(t, https, "")
		g := d.gate(t, proxy.SessionsOptions{}, nil)
		for range 5 {
			g.get(t, "retail", "/lists/stores")
		}
		if s := d.DataConnectStats(""); s.SessionsOpened != 1 || s.SessionHits < 4 {
			t.Errorf("https %v: %+v", https, s)
		}
		// A caller's own cookie does not pass, with or without one of ours.
		res, _ := g.do(t, http.MethodGet, "/svc/lists/stores", nil, http.Header{"Cookie": {cookieName + "=forged"}, "X-Credential": {"retail"}})
		if res.StatusCode != http.StatusOK || d.DataConnectStats("").SessionsOpened != 1 {
			t.Errorf("https %v: a caller's cookie changed the session", https)
		}
	}
}

func TestCookiesNeedTheirSwitch(t *testing.T) {
	d := startDataConnect(t, false, "")
	g := d.gate(t, proxy.SessionsOptions{}, func(g *gate) { g.Service.Session = proxy.ServiceSession{} })
	for range 3 {
		g.get(t, "retail", "/lists/stores")
	}
	if s := d.DataConnectStats(""); s.SessionsOpened != 3 || s.SessionHits != 0 || d.sessionCalls() != 0 {
		t.Errorf("%+v", s)
	}
}

// Each credential has its own session, whatever they send at the same time.
func TestCredentialsNeverMix(t *testing.T) {
	d := startDataConnect(t, true, "{other}")
	g := d.gate(t, proxy.SessionsOptions{}, nil)
	for _, credential := range []string{"retail", "wholesale"} {
		g.get(t, credential, "/lists/stores")
	}
	var all sync.WaitGroup
	for i := range 4 {
		credential := []string{"retail", "wholesale"}[i%2]
		all.Go(func() {
			for range 25 {
				g.get(t, credential, "/lists/stores")
			}
		})
	}
	all.Wait()
	cookies := map[string]map[string]bool{} // account -> values
	for _, e := range d.Ledger(iqsim.LedgerQuery{}) {
		for _, c := range (&http.Request{Header: e.Header}).Cookies() {
			if cookies[c.Value] == nil {
				cookies[c.Value] = map[string]bool{}
			}
			cookies[c.Value][e.Account] = true
		}
	}
	for value, accounts := range cookies {
		if len(accounts) != 1 {
			t.Errorf("cookie %s was sent by %v", value, slices.Collect(maps.Keys(accounts)))
		}
	}
	if len(cookies) < 2 {
		t.Errorf("only %d sessions", len(cookies))
	}
}

// A credential that is not listed (a caller's own token) has no session, and a
// changed account has a new one.
func TestSessionsBelongToAnAccount(t *testing.T) {
	d := startDataConnect(t, false, "")
	sessions := proxy.NewSessions(proxy.SessionsOptions{})
	t.Cleanup(sessions.Close)
	generation := func(account string) *gate {
		return d.gate(t, proxy.SessionsOptions{}, func(g *gate) {
			g.Sessions = sessions
			g.Service.Session = proxy.ServiceSession{Cookies: true, Account: only("retail", account)}
		})
	}
	for _, tt := range []struct {
		account, credential string
		opened              int64 // by two requests
	}{
		{"a", "retail", 1},
		{"a", "retail", 0}, // a reload that changes nothing
		{"a", "wholesale", 2},
		{"b", "retail", 1},
	} {
		before := d.DataConnectStats("").SessionsOpened
		g := generation(tt.account)
		g.get(t, tt.credential, "/lists/stores")
		g.get(t, tt.credential, "/lists/stores")
		if opened := d.DataConnectStats("").SessionsOpened - before; opened != tt.opened {
			t.Errorf("%+v: %d sessions were opened", tt, opened)
		}
	}
}

// only lets one credential have a session.
func only(credential, account string) func(string) (string, bool) {
	return func(name string) (string, bool) { return account, name == credential }
}

// The replay after a 401 does not carry the cookie of the refused session.
func TestRefusedSessionIsNotReplayed(t *testing.T) {
	d := startDataConnect(t, false, "")
	g := d.gate(t, proxy.SessionsOptions{}, func(g *gate) { g.Service.Session.PreferredEndpoint = false })
	g.get(t, "retail", "/lists/stores")
	if _, err := d.AddFault(iqsim.Fault{Service: "dataconnect", Kind: "status", Status: 401, Count: 1}); err != nil {
		t.Fatal(err)
	}
	g.get(t, "retail", "/lists/stores")
	g.get(t, "retail", "/lists/stores")
	var sent []bool
	for _, e := range d.Ledger(iqsim.LedgerQuery{}) {
		if e.Service == "dataconnect" {
			sent = append(sent, e.Header.Get("Cookie") != "")
		}
	}
	// The first opens, the second is refused, its replay opens, the last goes on.
	if want := []bool{false, true, false, true}; !slices.Equal(sent, want) {
		t.Errorf("cookies were sent: %v, want %v", sent, want)
	}
}

func TestReplicasOpenOneSession(t *testing.T) {
	d := startDataConnect(t, true, "{other}")
	store := &proxy.MemoryStore{}
	a := d.gate(t, proxy.SessionsOptions{Store: store}, nil)
	b := d.gate(t, proxy.SessionsOptions{Store: store}, nil)
	a.get(t, "retail", "/lists/stores")
	eventually(t, "learned", func() bool { return a.preferred("retail") == d.Other.URL })
	a.get(t, "retail", "/lists/stores")
	eventually(t, "shared", func() bool { return len(store.Cookies()) == 2 })
	opened := d.DataConnectStats("").SessionsOpened // one at each host
	calls := d.sessionCalls()
	for range 10 {
		b.get(t, "retail", "/lists/stores")
	}
	if s := d.DataConnectStats(""); s.SessionsOpened != opened || d.sessionCalls() != calls {
		t.Errorf("the second replica opened %d sessions of its own and made %d session calls", s.SessionsOpened-opened, d.sessionCalls()-calls)
	}
	if d.dataCalls(d.Other) != 11 {
		t.Errorf("%d calls went to the preferred host", d.dataCalls(d.Other))
	}
}

func TestOneSessionCallServesAll(t *testing.T) {
	d := startDataConnect(t, false, "")
	if _, err := d.AddFault(iqsim.Fault{Service: "dataconnect", Kind: "latency", Delay: iqsim.Duration(50 * time.Millisecond)}); err != nil {
		t.Fatal(err)
	}
	g := d.gate(t, proxy.SessionsOptions{}, nil)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			_, body := g.get(t, "retail", "/session?Response=Csv.Email&Email.To=evil@evil.test")
			if !strings.Contains(body, `"isValid":true`) || strings.Contains(body, d.Tokens["retail"]) || strings.Contains(body, "basic_token") {
				t.Errorf("%s", body)
			}
		})
	}
	all.Wait()
	g.get(t, "retail", "/Session/")
	if d.sessionCalls() != 1 || len(d.DataConnectStats("").Outbox) != 0 {
		t.Errorf("%d session calls", d.sessionCalls())
	}
	_, other := g.get(t, "wholesale", "/session")
	_, own := g.get(t, "retail", "/session")
	if own == other || d.sessionCalls() != 2 {
		t.Errorf("two accounts got the same document: %s", own)
	}
}

// Nothing of the session is left behind when everything ends.
func TestSessionsLeakNothing(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("requests", func(t *testing.T) {
		d := startDataConnect(t, true, "{other}")
		g := d.gate(t, proxy.SessionsOptions{Store: &proxy.MemoryStore{}}, nil)
		for range 3 {
			g.get(t, "retail", "/lists/stores")
			g.get(t, "wholesale", "/session")
		}
	})
}

func TestForeignHostsSeeNothing(t *testing.T) {
	foreign := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a foreign host saw %s %s with %q", r.Method, r.URL, r.Header["Authorization"])
	}))
	t.Cleanup(foreign.Close)
	at, err := url.Parse(foreign.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{
		"http://localhost:" + at.Port(), "http://evil.test", "http://127.0.0.1@localhost:" + at.Port(),
		foreign.URL + "/path", "http://user:pw@" + at.Host, "http://169.254.169.254", "nonsense",
	} {
		d := startDataConnect(t, false, value)
		refused := make(chan error, 10)
		g := d.gate(t, proxy.SessionsOptions{Hooks: proxy.SessionHooks{
			Refused: func(_ proxy.SessionKey, err error) { refused <- err },
		}}, nil)
		g.get(t, "retail", "/lists/stores")
		if err := receive(t, refused, "refusal of "+value); strings.Contains(err.Error(), value) {
			t.Errorf("the error repeats it: %v", err)
		}
		g.get(t, "retail", "/lists/stores")
		if d.dataCalls(d.Main) != 2 || g.preferred("retail") != "" {
			t.Errorf("%s: %d calls of 2 at the configured host", value, d.dataCalls(d.Main))
		}
	}
}
