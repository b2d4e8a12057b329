package iqsim

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestDCSessionAnswer(t *testing.T) {
	tests := []struct {
		name, endpoint string
		fields         int
	}{
		{"without a preferred endpoint", "", 6},
		{"with one", "https://rqdataconnect18.iqmetrix.net", 7},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := startDC(t, DataConnectOptions{PreferredEndpoint: tt.endpoint})
			a := b.get(t, "/session")
			var got map[string]any
			if err := json.Unmarshal([]byte(a.body), &got); err != nil {
				t.Fatal(err)
			}
			if got["access_token"] != "token-ann" || got["isValid"] != true || got["Username"] != "ann" {
				t.Errorf("%v", got)
			}
			if got["ParentEntityId"] != float64(dcCompanyID) || got["RQEmployeeId"] == nil || got["basic_token"] == "" {
				t.Errorf("%v", got)
			}
			if len(got) != tt.fields || tt.endpoint != "" && got["PreferredEndpoint"] != tt.endpoint {
				t.Errorf("PreferredEndpoint is %v among %d fields", got["PreferredEndpoint"], len(got))
			}
		})
	}
}

// The body holds the token in every format: what a gateway has to know.
func TestDCSessionLeaksTheTokenInEveryFormat(t *testing.T) {
	b := startDC(t, DataConnectOptions{})
	for _, format := range []string{"Json", "JsonDataTable", "Xml", "XmlDataTable", "Csv"} {
		if a := b.get(t, "/SESSION?Response="+format); !strings.Contains(a.body, "token-ann") {
			t.Errorf("%s: %s", format, a.body)
		}
	}
}

func TestDCSessionCookie(t *testing.T) {
	b := startDC(t, DataConnectOptions{CookieName: "Keks"})
	first := b.get(t, "/lists/stores")
	if len(first.cookies) != 1 || first.cookies[0].Name != "Keks" || !first.cookies[0].HttpOnly || first.cookies[0].Path != "/" {
		t.Fatalf("cookies %v", first.cookies)
	}
	again := func(token string, cookies ...*http.Cookie) dcAnswer {
		r := b.request(t, http.MethodGet, "/lists/stores", "")
		r.Header.Set("Authorization", "Bearer "+token)
		for _, c := range cookies {
			r.AddCookie(c)
		}
		return b.do(t, r)
	}
	tests := []struct {
		name    string
		token   string
		cookies []*http.Cookie
		hit     bool
	}{
		{"with the cookie", "token-ann", first.cookies, true},
		{"beside other cookies", "token-ann", []*http.Cookie{{Name: "Keks", Value: "old"}, {Name: "x", Value: "y"}, first.cookies[0]}, true},
		{"without the cookie", "token-ann", nil, false},
		{"with an unknown one", "token-ann", []*http.Cookie{{Name: "Keks", Value: "forged"}}, false},
		{"with another account's", "token-bob", first.cookies, false},
		{"under the default name", "token-ann", []*http.Cookie{{Name: "DataConnectState", Value: first.cookies[0].Value}}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := b.stats()
			a := again(tt.token, tt.cookies...)
			after := b.stats()
			if hit := after.SessionHits > before.SessionHits; hit != tt.hit {
				t.Errorf("hit is %v", hit)
			}
			if opened := after.SessionsOpened - before.SessionsOpened; (opened == 0) != tt.hit || len(a.cookies) != int(opened) {
				t.Errorf("%d sessions opened, cookies %v", opened, a.cookies)
			}
			if a.status != http.StatusOK {
				t.Errorf("status %d", a.status)
			}
		})
	}
}

func TestDCSessionIdles(t *testing.T) {
	var s dcSessions
	at := dcNow()
	id := s.open("ann", at)
	if !s.touch(id, "ann", at.Add(20*time.Minute), 20*time.Minute) {
		t.Error("ended at its last moment")
	}
	if !s.touch(id, "ann", at.Add(40*time.Minute), 20*time.Minute) {
		t.Error("use does not prolong it")
	}
	if s.touch(id, "ann", at.Add(61*time.Minute), 20*time.Minute) {
		t.Error("did not end")
	}
	if s.touch(id, "ann", at, 20*time.Minute) {
		t.Error("came back")
	}
}

func TestDCSessionsAreBounded(t *testing.T) {
	var s dcSessions
	for range maxSessions + 1 {
		s.open("ann", dcNow())
	}
	if len(s.known) != 1 {
		t.Errorf("%d sessions kept", len(s.known))
	}
}

// A call without the cookie pays for its session, one with it does not.
func TestDCSessionCost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := asCaller(newDC(DataConnectOptions{SessionCost: Duration(3 * time.Second)}))
		start := time.Now()
		w := serve(t, h, "/lists/stores", nil)
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("the first call took %v", took)
		}
		start = time.Now()
		serve(t, h, "/lists/stores", w.Result().Cookies())
		if took := time.Since(start); took != 0 {
			t.Errorf("the second call took %v", took)
		}
	})
}
