package tokencache

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/internal/secret"
)

// fetchFrom makes one token call to a real server.
func fetchFrom(t *testing.T, handler http.HandlerFunc) (grantedToken, error) {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	cred := testCredential(nil)
	cred.TokenURL = server.URL + "/v1/oauth2/token"
	return fetchToken(t.Context(), cred, testSecrets(), secret.Text{})
}

func TestTokenCallIsAsDocumented(t *testing.T) {
	got, err := fetchFrom(t, func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		want := map[string]string{
			"grant_type": "password", "client_id": "client", "client_secret": canarySecret,
			"username": "user@example.com", "password": canaryPassword,
		}
		for name, value := range want {
			if r.PostForm.Get(name) != value {
				t.Errorf("%s = %q", name, r.PostForm.Get(name))
			}
		}
		if len(r.PostForm) != len(want) || r.URL.RawQuery != "" || r.Header.Get("Authorization") != "" || r.Method != http.MethodPost {
			t.Errorf("%s %s %v %v", r.Method, r.URL, r.PostForm, r.Header)
		}
		_, _ = io.WriteString(w, tokenBody(1, 43199)) // no token_type, no Content-Type of JSON
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.field.Reveal() != "Bearer "+canaryToken+"-1" || got.lifetime != 43199*time.Second {
		t.Errorf("lifetime %s", got.lifetime)
	}
}

func TestOddAnswers(t *testing.T) {
	zipped := func(text string) string {
		var buf bytes.Buffer
		w := gzip.NewWriter(&buf)
		_, _ = io.WriteString(w, text)
		_ = w.Close()
		return buf.String()
	}
	cases := map[string]struct {
		status   int
		encoding string
		body     string
		ok       bool
	}{
		"gzip":                {200, "gzip", zipped(tokenBody(1, 60)), true},
		"gzip bomb":           {200, "gzip", zipped(strings.Repeat(" ", 8<<20) + tokenBody(1, 60)), false},
		"broken gzip":         {200, "gzip", tokenBody(1, 60), false},
		"2 MB":                {200, "", strings.Repeat(" ", 2<<20) + tokenBody(1, 60), false},
		"just below 64 KiB":   {200, "", strings.Repeat(" ", 60<<10) + tokenBody(1, 60), true},
		"HTML":                {200, "", "<html>" + canaryPassword, false},
		"empty":               {200, "", "", false},
		"deeply nested":       {200, "", strings.Repeat("[", 60000), false},
		"CR LF in the token":  {200, "", `{"access_token":"a\r\nX-Injected: 1"}`, false},
		"expired when issued": {200, "", tokenBody(1, 0), false},
		"without expiry":      {200, "", `{"access_token":"a"}`, true},
		"expiry in a string":  {200, "", `{"access_token":"a","expires_in":"43199"}`, true},
		"expiry with decimal": {200, "", `{"access_token":"a","expires_in":43199.5}`, true},
		"expiry in 1e18 s":    {200, "", `{"access_token":"a","expires_in":1e18}`, true},
		"no content":          {204, "", "", false},
		"error echoing all":   {500, "", canaryPassword + canarySecret + canaryToken, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := fetchFrom(t, func(w http.ResponseWriter, _ *http.Request) {
				if c.encoding != "" {
					w.Header().Set("Content-Encoding", c.encoding)
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			if (err == nil) != c.ok {
				t.Fatalf("%+v, %v", got, err)
			}
			if err != nil {
				checkClean(t, "the error", err.Error())
			}
		})
	}
}

func TestRefusedOrFailed(t *testing.T) {
	cases := map[string]struct {
		status  int
		body    string
		refused bool
		text    string
	}{
		"invalid_grant":    {400, `{"error":"invalid_grant","error_description":"` + canaryPassword + `"}`, true, "status 400 invalid_grant"},
		"own word":         {400, `{"error":"` + canaryPassword + `"}`, true, "status 400 unknown_error"},
		"plain 401":        {401, "invalid " + canaryToken, true, "status 401"},
		"403":              {403, "", true, "status 403"},
		"404":              {404, "", false, "status 404"},
		"429":              {429, "", false, "status 429"},
		"500":              {500, canarySecret, false, "status 500"},
		"locked":           {423, "", true, "status 423"},
		"422":              {422, "", true, "status 422"},
		"500 of a mistake": {500, `{"error":"invalid_grant"}`, true, "status 500 invalid_grant"},
		"503 with a word":  {503, `{"error":"temporarily_unavailable"}`, false, "status 503 unknown_error"},
		"429 of a refusal": {429, `{"error":"invalid_client"}`, true, "status 429 invalid_client"},
		"hung up at once":  {0, "", false, "the connection ended before the answer did"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := fetchFrom(t, func(w http.ResponseWriter, _ *http.Request) {
				if c.status == 0 {
					panic(http.ErrAbortHandler)
				}
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			fetch, ok := errors.AsType[*FetchError](err)
			if !ok || fetch.Refused != c.refused || fetch.Status != c.status || fetch.Error() != "token endpoint: "+c.text {
				t.Fatalf("%#v", err)
			}
			if c.status != 0 && fetch.retryAfter != 7*time.Second {
				t.Errorf("Retry-After %s", fetch.retryAfter)
			}
		})
	}
}

// A redirect would post the password to wherever Location points.
func TestNoRedirectIsFollowed(t *testing.T) {
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		elsewhere.Add(1)
		_, _ = io.WriteString(w, tokenBody(1, 60))
	}))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		_, err := fetchFrom(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, status) })
		fetch, ok := errors.AsType[*FetchError](err)
		if !ok || fetch.Status != status || fetch.Refused || elsewhere.Load() != 0 {
			t.Errorf("%d: %v, calls elsewhere %d", status, err, elsewhere.Load())
		}
	}
}

// Loopback addresses never use HTTP_PROXY, so that what is looked at is the
// transport that every call without one of its own gets.
func TestProxyOfTheEnvironmentIsIgnored(t *testing.T) {
	guard, ok := client(nil).Transport.(answerGuard)
	if !ok {
		t.Fatal("answers are not guarded")
	}
	noted, _ := guard.next.(attempts)
	plain, ok := noted.next.(*http.Transport)
	if !ok || plain.Proxy != nil || plain.TLSClientConfig.InsecureSkipVerify {
		t.Errorf("transport %+v", guard.next)
	}
}

func TestSlowDripEndsInTime(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, " ")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-time.After(5 * time.Millisecond):
			case <-r.Context().Done():
			}
		}
	}))
	defer server.Close()
	cred := testCredential(nil)
	cred.TokenURL = server.URL
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := fetchToken(ctx, cred, testSecrets(), secret.Text{})
	if err == nil || err.Error() != "token endpoint: no answer in time" {
		t.Errorf("%v", err)
	}
}

func TestUnreachableEndpoints(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().String()
	_ = listener.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	for name, c := range map[string]struct{ url, want string }{
		"nobody listens": {"http://" + closed + "/", "dial tcp " + closed + ": connect: connection refused"},
		"unknown root":   {secure.URL, "its certificate is not trusted"},
		"HTTP on a TLS":  {"http" + strings.TrimPrefix(secure.URL, "https"), "status 400"},
	} {
		cred := testCredential(nil)
		cred.TokenURL = c.url
		_, err := fetchToken(t.Context(), cred, testSecrets(), secret.Text{})
		if err == nil || err.Error() != "token endpoint: "+c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDescribe(t *testing.T) {
	for want, err := range map[string]error{
		`the name "accounts.example" does not resolve`: &net.DNSError{Err: "no such host", Name: "accounts.example", IsNotFound: true},
		"no answer in time":                            &net.DNSError{Err: "slow", Name: "accounts.example", IsTimeout: true},
		"the call was cancelled":                       fmt.Errorf("x: %w", context.Canceled),
		"no usable answer (*errors.errorString)":       fmt.Errorf("x: %w", errors.New(canaryPassword)),
	} {
		if got := describe(err); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}

// Texts of errors that are not known to be harmless do not get out.
func TestUnknownErrorsLoseTheirText(t *testing.T) {
	for _, inner := range []error{
		errors.New("malformed header: " + canaryToken),
		fmt.Errorf("wrapped: %w", errors.New(canaryPassword)),
		&net.OpError{Op: "read", Err: errors.New(canarySecret)},
	} {
		transport := tripper(func(*http.Request) (*http.Response, error) { return nil, inner })
		_, err := fetchToken(t.Context(), testCredential(transport), testSecrets(), secret.Text{})
		if err == nil {
			t.Fatal("no error")
		}
		checkClean(t, "the error", err.Error())
		if errors.Is(err, inner) {
			t.Errorf("the cause is still reachable: %v", err)
		}
	}
}

func TestAskedFor(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for field, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "3600": time.Minute, "-1": 0, "0": 0, "1e3": 0, "9223372036854775807": time.Minute, "soon": 0,
		now.Add(9 * time.Second).Format(http.TimeFormat): 9 * time.Second,
		now.Add(-time.Hour).Format(http.TimeFormat):      0,
		now.Add(time.Hour).Format(http.TimeFormat):       time.Minute,
	} {
		if got := askedFor(http.Header{"Retry-After": {field}}, now); got != want {
			t.Errorf("%q: %s, want %s", field, got, want)
		}
	}
}
