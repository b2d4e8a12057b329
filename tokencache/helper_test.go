package tokencache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"iqgateway/internal/exchange"
	"iqgateway/internal/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// body is a request's body that counts its closings.
type body struct {
	io.Reader
	mu     sync.Mutex
	closed int
}

func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed++
	return nil
}

func (b *body) closings() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

func text(s string) *body { return &body{Reader: strings.NewReader(s)} }

// The secrets of the tests; no text that leaves the package may hold one.
const (
	canaryPassword = "CAN-PW-6f1c"
	canarySecret   = "CAN-CS-a03b"
	canaryToken    = "CAN-AT-77e2"
	canaryRefresh  = "CAN-RT-4d90"
)

func testSecrets() Secrets {
	return Secrets{
		ClientID: secret.New("client"), ClientSecret: secret.New(canarySecret),
		Username: secret.New("user@example.com"), Password: secret.New(canaryPassword),
	}
}

func testCredential(transport http.RoundTripper) Credential {
	return Credential{
		Name: "retail", Environment: "production", TokenURL: "https://accounts.example/v1/oauth2/token",
		Secrets: testSecrets(), Transport: transport,
	}
}

func checkClean(t *testing.T, what, text string) {
	t.Helper()
	for _, canary := range []string{canaryPassword, canarySecret, canaryToken, canaryRefresh} {
		for _, form := range []string{canary, url.QueryEscape(canary), fmt.Sprintf("%x", canary)} {
			if strings.Contains(text, form) {
				t.Errorf("%s shows %s: %s", what, form, text)
			}
		}
	}
}

// idp is a token endpoint without sockets, for bubbles of synctest.
type idp struct {
	mu     sync.Mutex
	calls  []url.Values
	times  []time.Time
	delay  time.Duration
	answer func(call int) (status int, body string) // nil = a new 12 h token each time
}

func (i *idp) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Context().Err() != nil {
		return nil, req.Context().Err()
	}
	raw, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, err
	}
	i.mu.Lock()
	i.calls, i.times = append(i.calls, form), append(i.times, time.Now())
	call, delay, answer := len(i.calls), i.delay, i.answer
	i.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	if answer == nil {
		answer = func(call int) (int, string) { return http.StatusOK, tokenBody(call, 43199) }
	}
	status, body := answer(call)
	if status == 0 {
		return nil, errors.New("connection refused by a test that knows " + canaryPassword)
	}
	return response(req, status, body), nil
}

func (i *idp) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.calls)
}

func (i *idp) behave(answer func(call int) (int, string)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = answer
}

func tokenBody(call, seconds int) string {
	return fmt.Sprintf(`{"access_token":"%s-%d","expires_in":%d,"refresh_token":"%s-%d"}`, canaryToken, call, seconds, canaryRefresh, call)
}

func always(status int, body string) func(int) (int, string) {
	return func(int) (int, string) { return status, body }
}

func response(req *http.Request, status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: int64(len(body)),
		Body: io.NopCloser(strings.NewReader(body)), Request: req,
	}
}

// inBubble runs f with a cache of one credential whose endpoint is i.
func inBubble(t *testing.T, o Options, i *idp, change func(*Credential), f func(t *testing.T, e *entry, s *Set)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if o.Random == nil {
			o.Random = func() float64 { return 0 }
		}
		cache := New(o)
		defer cache.Close()
		cred := testCredential(i)
		if change != nil {
			change(&cred)
		}
		set, err := cache.Use([]Credential{cred})
		if err != nil {
			t.Fatal(err)
		}
		defer set.Release()
		f(t, set.entries[cred.id()], set)
	})
}

func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// tripper is a stage or network made of a func.
type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// written returns what the attempt stage would send as Authorization.
func written(ctx context.Context) string {
	h := http.Header{}
	if a := exchange.AuthorizerFrom(ctx); a != nil {
		a.Authorize(h)
	}
	return strings.Join(h.Values("Authorization"), "|")
}

// wantToken returns the token that a request gets now.
func wantToken(t *testing.T, e *entry, generation uint64) *token {
	t.Helper()
	got, err := acquired(e.acquire(t.Context()))
	if err != nil {
		t.Fatalf("no token: %v", err)
	}
	if got.generation() != generation {
		t.Fatalf("token of generation %d, want %d", got.generation(), generation)
	}
	return got
}

func withExchangeID(ctx context.Context, id string) context.Context {
	return exchange.With(ctx, &exchange.Exchange{ID: id})
}

func exchangeID(ctx context.Context) string { return exchange.From(ctx).ID }

// acquired is the token alone of what the entry gives.
func acquired(t *token, _ *flight, err error) (*token, error) { return t, err }
