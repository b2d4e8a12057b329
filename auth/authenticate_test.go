package auth

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/exchange"
)

func testCallers() []Caller {
	access := []Access{
		{Credential: "retail-sandbox", Environment: "sandbox"},
		{Credential: "retail", Environment: "production"},
		{Credential: "retail-2", Environment: "production"},
	}
	return []Caller{
		{
			Name: "storefront", Environment: "production", Class: "batch", Access: access,
			Keys: []Key{
				{ID: "sf-1", Digest: DigestOf("key-a")},
				{ID: "sf-old", Digest: DigestOf("key-old"), Expires: noon()},
				{ID: "sf-new", Digest: DigestOf("key-new"), Expires: noon().Add(time.Second)},
				{ID: "sf-both", Digest: DigestOf("key-both")},
			},
		},
		{Name: "nightly", Keys: []Key{{ID: "n-1", Digest: DigestOf("key:b")}, {ID: "n-both", Digest: DigestOf("key-both")}}},
	}
}

func TestAuthenticate(t *testing.T) {
	type header = http.Header
	cases := map[string]struct {
		header   header
		absolute bool
		key      string // id of the key that was recognised
		reason   Reason
	}{
		"no credentials":                       {header{}, false, "", ReasonNone},
		"key header":                           {header{"X-Api-Key": {"key-a"}}, false, "sf-1", ""},
		"second key header":                    {header{"Ocp-Apim-Subscription-Key": {"key-a"}}, false, "sf-1", ""},
		"bearer":                               {header{"Authorization": {"Bearer key-a"}}, false, "sf-1", ""},
		"bearer in lower case, two spaces":     {header{"Authorization": {"bearer  key-a"}}, false, "sf-1", ""},
		"basic":                                {header{"Authorization": {basic("storefront", "key-a")}}, false, "sf-1", ""},
		"basic, colon in the key":              {header{"Authorization": {basic("nightly", "key:b")}}, false, "n-1", ""},
		"basic for another caller":             {header{"Authorization": {basic("nightly", "key-a")}}, false, "", ReasonUnknown},
		"basic without caller":                 {header{"Authorization": {basic("", "key-a")}}, false, "", ReasonMalformed},
		"basic, broken base64":                 {header{"Authorization": {"Basic !!!"}}, false, "", ReasonMalformed},
		"unknown scheme":                       {header{"Authorization": {"Digest username=storefront"}}, false, "", ReasonMalformed},
		"scheme alone":                         {header{"Authorization": {"Bearer"}}, false, "", ReasonMalformed},
		"bearer without key":                   {header{"Authorization": {"Bearer "}}, false, "", ReasonMalformed},
		"unknown key":                          {header{"X-Api-Key": {"key-x"}}, false, "", ReasonUnknown},
		"empty key":                            {header{"X-Api-Key": {""}}, false, "", ReasonUnknown},
		"prefix of a key":                      {header{"X-Api-Key": {"key-"}}, false, "", ReasonUnknown},
		"the digest is not the key":            {header{"X-Api-Key": {DigestOf("key-a").String()}}, false, "", ReasonUnknown},
		"key of two callers":                   {header{"X-Api-Key": {"key-both"}}, false, "", ReasonUnknown},
		"expired this instant":                 {header{"X-Api-Key": {"key-old"}}, false, "", ReasonExpired},
		"expires in a second":                  {header{"X-Api-Key": {"key-new"}}, false, "sf-new", ""},
		"two that agree":                       {header{"X-Api-Key": {"key-a"}, "Authorization": {basic("storefront", "key-new")}}, false, "sf-1", ""},
		"two callers":                          {header{"X-Api-Key": {"key-a"}, "Authorization": {"Bearer key:b"}}, false, "", ReasonDisagree},
		"good and unknown":                     {header{"X-Api-Key": {"key-a"}, "Authorization": {"Bearer upstream-token"}}, false, "", ReasonDisagree},
		"unknown and good":                     {header{"X-Api-Key": {"key-x", "key-a"}}, false, "", ReasonDisagree},
		"good and expired":                     {header{"X-Api-Key": {"key-a", "key-old"}}, false, "", ReasonDisagree},
		"more than anybody needs":              {header{"X-Api-Key": {"key-a", "key-a", "key-a", "key-a", "key-a"}}, false, "", ReasonMalformed},
		"proxy credentials in the path form":   {header{"Proxy-Authorization": {basic("storefront", "key-a")}}, false, "", ReasonNone},
		"proxy credentials, absolute form":     {header{"Proxy-Authorization": {basic("storefront", "key-a")}}, true, "sf-1", ""},
		"proxy and own credentials disagree":   {header{"Proxy-Authorization": {basic("nightly", "key:b")}, "X-Api-Key": {"key-a"}}, true, "", ReasonDisagree},
		"proxy credentials do not hide others": {header{"Proxy-Authorization": {basic("nightly", "key:b")}, "X-Api-Key": {"key-a"}}, false, "sf-1", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var failed refusals
			stage := Authenticate(AuthenticateOptions{
				Callers:    testCallers(),
				KeyHeaders: []string{"x-api-key", "Ocp-Apim-Subscription-Key"},
				Refuse:     failed.refuse,
				Now:        noon,
			})
			ex := &exchange.Exchange{}
			if c.absolute {
				ex.Form = exchange.FormAbsolute
			}
			r := httptest.NewRequest(http.MethodGet, "/crm/v1/x", nil)
			r.Header = c.header.Clone()
			seen, answer := serve(stage, r, ex)
			if ex.Refused != string(c.reason) {
				t.Fatalf("refused because of %q, want %q", ex.Refused, c.reason)
			}
			if c.reason != "" {
				status := http.StatusUnauthorized
				if c.absolute {
					status = http.StatusProxyAuthRequired
				}
				if seen != nil || answer.Code != status || ex.Caller != nil {
					t.Fatalf("status %d, next stage reached: %t, caller %v", answer.Code, seen != nil, ex.Caller)
				}
				return
			}
			if ex.Caller == nil || ex.Caller.KeyID != c.key {
				t.Fatalf("caller %+v, want key %s", ex.Caller, c.key)
			}
		})
	}
}

func TestCallerOfTheExchange(t *testing.T) {
	stage := Authenticate(AuthenticateOptions{Callers: testCallers(), Now: noon})
	ex := &exchange.Exchange{}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Api-Key", "key-a") // the default key header
	serve(stage, r, ex)
	got := ex.Caller
	if got == nil {
		t.Fatal("no caller")
	}
	if got.Name != "storefront" || got.Environment != "production" || got.Class != "batch" ||
		!slices.Equal(got.Environments, []string{"production", "sandbox"}) {
		t.Errorf("caller %+v", got)
	}
	r.Header.Set("X-Api-Key", "key:b")
	serve(stage, r, ex)
	if ex.Caller.Name != "nightly" || ex.Caller.Class != "interactive" {
		t.Errorf("caller %+v, want nightly of class interactive", ex.Caller)
	}
}

// Whoever is accepted, and whoever is refused: no later stage, and nothing that
// renders the refusal, sees a caller's credential.
func TestCredentialsAreRemoved(t *testing.T) {
	for _, key := range []string{"key-a", "key-x"} {
		var rendered *http.Request
		stage := Authenticate(AuthenticateOptions{
			Callers: testCallers(), KeyHeaders: []string{"X-Api-Key", "X-Other"}, Now: noon,
			Refuse: func(_ http.ResponseWriter, r *http.Request, _ error) { rendered = r },
		})
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("X-Api-Key", key)
		r.Header.Set("X-Other", key)
		r.Header.Set("Authorization", "Bearer "+key)
		r.Header.Set("Proxy-Authorization", basic("storefront", key))
		r.Header.Set("Cookie", "s="+key)
		r.Header.Set("Accept", "text/csv")
		seen, _ := serve(stage, r, &exchange.Exchange{})
		if seen == nil {
			seen = rendered
		}
		if len(seen.Header) != 1 || seen.Header.Get("Accept") != "text/csv" {
			t.Errorf("%s: left in the request: %v", key, seen.Header)
		}
	}
}

type unreadable struct{ t *testing.T }

func (u unreadable) Read([]byte) (int, error) {
	u.t.Error("the body of an unauthenticated request was read")
	return 0, io.EOF
}

func TestUnauthenticatedProblem(t *testing.T) {
	cases := map[string]struct {
		length int64
		major  int
		closed bool
	}{
		"no body":              {0, 1, false},
		"body to come":         {1 << 30, 1, true},
		"chunked body to come": {-1, 1, true},
		"HTTP/2 body to come":  {1 << 30, 2, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var failed refusals
			stage := Authenticate(AuthenticateOptions{Callers: testCallers(), Refuse: failed.refuse, Now: noon})
			r := httptest.NewRequest(http.MethodPost, "/", unreadable{t})
			r.ContentLength, r.ProtoMajor = c.length, c.major
			serve(stage, r, &exchange.Exchange{})
			p := failed.problems[0]
			if p.Type != exchange.CallerUnauthenticated || p.Close != c.closed {
				t.Errorf("type %s, close %t", p.Type, p.Close)
			}
			if got := strings.Join(p.Header.Values("WWW-Authenticate"), ", "); !strings.Contains(got, "Bearer") || !strings.Contains(got, "Basic") {
				t.Errorf("WWW-Authenticate %q", got)
			}
			if p.Detail == "" || p.Err != nil {
				t.Errorf("detail %q, cause %v", p.Detail, p.Err)
			}
		})
	}
}

func TestDetailsDiffer(t *testing.T) {
	seen := map[string]Reason{}
	for _, reason := range []Reason{ReasonNone, ReasonMalformed, ReasonUnknown, ReasonExpired, ReasonDisagree} {
		text := details(reason)
		if other, twice := seen[text]; twice {
			t.Errorf("%s and %s say the same: %s", reason, other, text)
		}
		seen[text] = reason
	}
}

// Over a real connection: the 401 comes while the body is still being sent.
func TestRefusedBeforeTheBody(t *testing.T) {
	stage := Authenticate(AuthenticateOptions{Callers: testCallers(), Refuse: func(w http.ResponseWriter, _ *http.Request, err error) {
		if p, ok := errors.AsType[*exchange.Problem](err); ok && p.Close {
			w.Header().Set("Connection", "close")
		}
		w.WriteHeader(http.StatusUnauthorized)
	}})
	server := httptest.NewServer(stage(http.NotFoundHandler()))
	defer server.Close()
	body, sending := io.Pipe()
	defer func() { _ = sending.Close() }()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized || !resp.Close {
		t.Errorf("status %d, connection closed: %t", resp.StatusCode, resp.Close)
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	callers := testCallers()
	for range 500 {
		key, _ := NewKey()
		callers = append(callers, Caller{Name: key[5:15], Keys: []Key{{ID: "k", Digest: DigestOf(key)}}})
	}
	key, _ := NewKey()
	callers[0].Keys = append(callers[0].Keys, Key{ID: "bench", Digest: DigestOf(key)})
	for name, header := range map[string]http.Header{
		"key":   {"X-Api-Key": {key}},
		"basic": {"Authorization": {basic("storefront", key)}},
	} {
		b.Run(name, func(b *testing.B) {
			reached := 0
			next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ })
			handler := Authenticate(AuthenticateOptions{Callers: callers})(next)
			r := httptest.NewRequest(http.MethodGet, "/crm/v1/x", nil)
			r = r.WithContext(exchange.With(r.Context(), &exchange.Exchange{}))
			fields := make(http.Header, 1)
			b.ReportAllocs()
			for b.Loop() {
				maps.Copy(fields, header)
				r.Header = fields
				handler.ServeHTTP(nil, r)
			}
			if reached == 0 {
				b.Fatal("never accepted")
			}
		})
	}
}
