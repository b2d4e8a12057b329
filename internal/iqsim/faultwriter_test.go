package iqsim

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// writeFaulty writes a body of 4000 bytes through a fault and returns what
// came out, how long it took, and whether the connection was cut.
func writeFaulty(t *testing.T, length string, f Fault) (rec *httptest.ResponseRecorder, took time.Duration, cut bool) {
	t.Helper()
	a, err := f.arm()
	if err != nil {
		t.Fatal(err)
	}
	rec = httptest.NewRecorder()
	begun := time.Now()
	defer func() {
		took = time.Since(begun)
		reason, _ := recover().(error)
		cut = errors.Is(reason, http.ErrAbortHandler)
	}()
	w := &faultWriter{
		ResponseWriter: rec, faults: []Fault{a.Fault},
		request: httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil),
	}
	if length != "" {
		w.Header().Set("Content-Length", length)
	}
	w.WriteHeader(http.StatusOK)
	for range 4 {
		if n, err := w.Write([]byte(strings.Repeat("x", 1000))); n != 1000 || err != nil {
			t.Errorf("Write = %d, %v", n, err)
		}
	}
	return rec, 0, false
}

func TestFaultWriter(t *testing.T) {
	tests := []struct {
		name    string
		length  string
		fault   Fault
		sent    int
		promise string // Content-Length
		took    time.Duration
		cut     bool
	}{
		{"half of a known length", "4000", Fault{Kind: FaultTruncate}, 2000, "5000", 0, true},
		{"1 KiB of an unknown one", "", Fault{Kind: FaultTruncate}, 1024, "", 0, true},
		{"chunked on request", "4000", Fault{Kind: FaultTruncate, Chunked: true, Bytes: 7}, 7, "", 0, true},
		{"never reached", "4000", Fault{Kind: FaultTruncate, Bytes: 9000}, 4000, "5000", 0, false},
		{"at the very end", "4000", Fault{Kind: FaultReset, At: AtBody, Bytes: 4000}, 4000, "4000", 0, true},
		{"after the header", "4000", Fault{Kind: FaultReset, At: AtHeaders}, 0, "4000", 0, true},
		{"header late", "4000", Fault{Kind: FaultLatency, At: AtHeaders, Delay: Duration(time.Second)}, 4000, "4000", time.Second, false},
		{"a stall goes on", "4000", Fault{Kind: FaultStall, At: AtBody, Delay: Duration(time.Minute)}, 4000, "4000", time.Minute, false},
		{"empty body", "0", Fault{Kind: FaultTruncate}, 0, "1000", 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rec, took, cut := writeFaulty(t, tt.length, tt.fault)
				if rec.Body.Len() != tt.sent || cut != tt.cut || took != tt.took {
					t.Errorf("%d bytes, cut %v, took %s; want %d, %v, %s", rec.Body.Len(), cut, took, tt.sent, tt.cut, tt.took)
				}
				if got := rec.Header().Get("Content-Length"); got != tt.promise {
					t.Errorf("Content-Length %q, want %q", got, tt.promise)
				}
			})
		})
	}
}

// Latency at body passes between pieces of 1 KiB, not after the last one.
func TestTrickle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec, begun := httptest.NewRecorder(), time.Now()
		w := &faultWriter{
			ResponseWriter: rec, faults: []Fault{{Kind: FaultLatency, At: AtBody, Delay: Duration(time.Second)}},
			request: httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil),
		}
		w.WriteHeader(http.StatusOK)
		if n, err := w.Write(make([]byte, 5*trickle)); n != 5*trickle || err != nil {
			t.Fatalf("Write = %d, %v", n, err)
		}
		if took := time.Since(begun); took != 4*time.Second {
			t.Errorf("took %s, want 4 pauses of 1s", took)
		}
	})
}
