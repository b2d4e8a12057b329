package tokencache

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/secret"
)

func TestLifetimeSeconds(t *testing.T) {
	cases := map[string]int64{ // -1 = refused
		``: 3600, `null`: 3600, ` null `: 3600,
		`43199`: 43199, `"43199"`: 43199, `43199.0`: 43199, `43199.9`: 43199, `4.3e4`: 43000, `1`: 1,
		`86401`: 86400, `1e18`: 86400, `1000000000000000000`: 86400, `1e400`: 86400, `99999999999999999999999`: 86400,
		`0`: -1, `"0"`: -1, `-1`: -1, `-4294967295`: -1, `0.5`: -1, `-1e400`: -1,
		`""`: -1, `"soon"`: -1, `"NaN"`: -1, `true`: -1, `{}`: -1, `[43199]`: -1, `"12h"`: -1,
	}
	for raw, want := range cases {
		got, err := lifetimeSeconds(json.RawMessage(raw))
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("expires_in %s: %d (%v), want %d", raw, got, err, want)
		}
	}
}

func TestCanonical(t *testing.T) {
	cases := map[string]struct {
		status int
		body   string
		want   string // "" = an error
	}{
		"as captured": {200, `{"access_token":"a","expires_in":43199,"refresh_token":"r"}`, `{"access_token":"a","token_type":"Bearer","refresh_token":"r","expires_in":43199}`},
		"other members are dropped": {
			200, `{"access_token":"a","expires_in":1,"userName":"x","scope":"*"}`, `{"access_token":"a","token_type":"Bearer","expires_in":1}`,
		},
		"bearer in any case":  {200, `{"access_token":"a","token_type":"bEARER"}`, `{"access_token":"a","token_type":"Bearer","expires_in":3600}`},
		"other token type":    {200, `{"access_token":"a","token_type":"mac"}`, ""},
		"empty token":         {200, `{"access_token":"","expires_in":1}`, ""},
		"token is no string":  {200, `{"access_token":7}`, ""},
		"line break":          {200, `{"access_token":"a\r\nX: y"}`, ""},
		"space":               {200, `{"access_token":"a b"}`, ""},
		"beyond ASCII":        {200, `{"access_token":"ä"}`, ""},
		"DEL":                 {200, `{"access_token":"a\u007f"}`, ""},
		"NUL":                 {200, `{"access_token":"a\u0000"}`, ""},
		"bad refresh token":   {200, `{"access_token":"a","refresh_token":"\n"}`, ""},
		"HTML":                {200, `<html>Sign in</html>`, ""},
		"nothing":             {200, ``, ""},
		"null":                {200, `null`, ""},
		"array":               {200, `[]`, ""},
		"two documents":       {200, `{"access_token":"a"}{}`, ""},
		"created":             {201, `{"access_token":"a"}`, ""},
		"error inside a 200":  {200, `{"error":"invalid_grant","access_token":"a"}`, `{"error":"invalid_grant"}`},
		"refusal":             {400, `{"error":"invalid_grant","error_description":"user x"}`, `{"error":"invalid_grant"}`},
		"refusal in own word": {400, `{"error":"locked ` + canaryPassword + `"}`, `{"error":"unknown_error"}`},
		"plain text":          {401, `invalid token ` + canaryToken, `{}`},
		"redirect":            {307, ``, `{}`},
		"HTML error":          {500, `<html>`, `{}`},
		"token in an error":   {503, `{"access_token":"a"}`, `{}`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := canonical(c.status, []byte(c.body))
			if string(got) != c.want || (err == nil) == (c.want == "") {
				t.Errorf("%s, %v; want %s", got, err, c.want)
			}
		})
	}
}

// FuzzTokenJSON: whatever a token endpoint says, the result is a token that a
// header may carry and a lifetime within a day, or an error that repeats
// nothing of what came.
func FuzzTokenJSON(f *testing.F) {
	for _, seed := range []string{
		tokenBody(1, 43199), `{"access_token":"a","expires_in":"43199"}`, `{"access_token":"a\r\nb"}`, `{"error":"invalid_grant"}`,
		`{"access_token":"a","expires_in":1e18}`, `{"access_token":"a","expires_in":-1}`, `<html>`, ``, `null`, `[[[[[[`,
		`{"access_token":"a","ACCESS_TOKEN":"b"}`, `access_token=a&expires_in=5`, strings.Repeat(`{"a":`, 2000),
	} {
		f.Add(200, seed)
		f.Add(400, seed)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			t.Skip("net/http lets no such status through")
		}
		answer := tripper(func(r *http.Request) (*http.Response, error) { return response(r, status, body), nil })
		got, err := fetchToken(t.Context(), testCredential(answer), testSecrets(), secret.Text{})
		if err != nil {
			text := err.Error()
			checkClean(t, "the error", text)
			if len(text) > 200 || strings.ContainsAny(text, "\r\n") {
				t.Fatalf("error %q", text)
			}
			return
		}
		field := got.field.Reveal()
		if value, ok := strings.CutPrefix(field, "Bearer "); !ok || !isToken(value) {
			t.Fatalf("field %q", field)
		}
		if got.lifetime < time.Second || got.lifetime > maxLifetime {
			t.Fatalf("lifetime %s", got.lifetime)
		}
		if status != http.StatusOK {
			t.Fatalf("a token from a %d", status)
		}
	})
}
