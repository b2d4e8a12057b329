package auth

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/exchange"
)

const formType = "application/x-www-form-urlencoded"

// tokenRig is a token endpoint whose clock stands at noon.
type tokenRig struct {
	tokens *GatewayTokens
	uses   *Uses
	failed refusals
	stage  func(http.Handler) http.Handler
}

func newTokenRig(t testing.TB, callers []Caller) *tokenRig {
	t.Helper()
	rig := &tokenRig{tokens: newTokens(t, tokenKey(1), callers), uses: NewUses(UsesOptions{})}
	rig.stage = TokenEndpoint(TokenEndpointOptions{
		Callers: callers, Tokens: rig.tokens, Refuse: rig.failed.refuse, Now: noon, Uses: rig.uses,
		Asks: func(r *http.Request) bool { return r.URL.Path == "/token" },
	})
	return rig
}

// tokenReply is whatever the endpoint may answer.
type tokenReply struct {
	status int
	header http.Header
	tokenAnswer
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

func (rig *tokenRig) ask(t testing.TB, r *http.Request) (tokenReply, *exchange.Exchange) {
	t.Helper()
	ex := &exchange.Exchange{}
	seen, answer := serve(rig.stage, r, ex)
	if seen != nil {
		t.Fatal("the token call went on")
	}
	reply := tokenReply{status: answer.Code, header: answer.Header()}
	if answer.Body.Len() > 0 {
		if err := json.Unmarshal(answer.Body.Bytes(), &reply); err != nil {
			t.Fatalf("%s: %v", answer.Body, err)
		}
	}
	return reply, ex
}

func tokenForm(fields ...string) url.Values {
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return form
}

func tokenPost(body string, header http.Header) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(body))
	r.Header.Set("Content-Type", formType)
	maps.Copy(r.Header, header)
	return r
}

func passwordForm(more ...string) url.Values {
	return tokenForm(append([]string{"grant_type", "password", "client_id", "storefront", "client_secret", "key-a"}, more...)...)
}

// What the provider documents, and what RFC 6749 adds to it.
func TestTokenEndpointAnswers(t *testing.T) {
	rig := newTokenRig(t, testCallers())
	reply, ex := rig.ask(t, tokenPost(passwordForm("username", "someone", "password", "something").Encode(), nil))
	if reply.status != http.StatusOK || reply.TokenType != "Bearer" || reply.ExpiresIn != 60 || reply.AccessToken == "" || reply.RefreshToken == "" {
		t.Fatalf("answered %+v", reply)
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "Pragma": "no-cache", "Content-Type": "application/json; charset=utf-8"} {
		if got := reply.header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if ex.Caller == nil || ex.Caller.Name != "storefront" || ex.Caller.KeyID != "sf-1" || ex.Target.Route != TokenRoute {
		t.Errorf("the exchange has caller %+v, target %+v", ex.Caller, ex.Target)
	}
	id := CredentialID{"storefront", ProofKey, "sf-1"}
	used, err := rig.uses.Last(t.Context(), []CredentialID{id})
	if err != nil || ex.Caller.Proof != ProofKey || used[id].IsZero() {
		t.Errorf("proven by a %s; uses %v, %v", ex.Caller.Proof, used, err)
	}
	if _, _, reason := judged(t, rig.tokens, reply.AccessToken, noon()); reason != "" {
		t.Errorf("the token is not accepted: %s", reason)
	}
	if _, _, reason := judged(t, rig.tokens, reply.RefreshToken, noon()); reason == "" {
		t.Error("a refresh token is accepted for calls")
	}
	again, _ := rig.ask(t, tokenPost(passwordFormFor("refresh_token", "storefront", "key-a", "refresh_token", reply.RefreshToken), nil))
	if again.status != http.StatusOK || again.AccessToken == reply.AccessToken || again.RefreshToken == reply.RefreshToken {
		t.Errorf("refreshed: %+v", again)
	}
}

func passwordFormFor(grant, client, secret string, more ...string) string {
	return tokenForm(append([]string{"grant_type", grant, "client_id", client, "client_secret", secret}, more...)...).Encode()
}

func TestTokenEndpointRefuses(t *testing.T) {
	rig := newTokenRig(t, append(testCallers(), Caller{Name: "odd", Keys: []Key{{ID: "o-1", Digest: DigestOf("a+b%20c:d")}}}))
	access := rig.tokens.mustIssue(t, "storefront", "sf-1", useAccess, noon())
	refresh := func(caller, key string, at time.Time) string {
		return passwordFormFor("refresh_token", "storefront", "key-a", "refresh_token", rig.tokens.mustIssue(t, caller, key, useRefresh, at))
	}
	encodedOdd := "Basic " + base64.StdEncoding.EncodeToString([]byte("odd:"+url.QueryEscape("a+b%20c:d")))
	cases := map[string]struct {
		body   string
		header http.Header
		status int
		code   string
	}{
		"client credentials":             {body: passwordFormFor("client_credentials", "storefront", "key-a"), status: 200},
		"basic":                          {body: "grant_type=password", header: http.Header{"Authorization": {basic("storefront", "key-a")}}, status: 200},
		"basic, encoded":                 {body: "grant_type=password", header: http.Header{"Authorization": {encodedOdd}}, status: 200},
		"basic, and client_id":           {body: "grant_type=password&client_id=storefront", header: http.Header{"Authorization": {basic("storefront", "key-a")}}, status: 200},
		"a type with parameters":         {body: passwordForm().Encode(), header: http.Header{"Content-Type": {formType + "; charset=UTF-8"}}, status: 200},
		"basic, encoded as little":       {body: "grant_type=password", header: http.Header{"Authorization": {basic("odd", "a+b%20c:d")}}, status: 200},
		"a bearer key beside it":         {body: passwordForm().Encode(), header: http.Header{"Authorization": {"Bearer key-new"}}, status: 200},
		"its token beside it":            {body: passwordForm().Encode(), header: http.Header{"Authorization": {"Bearer " + access}}, status: 200},
		"a key of its own beside it":     {body: passwordForm().Encode(), header: http.Header{"X-Api-Key": {"key-a"}}, status: 200},
		"basic, and a key of its own":    {body: "grant_type=password", header: http.Header{"Authorization": {basic("storefront", "key-a")}, "X-Api-Key": {"key-new"}}, status: 200},
		"a strange bearer beside it":     {body: passwordForm().Encode(), header: http.Header{"Authorization": {"Bearer old"}}, status: 200},
		"another caller's bearer beside": {body: passwordForm().Encode(), header: http.Header{"Authorization": {"Bearer key:b"}}, status: 400, code: "invalid_client"},
		"another caller's key beside it": {body: passwordForm().Encode(), header: http.Header{"X-Api-Key": {"key:b"}}, status: 400, code: "invalid_client"},
		"basic, and another caller's":    {body: "grant_type=password", header: http.Header{"Authorization": {basic("storefront", "key-a")}, "X-Api-Key": {"key:b"}}, status: 401, code: "invalid_client"},
		"what cannot be read beside it":  {body: passwordForm().Encode(), header: http.Header{"Authorization": {"Negotiate"}}, status: 400, code: "invalid_client"},
		"the second key":                 {body: passwordFormFor("password", "storefront", "key-new"), status: 200},
		"basic, wrong":                   {body: "grant_type=password", header: http.Header{"Authorization": {basic("storefront", "wrong")}}, status: 401, code: "invalid_client"},
		"basic, broken":                  {body: "grant_type=password", header: http.Header{"Authorization": {"Basic !"}}, status: 400, code: "invalid_request"},
		"basic, and client_secret":       {body: passwordForm().Encode(), header: http.Header{"Authorization": {basic("storefront", "key-a")}}, status: 400, code: "invalid_request"},
		"basic, and another client":      {body: "grant_type=password&client_id=nightly", header: http.Header{"Authorization": {basic("storefront", "key-a")}}, status: 400, code: "invalid_request"},
		"no grant":                       {body: "client_id=storefront&client_secret=key-a", status: 400, code: "unsupported_grant_type"},
		"another grant":                  {body: passwordFormFor("authorization_code", "storefront", "key-a"), status: 400, code: "unsupported_grant_type"},
		"JSON":                           {body: `{"grant_type":"password"}`, header: http.Header{"Content-Type": {"application/json"}}, status: 400, code: "unsupported_grant_type"},
		"no type":                        {body: passwordForm().Encode(), header: http.Header{"Content-Type": nil}, status: 400, code: "unsupported_grant_type"},
		"an unknown caller":              {body: passwordFormFor("password", "nobody", "key-a"), status: 400, code: "invalid_client"},
		"another caller's key":           {body: passwordFormFor("password", "nightly", "key-a"), status: 400, code: "invalid_client"},
		"a key of two callers":           {body: passwordFormFor("password", "storefront", "key-both"), status: 400, code: "invalid_client"},
		"an expired key":                 {body: passwordFormFor("password", "storefront", "key-old"), status: 400, code: "invalid_client"},
		"no key":                         {body: passwordFormFor("password", "storefront", ""), status: 400, code: "invalid_client"},
		"no caller":                      {body: passwordFormFor("password", "", "key-a"), status: 400, code: "invalid_client"},
		"the digest":                     {body: passwordFormFor("password", "storefront", DigestOf("key-a").String()), status: 400, code: "invalid_client"},
		"a token as the key":             {body: passwordFormFor("password", "storefront", access), status: 400, code: "invalid_client"},
		"a parameter twice":              {body: passwordForm("client_id", "storefront").Encode(), status: 400, code: "invalid_request"},
		"a broken form":                  {body: "grant_type=%zz", status: 400, code: "invalid_request"},
		"too long":                       {body: passwordForm("username", strings.Repeat("u", maxTokenCall)).Encode(), status: 413, code: "invalid_request"},
		"a refresh token":                {body: refresh("storefront", "sf-1", noon()), status: 200},
		"a refresh token of another key": {body: refresh("storefront", "sf-new", noon()), status: 400, code: "invalid_grant"},
		"of another caller":              {body: refresh("nightly", "n-1", noon()), status: 400, code: "invalid_grant"},
		"an old refresh token":           {body: refresh("storefront", "sf-1", noon().AddDate(0, 0, -30)), status: 400, code: "invalid_grant"},
		"an access token":                {body: passwordFormFor("refresh_token", "storefront", "key-a", "refresh_token", access), status: 400, code: "invalid_grant"},
		"no refresh token":               {body: passwordFormFor("refresh_token", "storefront", "key-a"), status: 400, code: "invalid_grant"},
		"refresh without a key":          {body: tokenForm("grant_type", "refresh_token", "refresh_token", access).Encode(), status: 400, code: "invalid_client"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			reply, ex := rig.ask(t, tokenPost(c.body, c.header))
			if reply.status != c.status || reply.Error != c.code || (reply.AccessToken != "") != (c.status == 200) {
				t.Fatalf("answered %+v, want %d %s", reply, c.status, c.code)
			}
			if c.status == 200 {
				return
			}
			if reply.Description == "" || ex.Problem == nil || ex.Caller != nil {
				t.Errorf("description %q, problem %v, caller %v", reply.Description, ex.Problem, ex.Caller)
			}
			if (ex.Refused != "") != (c.code == "invalid_client") {
				t.Errorf("refused because of %q", ex.Refused)
			}
			if challenged := reply.header.Get("Www-Authenticate") != ""; challenged != (c.status == 401) {
				t.Errorf("challenged: %t", challenged)
			}
		})
	}
}

func TestTokenEndpointLeavesOthersAlone(t *testing.T) {
	rig := newTokenRig(t, testCallers())
	r := httptest.NewRequest(http.MethodPost, "/crm/v1/x", strings.NewReader(passwordForm().Encode()))
	seen, _ := serve(rig.stage, r, &exchange.Exchange{})
	if seen == nil {
		t.Fatal("another request was answered")
	}
	if n, _ := seen.Body.Read(make([]byte, 8)); n == 0 {
		t.Error("its body was read")
	}
}

func TestTokenEndpointMethods(t *testing.T) {
	rig := newTokenRig(t, testCallers())
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		serve(rig.stage, httptest.NewRequest(method, "/token", nil), &exchange.Exchange{})
	}
	for _, p := range rig.failed.problems {
		if p.Type != exchange.MethodNotAllowed || p.Header.Get("Allow") != "POST" {
			t.Errorf("%v, Allow %q", p, p.Header.Get("Allow"))
		}
	}
	if len(rig.failed.problems) != 5 {
		t.Errorf("%d refusals", len(rig.failed.problems))
	}
}

func TestTokenEndpointThatIsOff(t *testing.T) {
	var failed refusals
	stage := TokenEndpoint(TokenEndpointOptions{
		Asks: func(*http.Request) bool { return true }, Refuse: failed.refuse,
	})
	serve(stage, tokenPost(passwordForm().Encode(), nil), &exchange.Exchange{})
	if p := failed.problems[0]; p.Type != exchange.PathDenied || !strings.Contains(p.Detail, "auth.token_endpoint.enabled") {
		t.Errorf("refused with %v", p)
	}
}

// Whatever is wrong with a call, nothing that it says but the name of a caller
// comes back or reaches the log.
func TestTokenEndpointRepeatsNoSecret(t *testing.T) {
	const canary = "Canary7secret"
	rig := newTokenRig(t, testCallers())
	for _, body := range []string{
		passwordFormFor(canary, "storefront", "key-a"), passwordFormFor("password", canary, "key-a"), passwordFormFor("password", "storefront", canary),
		passwordFormFor("password", "nobody", canary, "password", canary), passwordForm(canary, "x", canary, "y").Encode(), canary + "=%zz",
		passwordFormFor("refresh_token", "storefront", "key-a", "refresh_token", canary),
	} {
		ex := &exchange.Exchange{}
		_, answer := serve(rig.stage, tokenPost(body, nil), ex)
		if text := answer.Body.String() + ex.Claimed + ex.Problem.Error(); answer.Code != 400 || strings.Contains(text, canary) {
			t.Errorf("%s: %d %s", body, answer.Code, text)
		}
	}
	ex := &exchange.Exchange{}
	serve(rig.stage, tokenPost(passwordFormFor("password", "storefront", canary), nil), ex)
	if ex.Claimed != "storefront" {
		t.Errorf("claimed %q", ex.Claimed)
	}
}

func FuzzTokenCall(f *testing.F) {
	for _, body := range []string{passwordForm().Encode(), "grant_type=password", "a=b&a=c", "%zz", "grant_type=refresh_token&refresh_token=" + gatewayTokenHeader} {
		f.Add(body, "")
		f.Add(body, basic("storefront", "key-a"))
	}
	rig := newTokenRig(f, testCallers())
	f.Fuzz(func(t *testing.T, body, authorization string) {
		header := http.Header{}
		if authorization != "" {
			header["Authorization"] = []string{authorization}
		}
		reply, ex := rig.ask(t, tokenPost(body, header))
		if reply.status == http.StatusOK != (ex.Caller != nil) || reply.status != http.StatusOK && reply.Error == "" {
			t.Errorf("%q, %q: %+v, caller %v", body, authorization, reply, ex.Caller)
		}
	})
}
