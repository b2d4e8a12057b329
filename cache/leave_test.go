package cache_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"
)

// TestASilentBodyEndsWithItsLeader: what is for the leader alone ends with it,
// also while the upstream sends nothing.
func TestASilentBodyEndsWithItsLeader(t *testing.T) {
	for _, tt := range []struct {
		name      string
		size      int
		directive string
	}{
		{"not stored", 10, "no-store"},
		{"larger than what is kept", 2 << 20, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ended := make(chan struct{})
			s := newStack(t, stackOptions{origin: func(w http.ResponseWriter, r *http.Request) {
				defer close(ended)
				w.Header().Set("Cache-Control", tt.directive)
				_, _ = w.Write(make([]byte, tt.size))
				_ = http.NewResponseController(w).Flush()
				select {
				case <-r.Context().Done():
				case <-time.After(10 * time.Second):
					t.Error("the upstream's transfer was not ended")
				}
			}})
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.nodes[0].server.URL+"/v1/a", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := s.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			part := tt.size / 2 // what a proxy holds back for a while is not waited for
			if _, err := io.CopyN(io.Discard, resp.Body, int64(part)); err != nil {
				t.Fatal(err)
			}
			leave()
			<-ended
		})
	}
}
