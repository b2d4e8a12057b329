package iqsim

import (
	"net/http"
	"strings"
	"testing"
)

func TestDCAnonymous(t *testing.T) {
	for path, want := range map[string]bool{
		"/version": true, "/Version": true, "/VERSION/": true,
		"/session": false, "/": false, "": false, "/version/x": false, "/lists/version": false,
	} {
		if got := dataConnectAnonymous(path); got != want {
			t.Errorf("%q: %v", path, got)
		}
	}
}

func TestDCVersionNeedsNoToken(t *testing.T) {
	b := startDC(t, DataConnectOptions{Overloaded: true})
	r := b.request(t, http.MethodGet, "/Version", "")
	r.Header.Del("Authorization")
	a := b.do(t, r)
	const want = `{"ApplicationName":"IQ.DataConnect.Web.WebApplication","ApplicationVersion":"1.3.0.51"}`
	if a.status != http.StatusOK || a.body != want || len(a.cookies) != 0 {
		t.Errorf("%d %s %v", a.status, a.body, a.cookies)
	}
}

func TestDCRefusals(t *testing.T) {
	tests := []struct {
		name, method, path, token string
		options                   DataConnectOptions
		status                    int
		message                   string
	}{
		{"no token", http.MethodGet, "/lists/stores", "", DataConnectOptions{}, 401, "Token is invalid"},
		{
			"no employee", http.MethodGet, "/lists/stores", "token-ann",
			DataConnectOptions{Unmapped: []string{"ann"}},
			403, "Unauthorized",
		},
		{"overloaded", http.MethodGet, "/session", "token-ann", DataConnectOptions{Overloaded: true}, 503, "overloaded"},
		{"unknown path", http.MethodGet, "/nowhere", "token-ann", DataConnectOptions{}, 404, "Not Found"},
		{"unknown list", http.MethodGet, "/lists/nothing", "token-ann", DataConnectOptions{}, 404, "Not Found"},
		{"no report", http.MethodGet, "/reports/", "token-ann", DataConnectOptions{}, 404, "Not Found"},
		{"another method", http.MethodDelete, "/lists/stores", "token-ann", DataConnectOptions{}, 405, "'DELETE'"},
		{"unknown format", http.MethodGet, "/lists/stores?response=pdf", "token-ann", DataConnectOptions{}, 400, "Response=pdf"},
		{"a client mistake as 500", http.MethodGet, "/lists/stores?LocationType=Store&LocationTypeIDs=x", "token-ann", DataConnectOptions{}, 500, "Error converting data type"},
		{"unknown level", http.MethodGet, "/lists/stores?LocationType=Planet&LocationTypeIDs=1", "token-ann", DataConnectOptions{}, 400, "LocationType must be"},
		{"a broken date", http.MethodGet, "/reports/x?StartDate=10/09/2018", "token-ann", DataConnectOptions{}, 400, "StartDate must be an ISO 8601 date"},
		{"dates reversed", http.MethodGet, "/reports/x?StartDate=2019-02-01&StopDate=2019-01-01", "token-ann", DataConnectOptions{}, 400, "before StartDate"},
		{"too many rows", http.MethodGet, "/reports/productdetailreport", "token-ann", DataConnectOptions{}, 400, "limit of 1048576"},
		{"too many rows, status switched", http.MethodPost, "/reports/x", "token-ann", DataConnectOptions{RowLimitStatus: 413}, 413, "was blocked"},
		{"a lower row limit", http.MethodGet, "/lists/stores", "token-ann", DataConnectOptions{RowLimit: 11}, 400, "about 12 rows"},
		{"too many rows to mail", http.MethodGet, "/reports/x?Response=Csv.Email&Email.To=a@b", "token-ann", DataConnectOptions{}, 400, "was blocked"},
		{"no such table", http.MethodGet, "/bridge/current/data?Table=Secrets", "token-ann", DataConnectOptions{}, 404, `"Secrets"`},
		{"no table", http.MethodGet, "/bridge/current/delta", "token-ann", DataConnectOptions{}, 400, "Table is required"},
		{"no moment", http.MethodGet, "/bridge/current/delta?Table=iQplanner_HR_RequestedTimeOff", "token-ann", DataConnectOptions{}, 400, "RowDateTime is required"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := startDC(t, tt.options)
			r := b.request(t, tt.method, tt.path, "")
			r.Header.Set("Authorization", "Bearer "+tt.token)
			b.do(t, r).wantError(t, tt.status, tt.message)
			if s := b.stats(); s.Active != 0 || len(s.Outbox) != 0 || s.Cancelled != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestDCUnexpectedError(t *testing.T) {
	w := &dcAnswer{header: http.Header{}}
	writeDCError((*answerWriter)(w), errFull)
	w.wantError(t, http.StatusInternalServerError, "Unexpected Error")
}

// answerWriter collects an answer.
type answerWriter dcAnswer

func (w *answerWriter) Header() http.Header         { return w.header }
func (w *answerWriter) WriteHeader(status int)      { w.status = status }
func (w *answerWriter) Write(p []byte) (int, error) { w.body += string(p); return len(p), nil }

// GET and POST do the same, paths have no case, and a final slash is nothing.
func TestDCGetIsPost(t *testing.T) {
	b := startDC(t, DataConnectOptions{})
	want := b.get(t, "/lists/stores?Response=Csv").body
	if !strings.HasPrefix(want, "StoreID,StoreName,Abbreviation,LocationEntityID") || strings.Count(want, "\r\n") != 13 {
		t.Fatal(want)
	}
	for _, tt := range []struct{ method, path, body string }{
		{http.MethodGet, "/LISTS/Stores?RESPONSE=csv", ""},
		{http.MethodGet, "/lists/stores/?Response=Csv", ""},
		{http.MethodPost, "/lists/stores?Response=Csv", ""},
		{http.MethodPost, "/lists/stores", "Response=Csv"},
		{http.MethodPost, "/lists/stores?Response=Csv", "Response=Xml"},
	} {
		r := b.request(t, tt.method, tt.path, tt.body)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if got := b.do(t, r).body; got != want {
			t.Errorf("%s %s %s: %s", tt.method, tt.path, tt.body, got)
		}
	}
}

func TestDCHead(t *testing.T) {
	b := startDC(t, DataConnectOptions{})
	a := b.do(t, b.request(t, http.MethodHead, "/reports/export?Size=100000000&Response=Csv", ""))
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "text/csv" || a.body != "" {
		t.Errorf("%+v", a)
	}
	if s := b.stats(); s.BytesSent != 0 || s.Completed != 1 {
		t.Errorf("%+v", s)
	}
}

// A short answer has a length, as the provider's buffered ones have.
func TestDCShortAnswerHasALength(t *testing.T) {
	b := startDC(t, DataConnectOptions{})
	if a := b.get(t, "/lists/languages"); a.header.Get("Content-Length") == "" || a.header.Get("Cache-Control") != "private" {
		t.Errorf("header %v", a.header)
	}
}
