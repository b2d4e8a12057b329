package iqsim

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// dcNow is the clock of these tests.
func dcNow() time.Time { return time.Date(2019, 10, 2, 12, 0, 0, 0, time.UTC) }

// dcBench is a DataConnect service behind a real server. Its callers are named
// by their bearer token: "token-ann" belongs to the account "ann".
type dcBench struct {
	*dataConnect
	url    string
	client *http.Client
}

func startDC(t testing.TB, o DataConnectOptions) *dcBench {
	t.Helper()
	d := newDC(o)
	server := httptest.NewServer(asCaller(d))
	t.Cleanup(server.Close)
	return &dcBench{dataConnect: d, url: server.URL, client: server.Client()}
}

func newDC(o DataConnectOptions) *dataConnect {
	return newDataConnect(worldOptions{Environment: "sandbox", Now: dcNow, DataConnect: o}).(*dataConnect)
}

// asCaller puts the caller into the context, as the engine does.
func asCaller(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimSpace(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer"))
		c := call{Account: strings.TrimPrefix(token, "token-"), ClientID: "client", Token: token}
		next.ServeHTTP(w, r.WithContext(withCall(r.Context(), c)))
	})
}

// dcAnswer is an answer, read.
type dcAnswer struct {
	status  int
	header  http.Header
	cookies []*http.Cookie
	body    string
}

// get asks for path as the account ann.
func (b *dcBench) get(t testing.TB, path string) dcAnswer {
	t.Helper()
	return b.do(t, b.request(t, http.MethodGet, path, ""))
}

func (b *dcBench) request(t testing.TB, method, path, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer token-ann")
	return r
}

func (b *dcBench) do(t testing.TB, r *http.Request) dcAnswer {
	t.Helper()
	res, err := b.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return dcAnswer{res.StatusCode, res.Header, res.Cookies(), string(body)}
}

// rows decodes a Json answer.
func (a dcAnswer) rows(t testing.TB) []map[string]any {
	t.Helper()
	if a.status != http.StatusOK {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	var rows []map[string]any
	if err := json.Unmarshal([]byte(a.body), &rows); err != nil {
		t.Fatalf("%v in %.200s", err, a.body)
	}
	return rows
}

// wantError fails unless the answer is DataConnect's error shape.
func (a dcAnswer) wantError(t testing.TB, status int, message string) {
	t.Helper()
	var shape struct {
		Error   *bool
		Message *string
	}
	err := json.Unmarshal([]byte(a.body), &shape)
	switch {
	case a.status != status:
		t.Errorf("status %d, want %d: %s", a.status, status, a.body)
	case err != nil || shape.Error == nil || !*shape.Error || shape.Message == nil:
		t.Errorf("not the error shape: %s", a.body)
	case !strings.Contains(*shape.Message, message):
		t.Errorf("message %q does not say %q", *shape.Message, message)
	case a.header.Get("Content-Type") != "application/json":
		t.Errorf("media type %q", a.header.Get("Content-Type"))
	}
}

// waitForDC waits until the counts satisfy done, a second at most.
func (b *dcBench) waitForDC(t testing.TB, done func(DataConnectStats) bool) DataConnectStats {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	for !done(b.stats()) {
		if dcWait(ctx, time.Millisecond) != nil {
			t.Fatalf("not within a second: %+v", b.stats())
		}
	}
	return b.stats()
}
