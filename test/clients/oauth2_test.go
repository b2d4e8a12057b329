package clients_test

import (
	"context"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"iqgateway/auth"
	"iqgateway/test/rig"
)

// get returns the status that a client gets for the customers.
func get(t *testing.T, client *http.Client) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+crm+customers, nil)
	rig.Must(t, err)
	resp, err := client.Do(req)
	rig.Must(t, err)
	_ = resp.Body.Close()
	return resp.StatusCode
}

// An unmodified OAuth2 library: a token for user and password, calls, a refresh
// once the token is due, however it sends the client's credentials.
func TestOAuth2Library(t *testing.T) {
	s := newSubject(t)
	for name, style := range map[string]oauth2.AuthStyle{
		"found out": oauth2.AuthStyleAutoDetect, "in the body": oauth2.AuthStyleInParams, "in the header": oauth2.AuthStyleInHeader,
	} {
		for _, path := range []string{"/v1/oauth2/token", "/v1/oauth2/token/", "/Token"} {
			t.Run(name+" "+path, func(t *testing.T) {
				ctx := context.WithValue(t.Context(), oauth2.HTTPClient, s.client(t))
				config := oauth2.Config{ClientID: "till", ClientSecret: s.key, Endpoint: oauth2.Endpoint{TokenURL: "https://" + accounts + path, AuthStyle: style}}
				token, err := config.PasswordCredentialsToken(ctx, "someone@example.com", "whatever")
				rig.Must(t, err)
				if left := time.Until(token.Expiry); token.TokenType != "Bearer" || token.RefreshToken == "" || left < 50*time.Minute || left > time.Hour {
					t.Fatalf("a token of type %q for %s", token.TokenType, left)
				}
				if status := get(t, config.Client(ctx, token)); status != http.StatusOK {
					t.Errorf("answered %d", status)
				}
				due := *token
				due.Expiry = time.Now().Add(-time.Minute)
				source := config.TokenSource(ctx, &due)
				if status := get(t, oauth2.NewClient(ctx, source)); status != http.StatusOK {
					t.Errorf("answered %d after a refresh", status)
				}
				if fresh, err := source.Token(); err != nil || fresh.AccessToken == token.AccessToken {
					t.Errorf("the token was not refreshed: %v", err)
				}
			})
		}
	}
}

// A key that is revoked ends what a client got for it, and its refreshes.
func TestRevokedKeyEndsAClient(t *testing.T) {
	s := newSubject(t)
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, s.client(t))
	config := oauth2.Config{ClientID: "till", ClientSecret: s.key, Endpoint: oauth2.Endpoint{TokenURL: "https://" + accounts + "/v1/oauth2/token"}}
	token, err := config.PasswordCredentialsToken(ctx, "u", "p")
	rig.Must(t, err)
	client := config.Client(ctx, token)
	if status := get(t, client); status != http.StatusOK {
		t.Fatalf("answered %d", status)
	}
	_, digest := auth.NewKey()
	text, err := os.ReadFile(s.file("gateway.yaml"))
	rig.Must(t, err)
	rig.Must(t, os.WriteFile(s.file("gateway.yaml"), []byte(strings.Replace(string(text), s.digest, digest, 1)), 0o600))
	rig.Must(t, syscall.Kill(s.gateway.PID(), syscall.SIGHUP))
	rig.Must(t, rig.Await(t.Context(), time.Minute, "the token has ended", func() bool { return get(t, client) == http.StatusUnauthorized }))
	if _, err := config.PasswordCredentialsToken(ctx, "u", "p"); err == nil || !strings.Contains(err.Error(), "invalid_client") {
		t.Errorf("a token for a revoked key: %v", err)
	}
}
