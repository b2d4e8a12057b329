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

// BenchmarkWorld is what the first request to an environment waits for: its
// services with their data.
func BenchmarkWorld(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		s, err := New(Options{})
		if err != nil {
			b.Fatal(err)
		}
		if len(s.environments["sandbox"].services()) == 0 {
			b.Fatal("no services")
		}
	}
}
