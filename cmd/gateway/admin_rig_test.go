package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"iqgateway/internal/secret"
	"iqgateway/observability"
)

// deeds are what commands have had an admin server do.
type deeds struct {
	mu   sync.Mutex
	done []string
}

func (d *deeds) note(format string, values ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.done = append(d.done, fmt.Sprintf(format, values...))
}

// adminServer starts an admin server and returns the environment of a command
// that asks it.
func adminServer(t *testing.T, endpoints ...observability.Endpoint) []string {
	t.Helper()
	server := httptest.NewServer(observability.Admin(observability.AdminOptions{
		Metrics: http.NotFoundHandler(), Token: secret.New(adminToken), API: observability.API(endpoints...),
	}))
	t.Cleanup(server.Close)
	return adminEnviron(server.Listener.Addr().String(), adminToken)
}

func adminEnviron(address, token string) []string {
	return []string{envAdminAddress + "=" + address, envAdminToken + "=" + token}
}

// wantCommand runs a command that ends with code and prints all of want, and
// returns what it prints.
func wantCommand(t *testing.T, environ []string, code int, want []string, args ...string) string {
	t.Helper()
	got, out, errs := command(t, environ, args...)
	if got != code {
		t.Errorf("%v: exit %d, want %d\n%s%s", args, got, code, out, errs)
	}
	for _, w := range want {
		if !strings.Contains(out+errs, w) {
			t.Errorf("%v: no %q in\n%s%s", args, w, out, errs)
		}
	}
	return out
}

// wantRefused asks the admin server as a program would, and wants a problem with
// a text.
func wantRefused(t *testing.T, environ []string, method, path, body string, status int, want string) {
	t.Helper()
	base := "http://" + strings.TrimPrefix(environ[0], envAdminAddress+"=")
	r, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+adminToken)
	r.Header.Set("Content-Type", "application/json")
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var problem json.RawMessage
	err = json.NewDecoder(resp.Body).Decode(&problem)
	if err != nil || resp.StatusCode != status || !strings.Contains(string(problem), want) {
		t.Errorf("%s %s %s: %d %s (%v), want %d and %q", method, path, body, resp.StatusCode, problem, err, status, want)
	}
}
