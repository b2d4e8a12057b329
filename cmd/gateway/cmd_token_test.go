package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iqgateway/internal/fleet"
	"iqgateway/internal/secret"
	"iqgateway/observability"
	"iqgateway/tokencache"
)

const adminToken = "admin-5f0c"

// adminRig is an admin server with the token endpoints over a fleet that does
// what the test says.
type adminRig struct {
	statuses []tokencache.Status
	known    []string
	result   fleet.Result
	err      error

	mu   sync.Mutex
	done []string
}

func (a *adminRig) act(verb string) func(context.Context, string) (fleet.Result, error) {
	return func(_ context.Context, credential string) (fleet.Result, error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.done = append(a.done, verb+" "+credential)
		return a.result, a.err
	}
}

func (a *adminRig) handler() http.Handler {
	tokens := tokenAdmin{
		audit:   func(context.Context, string, ...slog.Attr) {},
		replica: "q7x", list: func() []tokencache.Status { return a.statuses }, known: func() []string { return a.known },
		invalidate: a.act("invalidate"), retry: a.act("retry"),
	}
	return observability.Admin(observability.AdminOptions{
		Metrics: http.NotFoundHandler(), Token: secret.New(adminToken), ReadToken: secret.New("reader-9d"),
		API: observability.API(tokens.endpoints()...),
	})
}

// start returns the environment of a command that asks the server.
func (a *adminRig) start(t *testing.T) []string {
	t.Helper()
	server := httptest.NewServer(a.handler())
	t.Cleanup(server.Close)
	return []string{envAdminAddress + "=" + server.Listener.Addr().String(), envAdminToken + "=" + adminToken}
}

func TestTokenListIsForThreeInTheMorning(t *testing.T) {
	now := time.Date(2026, 7, 23, 3, 0, 0, 0, time.UTC)
	tokens := []tokencache.Status{
		{Credential: "retail", Environment: "production", State: tokencache.StateValid, Expires: now.Add(11*time.Hour + 58*time.Minute + 9*time.Second)},
		{
			Credential: "wholesale", Environment: "sandbox", State: tokencache.StateRefused, Fetching: true, Refusals: 3,
			Expires: now.Add(-90 * time.Second), NextAttempt: now.Add(42 * time.Minute), LastError: "invalid_grant\x1b[2J",
		},
		{Credential: "old", Environment: "sandbox", State: tokencache.StateStopped, Refusals: 6},
		{Credential: "new", Environment: "sandbox", State: tokencache.StateNone},
	}
	var out strings.Builder
	if err := writeTokens(&out, tokens, now); err != nil {
		t.Fatal(err)
	}
	want := `CREDENTIAL   ENVIRONMENT   STATE                EXPIRES                            REFUSALS   NEXT ATTEMPT                      LAST ERROR
retail       production    valid                2026-07-23T14:58:09Z (in 11h58m)   0          -                                 -
wholesale    sandbox       refused (fetching)   2026-07-23T02:58:30Z (1m30s ago)   3          2026-07-23T03:42:00Z (in 42m0s)   invalid_grant�[2J
old          sandbox       stopped              -                                  6          waits for you                     -
new          sandbox       none                 -                                  0          -                                 -

The token endpoint refuses wholesale: correct the secret (a changed one is tried at once), or run ` + "`gateway token retry NAME`" + `.

The token endpoint refuses old, and the gateway asks no more: correct the secret (a changed one is tried at once), or run ` + "`gateway token retry NAME`.\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestSpans(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 59 * time.Second: "59s", 61 * time.Second: "1m1s", time.Hour: "1h0m", 26*time.Hour + time.Minute: "1d2h",
	} {
		if got := span(d); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
}

func TestTokenList(t *testing.T) {
	rig := &adminRig{statuses: []tokencache.Status{{
		Credential: "retail", Environment: "production", Grant: "password", State: tokencache.StateValid, Generation: 3,
		Expires: time.Now().Add(90 * time.Minute).UTC(),
	}}}
	env := rig.start(t)
	for format, want := range map[string]string{"table": "in 1h29m", "json": `"replica": "q7x"`, "yaml": "credential: retail"} {
		code, out, errs := command(t, env, "token", "list", "-o", format)
		if code != exitOK || !strings.Contains(out, want) || errs != "" {
			t.Errorf("%s: exit %d\n%s%s", format, code, out, errs)
		}
	}
	_, out, _ := command(t, env, "token", "list", "-o", "json")
	var list tokenList
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rig.statuses, list.Tokens); diff != "" {
		t.Errorf("tokens (-sent +got):\n%s", diff)
	}
	rig.statuses = nil
	if code, out, _ := command(t, env, "token", "list"); code != exitOK || !strings.Contains(out, "no credentials") {
		t.Errorf("exit %d: %s", code, out)
	}
}

func TestTokenChanges(t *testing.T) {
	all := fleet.Result{Replicas: 3, Followed: 3}
	tests := map[string]struct {
		args   []string
		result fleet.Result
		err    error
		code   int
		want   []string // in what is printed
		done   string   // on the server
	}{
		"retry":      {args: []string{"retry", "retail"}, result: all, want: []string{"retry retail: 3 of 3 replicas have followed"}, done: "retry retail"},
		"invalidate": {args: []string{"invalidate", "retail"}, result: all, want: []string{"invalidate retail: 3 of 3"}, done: "invalidate retail"},
		"as JSON":    {args: []string{"invalidate", "retail", "-o", "json"}, result: all, want: []string{`"followed": 3`, `"alone": false`}, done: "invalidate retail"},
		"no fleet": {
			args: []string{"retry", "retail"}, result: fleet.Result{Replicas: 1, Followed: 1, Alone: true, Reason: "no Redis is configured"},
			want: []string{"this replica has followed", "no Redis is configured"}, done: "retry retail",
		},
		"one is behind": {
			args: []string{"retry", "retail"}, result: fleet.Result{Replicas: 3, Followed: 2, Behind: []string{"k2m"}}, code: exitFailure,
			want: []string{"2 of 3 replicas have followed; behind: k2m"}, done: "retry retail",
		},
		"Redis is away": {
			args: []string{"retry", "retail"}, result: fleet.Result{Replicas: 3, Followed: 1, Alone: true, Reason: "redis is away"}, code: exitFailure,
			want: []string{"1 of 3", "redis is away", "repeat it"}, done: "retry retail",
		},
		"the replica fails": {
			args: []string{"retry", "retail"}, result: fleet.Result{Replicas: 3, Followed: 2}, err: errors.New("disk full"), code: exitFailure,
			want: []string{"q7x did not follow: disk full", "of 3 replicas 2"}, done: "retry retail",
		},
		"unknown credential": {args: []string{"retry", "retial"}, code: exitFailure, want: []string{`"retial"`, "retail, wholesale"}},
		"none named":         {args: []string{"retry"}, code: exitUsage, want: []string{"one CREDENTIAL"}},
		"two named":          {args: []string{"retry", "a", "b"}, code: exitUsage, want: []string{"2 arguments"}},
		"unknown command":    {args: []string{"retyr"}, code: exitUsage, want: []string{"retry"}},
		"unknown format":     {args: []string{"list", "-o", "xml"}, code: exitUsage, want: []string{"xml"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rig := &adminRig{known: []string{"wholesale", "retail"}, result: tt.result, err: tt.err}
			code, out, errs := command(t, rig.start(t), append([]string{"token"}, tt.args...)...)
			if code != tt.code {
				t.Errorf("exit %d, want %d", code, tt.code)
			}
			for _, want := range tt.want {
				if !strings.Contains(out+errs, want) {
					t.Errorf("no %q in\n%s%s", want, out, errs)
				}
			}
			if got := strings.Join(rig.done, ","); got != tt.done {
				t.Errorf("the server did %q, want %q", got, tt.done)
			}
			if strings.Contains(out+errs, adminToken) {
				t.Errorf("the token in\n%s%s", out, errs)
			}
		})
	}
}

func TestWhenTheAdminServerDoesNotAgree(t *testing.T) {
	rig := &adminRig{known: []string{"retail"}, result: fleet.Result{Replicas: 1, Followed: 1}}
	address := rig.start(t)[0]
	open := httptest.NewServer(observability.Admin(observability.AdminOptions{Metrics: http.NotFoundHandler(), API: observability.API()}))
	defer open.Close()
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a redirect was followed, with Authorization %q", r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	away := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer away.Close()
	html := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }))
	defer html.Close()
	nobody := closedAddress(t)
	token := envAdminToken + "=" + adminToken
	at := func(s *httptest.Server) string { return envAdminAddress + "=" + s.Listener.Addr().String() }

	tests := map[string]struct {
		env  []string
		args []string
		code int
		want string
	}{
		"no token, list":      {[]string{address}, []string{"list"}, exitFailure, "set " + envAdminToken},
		"no token, change":    {[]string{address}, []string{"retry", "retail"}, exitFailure, "set " + envAdminToken},
		"wrong token":         {[]string{address, envAdminToken + "=guess"}, []string{"list"}, exitFailure, "does not accept the token"},
		"read token reads":    {[]string{address, envAdminToken + "=reader-9d"}, []string{"list"}, exitOK, "no credentials"},
		"read token, change":  {[]string{address, envAdminToken + "=reader-9d"}, []string{"retry", "retail"}, exitFailure, "may only read"},
		"a reference":         {[]string{address, envAdminToken + "=${file:/run/admin}"}, []string{"list"}, exitUsage, "reference"},
		"gateway has none":    {[]string{at(open), token}, []string{"retry", "retail"}, exitFailure, "set admin.token"},
		"nobody there":        {[]string{envAdminAddress + "=" + nobody, token}, []string{"list"}, exitFailure, "no gateway answers at " + nobody},
		"flag beats variable": {[]string{address, token}, []string{"list", "--admin-address", nobody}, exitFailure, "--admin-address"},
		"another server":      {[]string{at(web), token}, []string{"list"}, exitFailure, "not the admin server"},
		"a web page":          {[]string{at(html), token}, []string{"list"}, exitFailure, "no JSON"},
		"a redirect":          {[]string{at(away), token}, []string{"list"}, exitFailure, "307"},
		"no port":             {[]string{token}, []string{"list", "--admin-address", "gateway"}, exitUsage, "host:port"},
		"a path":              {[]string{token}, []string{"list", "--admin-address", "http://gateway:9090/api"}, exitUsage, "host:port"},
		"no TLS there":        {[]string{token}, []string{"list", "--admin-address", "https://" + open.Listener.Addr().String()}, exitFailure, "does not encrypt"},
		"no CA file":          {[]string{address, token}, []string{"list", "--admin-ca", "/nowhere.pem"}, exitUsage, "/nowhere.pem"},
		"half a certificate":  {[]string{address, token}, []string{"list", "--admin-cert", "x.pem"}, exitUsage, "go together"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			code, out, errs := command(t, tt.env, append([]string{"token"}, tt.args...)...)
			if code != tt.code || !strings.Contains(out+errs, tt.want) {
				t.Errorf("exit %d, want %d with %q\n%s%s", code, tt.code, tt.want, out, errs)
			}
			if strings.Contains(out+errs, adminToken) {
				t.Errorf("the token in\n%s%s", out, errs)
			}
		})
	}
}

// closedAddress is one that nobody listens at.
func closedAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

func TestTokensOverTLS(t *testing.T) {
	rig := &adminRig{}
	server := httptest.NewTLSServer(rig.handler())
	defer server.Close()
	address := server.Listener.Addr().String()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(t.TempDir(), "half.pem")
	if err := os.WriteFile(half, append(bytes.Clone(text), text[:200]...), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{envAdminToken + "=" + adminToken}
	for name, tt := range map[string]struct {
		args []string
		code int
		want string
	}{
		"trusted":         {[]string{"--admin-address", "https://" + address, "--admin-ca", ca}, exitOK, "no credentials"},
		"the CA implies":  {[]string{"--admin-address", address, "--admin-ca", ca}, exitOK, "no credentials"},
		"unknown CA":      {[]string{"--admin-address", "https://" + address}, exitFailure, "--admin-ca FILE"},
		"plain":           {[]string{"--admin-address", address}, exitFailure, "--admin-address https://"},
		"contradiction":   {[]string{"--admin-address", "http://" + address, "--admin-ca", ca}, exitUsage, "https://"},
		"no certificates": {[]string{"--admin-address", address, "--admin-ca", os.DevNull}, exitUsage, "no PEM"},
		"half a file":     {[]string{"--admin-address", address, "--admin-ca", half}, exitUsage, "2 certificates begin in it"},
	} {
		code, out, errs := command(t, env, append([]string{"token", "list"}, tt.args...)...)
		if code != tt.code || !strings.Contains(out+errs, tt.want) {
			t.Errorf("%s: exit %d, want %d with %q\n%s%s", name, code, tt.code, tt.want, out, errs)
		}
	}
}

// The token must not cross a network in clear without the operator knowing.
func TestTheTokenInClear(t *testing.T) {
	for address, warned := range map[string]bool{"gw.example:9090": true, "127.0.0.1:9090": false, "localhost:9090": false, "https://gw.example:9090": false} {
		var errs strings.Builder
		p := program{stderr: &errs, environ: []string{envAdminToken + "=" + adminToken}}
		if _, err := p.adminClient(adminFlags{address: address}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(errs.String(), "unencrypted"); got != warned || strings.Contains(errs.String(), adminToken) {
			t.Errorf("%s: %q", address, errs.String())
		}
	}
}

func TestAdminAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"":                      "http://127.0.0.1:9090",
		":9090":                 "http://127.0.0.1:9090",
		"0.0.0.0:9091":          "http://127.0.0.1:9091",
		"[::]:9091":             "http://127.0.0.1:9091",
		"[::1]:9090":            "http://[::1]:9090",
		"gw:9090":               "http://gw:9090",
		"https://gw:9090/":      "https://gw:9090",
		"https://gw":            "https://gw",
		"ftp://gw:1":            "",
		"http://u:p@gw:9090":    "",
		"http://gw:9090?x=1":    "",
		"gw":                    "",
		"http://":               "",
		"http://gw:9090/api/v1": "",
		"gw:9090:9090":          "",
		"http://[::1":           "",
	} {
		u, err := adminURL(address, false)
		if want == "" {
			if err == nil || !strings.Contains(err.Error(), "host:port") {
				t.Errorf("%q gives %v, %v", address, u, err)
			}
			continue
		}
		if err != nil || u.String() != want {
			t.Errorf("%q gives %v, %v; want %s", address, u, err, want)
		}
	}
}

// The endpoints themselves: what other clients than ours may send.
func TestTokenEndpoints(t *testing.T) {
	rig := &adminRig{known: []string{"retail"}, result: fleet.Result{Replicas: 2, Followed: 2}}
	h := rig.handler()
	for name, tt := range map[string]struct {
		method, path, body string
		status             int
		want               string
	}{
		"list":       {"GET", pathTokens, "", 200, `"replica": "q7x"`},
		"retry":      {"POST", pathTokenRetry, `{"credential":"retail"}`, 200, `"followed": 2`},
		"nothing":    {"POST", pathTokenRetry, "", 400, "empty"},
		"no name":    {"POST", pathTokenRetry, "{}", 400, "name a credential"},
		"misspelt":   {"POST", pathTokenRetry, `{"credentials":"retail"}`, 400, "credentials"},
		"unknown":    {"POST", pathTokenInvalidate, `{"credential":"x"}`, 404, "there is retail"},
		"effect":     {"GET", pathTokenInvalidate, "", 405, "takes POST"},
		"wrong kind": {"POST", pathTokens, "{}", 405, "takes GET, HEAD"},
	} {
		r := httptest.NewRequest(tt.method, "http://127.0.0.1"+tt.path, strings.NewReader(tt.body))
		r.Header.Set("Authorization", "Bearer "+adminToken)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: %d %s, want %d with %q", name, w.Code, w.Body, tt.status, tt.want)
		}
	}
	if got := strings.Join(rig.done, ","); got != "retry retail" {
		t.Errorf("done: %q", got)
	}
}
