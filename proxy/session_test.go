package proxy_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iqgateway/proxy"
)

const sessionDocument = `{"access_token":"CAN_AT","isValid":true,"ParentEntityId":14146,"RQEmployeeId":"7",
	"username":"api","basic_token":"CAN_PW","PreferredEndpoint":"https://dataconnect-useast.iqmetrix.net",
	"refresh_token":"CAN_RT","nested":{"access_token":"CAN_AT"},"RqEmployeeID ":"x"}`

// newSession returns a gate all of whose requests are for the session, and what
// reaches the upstream.
func newSession(t *testing.T, answer http.HandlerFunc) (*gate, <-chan *http.Request) {
	t.Helper()
	seen := make(chan *http.Request, 10)
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Header.Set("X-Body", string(body))
		seen <- r
		answer(w, r)
	}))
	t.Cleanup(up.Close)
	return newGate(t, up.URL, func(g *gate) { g.Target.Session = true }), seen
}

func TestSessionIsTheGatewaysOwnCall(t *testing.T) {
	const want = `{"ParentEntityId":14146,"PreferredEndpoint":"https://dataconnect-useast.iqmetrix.net","RQEmployeeId":"7","isValid":true}` + "\n"
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodHead} {
		g, seen := newSession(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Set-Cookie", "session=CAN_RT")
			_, _ = io.WriteString(w, sessionDocument)
		})
		var body io.Reader
		if method == http.MethodPost {
			body = strings.NewReader("Response=Csv.Email&Email.To=evil@evil.test")
		}
		res, got := g.do(t, method, "/svc/SESSION/?Response=Excel.Email&Email.To=evil@evil.test", body,
			http.Header{"Accept": {"text/csv"}, "Prefer": {"x"}})
		up := receive(t, seen, "session call")
		if up.Method != http.MethodGet || up.RequestURI != "/session" || up.Header.Get("X-Body") != "" {
			t.Errorf("%s: upstream saw %s %s with %q", method, up.Method, up.RequestURI, up.Header.Get("X-Body"))
		}
		up.Header.Del("X-Body")
		wantHeader := http.Header{"Accept": {"application/json"}, "Authorization": {"Bearer CAN_AT"}, "Via": {"1.1 iqgateway"}}
		if diff := cmp.Diff(wantHeader, up.Header); diff != "" {
			t.Errorf("%s: upstream header (-want +got):\n%s", method, diff)
		}
		if method != http.MethodHead && got != want {
			t.Errorf("%s: %s", method, got)
		}
		if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "application/json" ||
			res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %v", method, res.StatusCode, res.Header)
		}
	}
	g, seen := newSession(t, func(http.ResponseWriter, *http.Request) {})
	res, _ := g.do(t, http.MethodDelete, "/svc/session", nil, nil)
	if res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") == "" || len(seen) > 0 {
		t.Errorf("DELETE: %d, %v", res.StatusCode, res.Header)
	}
}

func TestSessionFailures(t *testing.T) {
	write := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		}
	}
	tests := map[string]struct {
		answer http.HandlerFunc
		kind   string
	}{
		"401":           {write(401, "CAN_AT"), "upstream-credential-rejected"},
		"500":           {write(500, sessionDocument), "upstream-protocol-error"},
		"303":           {write(303, sessionDocument), "upstream-protocol-error"},
		"HTML":          {write(200, "<html>CAN_AT"), "upstream-protocol-error"},
		"list":          {write(200, `["CAN_AT"]`), "upstream-protocol-error"},
		"too long":      {write(200, `{"isValid":true,"x":"`+strings.Repeat("x", 64<<10)+`"}`), "upstream-protocol-error"},
		"truncated":     {write(200, sessionDocument[:60]), "upstream-protocol-error"},
		"broken off":    {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "upstream-unreachable"},
		"two documents": {write(200, `{"isValid":true}{"access_token":"CAN_AT"}`), "upstream-protocol-error"},
	}
	for name, tt := range tests {
		g, _ := newSession(t, tt.answer)
		res, body := g.do(t, http.MethodGet, "/svc/session", nil, nil)
		if res.StatusCode != http.StatusBadGateway || !strings.Contains(body, "#"+tt.kind+`"`) {
			t.Errorf("%s: %d %s", name, res.StatusCode, body)
		}
		if strings.Contains(body, "CAN_") {
			t.Errorf("%s: a secret got out: %s", name, body)
		}
	}
}

func TestOtherTargetsPassTheSessionStage(t *testing.T) {
	up, seen := recordHeaders(t)
	g := newGate(t, up.URL, nil)
	g.do(t, http.MethodGet, "/svc/session", nil, nil)
	receive(t, seen, "request")
}

func FuzzPublicSession(f *testing.F) {
	f.Add(sessionDocument)
	f.Add(`{"isvalid":{"a":"CAN_AT"},"USERNAME":["CAN_AT"]}`)
	f.Add(`{"Username":"a","username":"b"}`)
	f.Fuzz(func(t *testing.T, document string) {
		out, err := proxy.PublicSession([]byte(document))
		if err != nil {
			return
		}
		var fields map[string]any
		if err := json.Unmarshal(out, &fields); err != nil {
			t.Fatalf("%q became %q", document, out)
		}
		for name, value := range fields {
			switch name {
			case "isValid", "ParentEntityId", "RQEmployeeId", "PreferredEndpoint":
			default:
				t.Errorf("%q is public", name)
			}
			switch value.(type) {
			case map[string]any, []any:
				t.Errorf("%s holds %v", name, value)
			}
		}
	})
}
