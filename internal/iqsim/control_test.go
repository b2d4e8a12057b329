package iqsim

import (
	"cmp"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

func TestEndpointsAreServed(t *testing.T) {
	h := startSim(t, Options{})
	bodies := map[string]string{
		"POST /_sim/consume": `{"service":"crm","clientId":"x","calls":1}`,
		"POST /_sim/faults":  `{"kind":"latency"}`,
	}
	for _, e := range (control{h.Sim}).endpoints() {
		pattern := e.pattern
		method, path, _ := strings.Cut(pattern, " ")
		path = strings.NewReplacer("{$}", "", "{service...}", "crm", "{username}", "sim@example.com", "{id}", "7").Replace(path)
		r := h.do(method, path, cmp.Or(bodies[pattern], "{}"))
		if r.status != http.StatusOK || !strings.HasPrefix(r.header.Get("Content-Type"), "application/json") {
			t.Errorf("%s: %d %s", pattern, r.status, r.body)
		}
	}
	if r := h.get("/_sim/nonsense"); r.status != http.StatusNotFound {
		t.Errorf("an unknown endpoint: %d", r.status)
	}
	if len(h.Ledger(LedgerQuery{})) != 0 {
		t.Error("control calls are in the ledger")
	}
}

func TestControlCanBeClosed(t *testing.T) {
	h := startSim(t, Options{NoControl: true})
	if r := h.get("/_sim/"); r.status != http.StatusNotFound {
		t.Errorf("status %d", r.status)
	}
	open := startSim(t, Options{})
	if r := open.get("/_sim/ledger", "Host", "crmdemo.iqmetrix.net"); strings.Contains(r.body, "entries") {
		t.Errorf("control answers under the host of a service: %.80s", r.body)
	}
}

func TestControlRefusals(t *testing.T) {
	h := startSim(t, Options{})
	for _, tt := range []struct{ method, path, body, want string }{
		{"POST", "/_sim/faults", `{"kind":"nonsense"}`, "nonsense"},
		{"POST", "/_sim/faults", `{"kind":"reset","colour":"red"}`, "colour"},
		{"POST", "/_sim/faults", `{`, "JSON"},
		{"POST", "/_sim/faults", `{"kind":"latency","delay":"soon"}`, "250ms"},
		{"PUT", "/_sim/services/nope", `{}`, "does not exist"},
		{"PUT", "/_sim/services/crm?environment=nope", `{}`, "does not exist"},
		{"PUT", "/_sim/services/crm", `{"rateHeaders":"odd"}`, "rateHeaders"},
		{"PUT", "/_sim/switches", `{"window":"1500ms"}`, "multiple of 1s"},
		{"PUT", "/_sim/switches", `{"quotaScope":"moon"}`, "quotaScope"},
		{"PUT", "/_sim/accounts/nobody", `{}`, "nobody"},
		{"POST", "/_sim/tokens/revoke", `{"environment":"nope"}`, "does not exist"},
		{"POST", "/_sim/consume", `{"service":"nope"}`, "does not exist"},
		{"GET", "/_sim/ledger?since=x", "", "since"},
		{"GET", "/_sim/ledger?limit=-1", "", "limit"},
		{"GET", "/_sim/dataconnect?environment=nope", "", "does not exist"},
	} {
		r := h.do(tt.method, tt.path, tt.body)
		if r.status != http.StatusBadRequest || !strings.Contains(r.body, tt.want) {
			t.Errorf("%s %s %s: %d %s", tt.method, tt.path, tt.body, r.status, r.body)
		}
	}
	if r := h.do(http.MethodDelete, "/_sim/faults/x", ""); r.status != http.StatusNotFound {
		t.Errorf("a fault that is no number: %d", r.status)
	}
}

func TestControlFaults(t *testing.T) {
	h := startSim(t, Options{})
	var made struct{ ID int }
	h.do("POST", "/_sim/faults", `{"service":"crm","kind":"status","status":500,"count":3,"delay":"1s"}`).decode(t, &made)
	if r := h.get("/crm/ping"); r.status != http.StatusInternalServerError {
		t.Errorf("status %d", r.status)
	}
	var armed []Fault
	h.get("/_sim/faults").decode(t, &armed)
	if len(armed) != 1 || armed[0].ID != made.ID || armed[0].Count != 2 {
		t.Errorf("armed: %+v", armed)
	}
	h.do(http.MethodDelete, "/_sim/faults", "")
	if r := h.get("/crm/ping"); r.status != http.StatusOK {
		t.Errorf("after disarming: %d", r.status)
	}
}

func TestControlServices(t *testing.T) {
	h := startSim(t, Options{})
	h.do("PUT", "/_sim/services/crm", `{"limit":7,"rateHeaders":"iso","apimLimit":"0"}`)
	r := h.get(customers)
	if r.header.Get("X-RateLimit-Limit") != "7" || r.header.Get("IQ-APIM-RateLimit-Limit") != "0" ||
		!regexp.MustCompile(`^2026-03-02T15:05:00\.0000000Z$`).MatchString(r.header.Get("X-RateLimit-Reset")) {
		t.Errorf("header %v", r.header)
	}
	if r.header.Get("Cache-Control") != "no-cache" {
		t.Error("what was not named was lost")
	}
	var p Profile
	h.get("/_sim/services/crm").decode(t, &p)
	if p.Limit != 7 || len(p.Fields) == 0 {
		t.Errorf("profile %+v", p)
	}
	h.get("/_sim/services/crm?environment=production").decode(t, &p)
	if p.Limit != 1000 {
		t.Errorf("the change reached production: %d", p.Limit)
	}
	h.do("PUT", "/_sim/services/api/rqpurchaseorders", `{"limit":1}`)
	if r := h.get("/_sim/services/api/rqpurchaseorders"); !strings.Contains(r.body, `"limit":1,`) {
		t.Errorf("shared host: %s", r.body)
	}
}

func TestControlSwitches(t *testing.T) {
	h := startSim(t, Options{})
	h.do("PUT", "/_sim/switches", `{"window":"10s","tokenLifetime":"30s"}`)
	if got := h.get("/crm/ping").header.Get("X-RateLimit-ResetSeconds"); got != "9" {
		t.Errorf("ResetSeconds %s", got)
	}
	if _, g := h.login("sandbox"); g.ExpiresIn != 29 {
		t.Errorf("expires_in %d", g.ExpiresIn)
	}
	if s := h.Switches(); s.LockAfter != 5 {
		t.Errorf("what was not named was lost: %+v", s)
	}
}

func TestControlTokensAndLedger(t *testing.T) {
	h := startSim(t, Options{})
	var made struct{ AccessToken string }
	h.do("POST", "/_sim/tokens", `{"environment":"production"}`).decode(t, &made)
	if r := h.get("/~production"+customers, "Authorization", "Bearer "+made.AccessToken); r.status != http.StatusOK {
		t.Errorf("a token made over HTTP: %d", r.status)
	}
	var revoked struct{ Revoked int }
	h.do("POST", "/_sim/tokens/revoke", `{"environment":"production"}`).decode(t, &revoked)
	if revoked.Revoked != 1 {
		t.Errorf("revoked %d", revoked.Revoked)
	}
	var page ledgerAnswer
	h.get("/_sim/ledger?service=crm&limit=1").decode(t, &page)
	if len(page.Entries) != 1 || page.Next != 1 || page.Entries[0].Environment != "production" {
		t.Errorf("page %+v", page)
	}
	h.get("/_sim/ledger?since=1").decode(t, &page)
	if len(page.Entries) != 0 || page.Next != 1 {
		t.Errorf("page %+v", page)
	}
	h.do(http.MethodDelete, "/_sim/ledger", "")
	if n := len(h.Ledger(LedgerQuery{})); n != 0 {
		t.Errorf("%d entries left", n)
	}
	if r := h.get("/_sim/ledger"); strings.Contains(r.body, made.AccessToken) {
		t.Error("the ledger shows a token")
	}
}

func TestControlDataConnect(t *testing.T) {
	h := startSim(t, Options{})
	h.do("PUT", "/_sim/dataconnect", `{"overloaded":true}`)
	if r := h.get("/dataconnect/lists/stores"); r.status != http.StatusServiceUnavailable {
		t.Errorf("status %d", r.status)
	}
	var seen, elsewhere struct{ Options DataConnectOptions }
	h.get("/_sim/dataconnect").decode(t, &seen)
	if !seen.Options.Overloaded {
		t.Errorf("options %+v", seen.Options)
	}
	h.get("/_sim/dataconnect?environment=rc").decode(t, &elsewhere)
	if elsewhere.Options.Overloaded {
		t.Error("the change reached rc")
	}
}

func TestControlState(t *testing.T) {
	h := startSim(t, Options{})
	h.get("/crm/ping")
	var state stateAnswer
	h.get("/_sim/").decode(t, &state)
	if state.DefaultEnvironment != "sandbox" || len(state.Environments) != 3 || state.Counts["sandbox"]["crm"].Requests != 1 {
		t.Errorf("state %+v", state)
	}
	for _, service := range []string{"accounts", "catalogs", "crm", "dataconnect", "reference"} {
		if !strings.Contains(" "+strings.Join(state.Services, " ")+" ", " "+service+" ") {
			t.Errorf("no service %s among %v", service, state.Services)
		}
	}
}
