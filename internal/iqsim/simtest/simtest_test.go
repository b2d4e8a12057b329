package simtest_test

import (
	"net/http"
	"strings"
	"testing"

	"iqgateway/internal/iqsim"
	"iqgateway/internal/iqsim/simtest"
)

func TestStart(t *testing.T) {
	for _, start := range []func(testing.TB, iqsim.Options) *simtest.Server{simtest.Start, simtest.StartTLS} {
		s := start(t, iqsim.Options{})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Environment("sandbox")+"/crm/v1/ping", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", s.Bearer(t))
		resp, err := s.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d", s.URL, resp.StatusCode)
		}
		seen := s.Ledger(iqsim.LedgerQuery{Executed: true})
		if len(seen) != 1 || seen[0].TokenSerial != 1 || seen[0].Host != simtest.HostOf(s.URL) {
			t.Errorf("ledger = %+v", seen)
		}
	}
}

func TestPasswordForm(t *testing.T) {
	s := simtest.Start(t, iqsim.Options{})
	body := strings.NewReader(simtest.PasswordForm().Encode())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/accounts/v1/oauth2/token", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if got := s.TokenCalls(""); resp.StatusCode != http.StatusOK || got.Password != 1 {
		t.Errorf("status %d, calls %+v", resp.StatusCode, got)
	}
}
