package iqsim

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkSim is one CRM read without the network: address, token, quota,
// service, header habits, ledger.
func BenchmarkSim(b *testing.B) {
	s, err := New(Options{Limits: map[string]int{"crm": 1 << 40}})
	if err != nil {
		b.Fatal(err)
	}
	text, err := s.Token("")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := httptest.NewRequest(http.MethodGet, "/crm/v1/Companies(14146)/Customers?$top=1", nil)
			r.Header.Set("Authorization", "Bearer "+text)
			r.Header.Set("Accept", "application/json")
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != http.StatusOK {
				body, _ := io.ReadAll(w.Body)
				b.Errorf("status %d: %s", w.Code, body)
				return
			}
		}
	})
}

// BenchmarkNew is the start of the whole simulation.
func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		if _, err := New(Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
