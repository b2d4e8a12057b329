package observability_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"iqgateway/internal/secret"
	"iqgateway/observability"
)

const (
	fullToken = "full-4a1f"
	readToken = "read-77b0"
)

// adminAPI is an admin server with one endpoint that reads and one that
// changes; *changed counts the changes.
func adminAPI(token, read string, changed *int) http.Handler {
	return observability.Admin(observability.AdminOptions{
		Metrics: http.NotFoundHandler(), Version: "1", Token: secret.New(token), ReadToken: secret.New(read),
		API: observability.API(
			observability.Endpoint{Path: "/api/v1/things", Methods: map[string]observability.Operation{
				http.MethodGet: {Serve: func(w http.ResponseWriter, _ *http.Request) {
					observability.WriteJSON(w, http.StatusOK, map[string]int{"things": *changed})
				}},
			}},
			observability.Endpoint{Path: "/api/v1/things/drop", Methods: map[string]observability.Operation{
				http.MethodPost: {Serve: func(w http.ResponseWriter, r *http.Request) {
					var body struct {
						Thing string `json:"thing"`
					}
					if err := observability.ReadJSON(r, &body); err != nil {
						observability.WriteProblem(w, http.StatusBadRequest, err.Error())
						return
					}
					*changed++
					observability.WriteJSON(w, http.StatusOK, body)
				}},
			}},
		),
	})
}

type apiCall struct {
	method, path, authorization, media, body string
}

func (c apiCall) send(h http.Handler) *http.Response {
	r := httptest.NewRequest(c.method, "http://127.0.0.1:9090"+c.path, strings.NewReader(c.body))
	if c.authorization != "" {
		r.Header.Set("Authorization", c.authorization)
	}
	if c.media != "" {
		r.Header.Set("Content-Type", c.media)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func TestSEC61WhoMayReadAndChange(t *testing.T) {
	const things, drop, media, body = "/api/v1/things", "/api/v1/things/drop", "application/json", `{"thing":"a"}`
	full, read := "Bearer "+fullToken, "Bearer "+readToken
	tests := []struct {
		name        string
		token, read string // configured
		call        apiCall
		want        int
	}{
		{"open: anybody reads", "", "", apiCall{"GET", things, "", "", ""}, 200},
		{"open: nobody changes", "", "", apiCall{"POST", drop, "", media, body}, 403},
		{"open: nobody changes by an odd method", "", "", apiCall{"DELETE", things, "", "", ""}, 403},
		{"open: an invented token changes nothing", "", "", apiCall{"POST", drop, "Bearer x", media, body}, 403},
		{"open: an empty token changes nothing", "", "", apiCall{"POST", drop, "Bearer ", media, body}, 403},

		{"no token", fullToken, "", apiCall{"GET", things, "", "", ""}, 401},
		{"no token, HEAD", fullToken, "", apiCall{"HEAD", things, "", "", ""}, 401},
		{"empty token", fullToken, "", apiCall{"GET", things, "Bearer ", "", ""}, 401},
		{"wrong token", fullToken, "", apiCall{"GET", things, "Bearer " + fullToken + "x", "", ""}, 401},
		{"half a token", fullToken, "", apiCall{"GET", things, "Bearer " + fullToken[:4], "", ""}, 401},
		{"another scheme", fullToken, "", apiCall{"GET", things, "Basic " + fullToken, "", ""}, 401},
		{"token in the query", fullToken, "", apiCall{"GET", things + "?access_token=" + fullToken, "", "", ""}, 401},
		{"full token reads", fullToken, "", apiCall{"GET", things, full, "", ""}, 200},
		{"full token, HEAD", fullToken, "", apiCall{"HEAD", things, full, "", ""}, 200},
		{"the scheme has no case", fullToken, "", apiCall{"GET", things, "bEARER  " + fullToken, "", ""}, 200},
		{"full token changes", fullToken, "", apiCall{"POST", drop, full, media, body}, 200},
		{"a parameter of the media type", fullToken, "", apiCall{"POST", drop, full, media + "; charset=utf-8", body}, 200},

		{"read token reads", fullToken, readToken, apiCall{"GET", things, read, "", ""}, 200},
		{"read token, HEAD", fullToken, readToken, apiCall{"HEAD", things, read, "", ""}, 200},
		{"read token changes nothing", fullToken, readToken, apiCall{"POST", drop, read, media, body}, 403},
		{"read token, OPTIONS", fullToken, readToken, apiCall{"OPTIONS", things, read, "", ""}, 403},
		{"only a read token: closed", "", readToken, apiCall{"GET", things, "", "", ""}, 401},
		{"only a read token: reads", "", readToken, apiCall{"GET", things, read, "", ""}, 200},
		{"only a read token: nobody changes", "", readToken, apiCall{"POST", drop, read, media, body}, 403},

		{"unknown path needs it too", fullToken, "", apiCall{"GET", "/api/v2/x", "", "", ""}, 401},
		{"unknown path", fullToken, "", apiCall{"GET", "/api/v2/x", full, "", ""}, 404},
		{"the root of it", fullToken, "", apiCall{"GET", "/api", "", "", ""}, 401},
		{"GET with an effect", fullToken, "", apiCall{"GET", drop, full, "", ""}, 405},
		{"POST to what is read", fullToken, "", apiCall{"POST", things, full, media, body}, 405},
		{"a form", fullToken, "", apiCall{"POST", drop, full, "application/x-www-form-urlencoded", "thing=a"}, 415},
		{"plain text", fullToken, "", apiCall{"POST", drop, full, "text/plain", body}, 415},
		{"no media type", fullToken, "", apiCall{"POST", drop, full, "", body}, 415},
		{"large body", fullToken, "", apiCall{"POST", drop, full, media, `{"thing":"` + strings.Repeat("a", 64<<10) + `"}`}, 413},
		{"largest body", fullToken, "", apiCall{"POST", drop, full, media, `{"thing":"` + strings.Repeat("a", 64<<10-12) + `"}`}, 200},
		{"unknown member", fullToken, "", apiCall{"POST", drop, full, media, `{"thin":"a"}`}, 400},
		{"no body", fullToken, "", apiCall{"POST", drop, full, media, ""}, 400},
		{"two values", fullToken, "", apiCall{"POST", drop, full, media, body + body}, 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			changed := 0
			answer := tt.call.send(adminAPI(tt.token, tt.read, &changed))
			if answer.StatusCode != tt.want {
				t.Errorf("%d, want %d", answer.StatusCode, tt.want)
			}
			if want := tt.want == http.StatusOK && tt.call.method == http.MethodPost; (changed == 1) != want {
				t.Errorf("%d changes with status %d", changed, answer.StatusCode)
			}
			if answer.StatusCode >= 400 {
				wantProblem(t, answer)
			}
		})
	}
}

// wantProblem checks that a refusal is a problem document that tells the
// operator something and no secret.
func wantProblem(t *testing.T, answer *http.Response) {
	t.Helper()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var p struct {
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}
	if err := json.Unmarshal(text, &p); err != nil || answer.Header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("no problem document: %q %s: %v", answer.Header.Get("Content-Type"), text, err)
	}
	if p.Status != answer.StatusCode || p.Title != http.StatusText(p.Status) || p.Detail == "" {
		t.Errorf("problem %+v with status %d", p, answer.StatusCode)
	}
	if strings.Contains(string(text), fullToken) || strings.Contains(string(text), readToken) {
		t.Errorf("a token in %s", text)
	}
	if got, want := answer.Header.Get("WWW-Authenticate"), p.Status == http.StatusUnauthorized; (got == "Bearer") != want {
		t.Errorf("WWW-Authenticate %q with %d", got, p.Status)
	}
	if got := answer.Header.Get("Allow"); (got != "") != (p.Status == http.StatusMethodNotAllowed) {
		t.Errorf("Allow %q with %d", got, p.Status)
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	changed := 0
	for _, tt := range []struct {
		token string
		call  apiCall
		want  string
	}{
		{"", apiCall{"POST", "/api/v1/things/drop", "", "application/json", "{}"}, "set admin.token"},
		{fullToken, apiCall{"GET", "/api/v1/things", "", "", ""}, "Authorization: Bearer"},
		{fullToken, apiCall{"POST", "/api/v1/things", "Bearer " + fullToken, "application/json", "{}"}, "takes GET, HEAD"},
		{fullToken, apiCall{"GET", "/api/v1/thing", "Bearer " + fullToken, "", ""}, "/api/v1/things, /api/v1/things/drop"},
		{fullToken, apiCall{"POST", "/api/v1/things/drop", "Bearer " + fullToken, "text/plain", "{}"}, "application/json"},
	} {
		text, err := io.ReadAll(tt.call.send(adminAPI(tt.token, "", &changed)).Body)
		if err != nil || !strings.Contains(string(text), tt.want) {
			t.Errorf("%+v: %s, want %q (%v)", tt.call, text, tt.want, err)
		}
	}
}

func TestTwoTokensAreNone(t *testing.T) {
	changed := 0
	w := ask(adminAPI(fullToken, "", &changed), http.MethodGet, "/api/v1/things", func(r *http.Request) {
		r.Header["Authorization"] = []string{"Bearer guess", "Bearer " + fullToken}
	})
	if w.Code != http.StatusUnauthorized {
		t.Errorf("%d", w.Code)
	}
}

// The guard against web pages stands before the token: a page that has learned
// one still gets nothing.
func TestSEC61WebPagesAreRefusedFirst(t *testing.T) {
	changed := 0
	h := adminAPI(fullToken, "", &changed)
	for name, edit := range map[string]func(*http.Request){
		"host":   func(r *http.Request) { r.Host = "evil.test" },
		"origin": func(r *http.Request) { r.Header.Set("Origin", "http://evil.test") },
	} {
		w := ask(h, http.MethodGet, "/api/v1/things", edit, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+fullToken) })
		if w.Code != http.StatusForbidden {
			t.Errorf("%s: %d", name, w.Code)
		}
		wantProblem(t, w.Result())
	}
}

// On the wire, where no client library tidies the path first.
func TestSEC61NoWayOfWritingThePathGetsAround(t *testing.T) {
	changed := 0
	server := httptest.NewServer(adminAPI(fullToken, "", &changed))
	defer server.Close()
	for _, target := range []string{
		"/api/v1/things", "//api/v1/things", "/api//v1/things", "///api/v1/things", "/api/v1/things/", "/api/v1/./things",
		"/livez/../api/v1/things", "/api/../api/v1/things", "/./api/v1/things", "/%61pi/v1/things", "/%2561pi/v1/things", "/api%2fv1%2fthings", "/api%252fv1",
		"/%2fapi/v1/things", "/livez/%2e%2e/api/v1/things", "/livez%2f..%2fapi/v1/things", "/API/v1/things", "/Api/v1/things",
		`/\api/v1/things`, "/%5capi/v1/things", `/livez/..\api/v1/things`, "/api/v1/things%2f", "/api/v1/things?x=/livez", "/api/../livez",
		"http://127.0.0.1/api/v1/things", "http://127.0.0.1//api/v1/things", "/%2525252525252561pi/v1/things",
	} {
		if got := rawStatus(t, server.Listener.Addr(), target, ""); got != "401" && got != "400" {
			t.Errorf("GET %s without a token: %s", target, got)
		}
		want := "404"
		if u, err := url.Parse(target); err == nil && u.EscapedPath() == "/api/v1/things" {
			want = "200"
		}
		if got := rawStatus(t, server.Listener.Addr(), target, fullToken); got != want && got != "400" {
			t.Errorf("GET %s with the token: %s, want %s", target, got, want)
		}
	}
	for _, target := range []string{"/livez", "/version", "/apis", "/apiary/x"} {
		if got := rawStatus(t, server.Listener.Addr(), target, ""); got == "401" {
			t.Errorf("GET %s: 401, it is not under /api", target)
		}
	}
}

// rawStatus asks for a target exactly as written.
func rawStatus(t *testing.T, address net.Addr, target, token string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	header := ""
	if token != "" {
		header = "Authorization: Bearer " + token + "\r\n"
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%sConnection: close\r\n\r\n", target, header); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(line, " ")
	status, _, _ := strings.Cut(rest, " ")
	return status
}

// What reaches the API was asked for with the token, whatever the path.
func FuzzPathsNeedTheToken(f *testing.F) {
	for _, seed := range []string{"/api/v1/things", "//api", "/%61pi/v1/things", "/x/../api/v1", `/\api`, "/api%2f", "/livez"} {
		f.Add(seed)
	}
	reached := false
	api := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true })
	h := observability.Admin(observability.AdminOptions{Metrics: http.NotFoundHandler(), Token: secret.New(fullToken), API: api})
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			t.Skip()
		}
		reached = false
		r := &http.Request{Method: http.MethodGet, URL: u, Host: "127.0.0.1", Header: http.Header{}, Body: http.NoBody}
		h.ServeHTTP(httptest.NewRecorder(), r)
		if reached {
			t.Errorf("%q reached the API without a token", target)
		}
		r.Header.Set("Authorization", "Bearer "+fullToken)
		h.ServeHTTP(httptest.NewRecorder(), r)
		if reached && !strings.HasPrefix(u.EscapedPath(), "/api") {
			t.Errorf("%q was routed to the API", target)
		}
	})
}

// An endpoint whose path ends in * has one more segment, and no more.
func TestEndpointOfOneMoreSegment(t *testing.T) {
	h := observability.API(observability.Endpoint{Path: "/api/v1/requests/*", Methods: map[string]observability.Operation{
		http.MethodGet: {Serve: func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) }},
	}})
	for path, want := range map[string]int{
		"/api/v1/requests/a-1": 200, "/api/v1/requests/": 200, "/api/v1/requests": 404, "/api/v1/requests/a/b": 404, "/requests/a": 404,
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want || want == 200 && w.Body.String() != path {
			t.Errorf("%s: %d %s, want %d", path, w.Code, w.Body, want)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/api/v1/requests/a-1", nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d, %v", w.Code, w.Header())
	}
}
