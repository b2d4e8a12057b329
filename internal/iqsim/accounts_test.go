package iqsim

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestPasswordGrant(t *testing.T) {
	h := startSim(t, Options{})
	r, first := h.login("sandbox")
	if len(first.AccessToken) != 100 || first.RefreshToken == "" || first.ExpiresIn != 43199 {
		t.Errorf("answer = %+v", first)
	}
	if strings.Contains(r.body, "token_type") || strings.Contains(r.body, "scope") {
		t.Errorf("the provider sends neither token_type nor scope: %s", r.body)
	}
	if got := r.header.Get("Cache-Control"); got != "private,no-cache, no-store, must-revalidate" {
		t.Errorf("Cache-Control = %q", got)
	}
	if _, second := h.login("sandbox"); second.AccessToken == first.AccessToken {
		t.Error("a second password grant gave the same token")
	}
	if got := h.get(customers, "Authorization", "Bearer "+first.AccessToken); got.status != http.StatusOK {
		t.Errorf("an earlier token ended with a new grant: status %d", got.status)
	}
	if calls := h.TokenCalls("sandbox"); calls.Password != 2 || calls.Live != 3 {
		t.Errorf("calls = %+v", calls)
	}
}

func TestTokenPaths(t *testing.T) {
	h := startSim(t, Options{})
	for path, want := range map[string]int{
		"/accounts/v1/oauth2/token":  200,
		"/accounts/v1/oauth2/token/": 200,
		"/accounts/v1/oauth2/Token":  200,
		"/accounts/Token":            200,
		"/accounts/token/":           200,
		"/accounts/v1/oauth2/nope":   404,
	} {
		if got := h.do(http.MethodPost, path, formOf(), "Content-Type", formType); got.status != want {
			t.Errorf("%s: status %d, want %d", path, got.status, want)
		}
	}
	if got := h.get("/accounts/v1/oauth2/token"); got.status != http.StatusMethodNotAllowed {
		t.Errorf("GET: status %d", got.status)
	}
}

func TestGrantErrors(t *testing.T) {
	tests := []struct {
		name        string
		contentType string
		query       string
		body        string
		want        string
	}{
		{"unknown grant", formType, "", formOf("grant_type", "client_credentials"), "unsupported_grant_type"},
		{"no grant", formType, "", formOf("grant_type", "-"), "unsupported_grant_type"},
		{"JSON", "application/json", "", `{"grant_type":"password"}`, "unsupported_grant_type"},
		{"form with the wrong label", "text/plain", "", formOf(), "unsupported_grant_type"},
		{"in the URL", formType, "?" + formOf(), "", "unsupported_grant_type"},
		{"unknown client", formType, "", formOf("client_id", "other"), "invalid_client"},
		{"wrong secret", formType, "", formOf("client_secret", "x"), "invalid_client"},
		{"wrong password", formType, "", formOf("password", "x"), "invalid_grant"},
		{"unknown user", formType, "", formOf("username", "x"), "invalid_grant"},
		{"wrong refresh token", formType, "", formOf("grant_type", "refresh_token", "refresh_token", "x"), "invalid_grant"},
	}
	h := startSim(t, Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := h.do(http.MethodPost, "/accounts/v1/oauth2/token"+tt.query, tt.body, "Content-Type", tt.contentType)
			var e struct{ Error, Error_description string }
			r.decode(t, &e)
			if r.status != http.StatusBadRequest || e.Error != tt.want || e.Error_description == "" {
				t.Errorf("status %d, %+v, want 400 %s", r.status, e, tt.want)
			}
		})
	}
	if calls := h.TokenCalls(""); calls.Calls != len(tests) || calls.Errors["unsupported_grant_type"] != 5 {
		t.Errorf("calls = %+v", calls)
	}
}

func TestRefreshRevokes(t *testing.T) {
	h := startSim(t, Options{})
	_, first := h.login("sandbox")
	r, second := h.login("sandbox", "grant_type", "refresh_token", "refresh_token", first.RefreshToken)
	if r.status != http.StatusOK || second.RefreshToken == first.RefreshToken {
		t.Fatalf("refresh: %d %s", r.status, r.body)
	}
	if got := h.get(customers, "Authorization", "Bearer "+first.AccessToken); got.status != http.StatusUnauthorized {
		t.Errorf("the token that was refreshed: status %d, want 401", got.status)
	}
	if got := h.get(customers, "Authorization", "Bearer "+second.AccessToken); got.status != http.StatusOK {
		t.Errorf("the new token: status %d", got.status)
	}
	if r, _ := h.login("sandbox", "grant_type", "refresh_token", "refresh_token", first.RefreshToken); r.status != http.StatusBadRequest {
		t.Errorf("a refresh token worked twice: status %d", r.status)
	}
}

func TestLockedUser(t *testing.T) {
	h := startSim(t, Options{Switches: Switches{LockAfter: 3}})
	for range 2 {
		h.login("sandbox", "password", "wrong")
	}
	if r, _ := h.login("sandbox"); r.status != http.StatusOK {
		t.Fatalf("locked too early: %s", r.body)
	}
	for range 3 { // the good login began a new count
		h.login("sandbox", "password", "wrong")
	}
	if r, _ := h.login("sandbox"); r.status != http.StatusBadRequest || !strings.Contains(r.body, "locked") {
		t.Errorf("after 3 wrong passwords: %d %s", r.status, r.body)
	}
	if r, _ := h.login("production"); r.status != http.StatusOK {
		t.Errorf("the lock reached another environment: %s", r.body)
	}
	unlocked, password := false, "changed"
	if err := h.ChangeAccount("sandbox", "sim@example.com", AccountChange{Locked: &unlocked, Password: &password}); err != nil {
		t.Fatal(err)
	}
	if r, _ := h.login("sandbox", "password", "changed"); r.status != http.StatusOK {
		t.Errorf("after unlocking: %s", r.body)
	}
}

func TestLogout(t *testing.T) {
	h := startSim(t, Options{})
	_, g := h.login("sandbox")
	if r := h.get("/accounts/logout?access_token=" + g.AccessToken); r.status != http.StatusOK {
		t.Fatalf("logout: status %d", r.status)
	}
	if got := h.get(customers, "Authorization", "Bearer "+g.AccessToken); got.status != http.StatusUnauthorized {
		t.Errorf("after logout: status %d", got.status)
	}
}

func TestTokenLifetime(t *testing.T) {
	h := startSim(t, Options{Switches: Switches{TokenLifetime: Duration(10 * time.Second)}})
	_, g := h.login("sandbox")
	if g.ExpiresIn != 9 {
		t.Errorf("expires_in = %d, want 9", g.ExpiresIn)
	}
	bearer := "Bearer " + g.AccessToken
	h.clock.advance(10*time.Second - 1)
	if got := h.get(customers, "Authorization", bearer); got.status != http.StatusOK {
		t.Errorf("just before its end: status %d", got.status)
	}
	h.clock.advance(1)
	if got := h.get(customers, "Authorization", bearer); got.status != http.StatusUnauthorized {
		t.Errorf("at its end: status %d", got.status)
	}
	if err := h.Switch(func(s *Switches) { s.ExpiresIn = 43200 }); err != nil {
		t.Fatal(err)
	}
	if _, g := h.login("sandbox"); g.ExpiresIn != 43200 {
		t.Errorf("expires_in = %d, want what the switch says", g.ExpiresIn)
	}
}

func TestSeedRepeatsTokens(t *testing.T) {
	text := func(seed uint64, environment string) string {
		s, err := New(Options{Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		token, err := s.Token(environment)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	first, again := text(7, "sandbox"), text(7, "sandbox")
	if first != again {
		t.Error("one seed gave two tokens")
	}
	seen := map[string]bool{first: true}
	for _, other := range []string{text(8, "sandbox"), text(7, "rc"), text(0, "sandbox"), text(0, "sandbox")} {
		if seen[other] {
			t.Error("different sources gave one token")
		}
		seen[other] = true
	}
}
