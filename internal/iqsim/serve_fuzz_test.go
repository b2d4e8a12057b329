package iqsim

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// FuzzServe sends what a hostile client may: nothing but the abort of a
// response may panic, and every visit is in the ledger.
func FuzzServe(f *testing.F) {
	for _, seed := range [][4]string{
		{"GET", "/crm/v1/Companies(14146)/Customers?$filter=x%20eq%20'y'", "", "localhost"},
		{"POST", "/accounts/v1/oauth2/token", "grant_type=password", "localhost"},
		{"PUT", "/~rc/productsubscriptions/v1/Companies(1)/subscribablelists(x)", "{}", "x"},
		{"POST", "/v1/Companies(1)/OrderFull", `{"Items":[]}`, "orderdemo.iqmetrix.net"},
		{"GET", "/dataconnect/session?Response=Csv;&CSV.Delimiter=;", "", "h"},
		{"DELETE", "/crm/%zz/%00/..//(", "\x00", ""},
		{"PUT", "/_sim/switches", `{"window":"1s"}`, "localhost"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	s, err := New(Options{})
	if err != nil {
		f.Fatal(err)
	}
	token, err := s.Token("")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, method, target, body, host string) {
		path, query, _ := strings.Cut(target, "?")
		decoded, err := url.PathUnescape(path)
		if err != nil || !strings.HasPrefix(path, "/") || method == "" {
			return // net/http refuses it
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", strings.NewReader(body))
		r.Method, r.Host, r.RequestURI = method, host, target
		r.URL = &url.URL{Path: decoded, RawPath: path, RawQuery: query}
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		defer func() {
			if p := recover(); p != nil {
				if reason, ok := p.(error); !ok || !errors.Is(reason, http.ErrAbortHandler) {
					panic(p)
				}
			}
		}()
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code < 200 || w.Code > 599 {
			t.Errorf("%s %q: status %d", method, target, w.Code)
		}
		if to, ok := s.addresses.resolve(r); ok && !isControl(r) {
			all := s.Ledger(LedgerQuery{Service: to.service})
			if last := all[len(all)-1]; !last.Done || last.Target != target {
				t.Errorf("%q is not in the ledger: %+v", target, last)
			}
		}
	})
}
