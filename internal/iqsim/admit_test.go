package iqsim

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"testing"
)

func TestInvalidTokens(t *testing.T) {
	h := startSim(t, Options{})
	elsewhere, err := h.Token("production")
	if err != nil {
		t.Fatal(err)
	}
	good := h.bearer
	for name, value := range map[string]string{
		"missing": "", "malformed": "Bearer", "unknown": "Bearer x", "other scheme": "Basic c2lt", "raw": good[len("Bearer "):],
		"of another environment": "Bearer " + elsewhere, "twice": good + "," + good, "with a space": good + " ",
	} {
		h.bearer = value
		if value == good+" " { // trimmed on the way, and good
			continue
		}
		r := h.get(customers)
		if r.status != http.StatusUnauthorized || r.body != "invalid token" || r.header.Get("Content-Type") != "text/plain" {
			t.Errorf("%s: %d %q %q", name, r.status, r.header.Get("Content-Type"), r.body)
		}
		if r.header.Get("X-RateLimit-Limit") != "" {
			t.Errorf("%s: counted by the quota", name)
		}
	}
	h.bearer = "bearer " + good[len("Bearer "):]
	if r := h.get(customers); r.status != http.StatusOK {
		t.Errorf("scheme in lower case: %d", r.status)
	}
	if got := h.Counts()["sandbox"]["crm"]; got.Unauthorized != 7 || got.Executed != 1 {
		t.Errorf("counts = %+v", got)
	}
}

func TestTwoAuthorizationFields(t *testing.T) {
	h := startSim(t, Options{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url+customers, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header["Authorization"] = []string{h.bearer, h.bearer}
	resp, err := h.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if e := h.Ledger(LedgerQuery{})[0]; resp.StatusCode != http.StatusUnauthorized || e.Authorizations != 2 {
		t.Errorf("status %d, entry %+v", resp.StatusCode, e)
	}
}

func TestAnonymous(t *testing.T) {
	h := startSim(t, Options{Limits: map[string]int{"reference": 2}})
	countries := "/reference/v1/Countries"
	good := h.bearer
	for i, step := range []struct {
		bearer    string
		status    int
		remaining string
	}{
		{"", 200, "1"},
		{good, 200, "1"}, // counted apart
		{"", 200, "0"},
		{"", 429, "0"},
		{good, 200, "0"},
		{"Bearer x", 401, ""},
	} {
		h.bearer = step.bearer
		r := h.get(countries)
		if r.status != step.status || r.header.Get("X-RateLimit-Remaining") != step.remaining {
			t.Errorf("step %d: status %d, remaining %q", i, r.status, r.header.Get("X-RateLimit-Remaining"))
		}
	}
}

func TestPing(t *testing.T) {
	h := startSim(t, Options{})
	for _, bearer := range []string{h.bearer, ""} {
		h.bearer = bearer
		for _, path := range []string{"/crm/ping", "/crm/v1/ping", "/catalogs/ping", "/dataconnect/ping", "/api/ping"} {
			var p struct {
				ApplicationVersion string
				DbVersion          int
			}
			r := h.get(path)
			r.decode(t, &p)
			if r.status != http.StatusOK || p.ApplicationVersion != "2.0.0.1155" || p.DbVersion != 17 {
				t.Errorf("%s: %d %s", path, r.status, r.body)
			}
		}
	}
}

// DataConnect takes bearer, then Basic, then ?Auth=, in this order.
func TestDataConnectCredentials(t *testing.T) {
	h := startSim(t, Options{})
	basic := base64.StdEncoding.EncodeToString([]byte("sim@example.com:sim-password"))
	wrong := base64.StdEncoding.EncodeToString([]byte("sim@example.com:x"))
	good := h.bearer
	for i, tt := range []struct {
		authorization, auth string
		want                int
	}{
		{good, "", 200},
		{"Basic " + basic, "", 200},
		{"", basic, 200},
		{good, wrong, 200},
		{"Bearer x", basic, 401},
		{"Basic " + wrong, basic, 401},
		{"Basic %", "", 401},
		{"Digest x", "", 401},
		{"", "", 401},
	} {
		h.bearer = tt.authorization
		target := "/dataconnect/lists/stores"
		if tt.auth != "" {
			target += "?Auth=" + url.QueryEscape(tt.auth)
		}
		r := h.get(target)
		if r.status != tt.want {
			t.Errorf("case %d: status %d, want %d: %.80s", i, r.status, tt.want, r.body)
		}
		if r.status == http.StatusUnauthorized && r.body != `{"Error":true,"Message":"Token is invalid"}`+"\n" {
			t.Errorf("case %d: %s", i, r.body)
		}
	}
	h.bearer = ""
	if r := h.get("/dataconnect/version"); r.status != http.StatusOK {
		t.Errorf("version without a token: %d", r.status)
	}
}

func TestCountRejected(t *testing.T) {
	h := startSim(t, Options{
		Limits:   map[string]int{"crm": 1},
		Switches: Switches{CountRejected: true},
	})
	h.bearer = "Bearer x"
	for i, want := range []int{401, 429} {
		if r := h.get(customers); r.status != want {
			t.Errorf("call %d: %d, want %d", i, r.status, want)
		}
	}
}
