package observability_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"iqgateway/observability"
)

// cut answers a write and breaks off before anything of it has left.
func cut(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/declared" {
		w.Header().Set("Content-Length", "100")
	}
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, "half")
	panic(http.ErrAbortHandler)
}

// The caller of a write that was executed learns it, though the answer breaks off.
func TestCutAnswersTellTheirStatus(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		for _, path := range []string{"/declared", "/of-any-length"} {
			server := httptest.NewUnstartedServer(observability.Observe(observability.ObserveOptions{Replica: "r1"})(http.HandlerFunc(cut)))
			server.EnableHTTP2 = http2
			server.StartTLS()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path, strings.NewReader("x"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := server.Client().Do(req)
			if err != nil {
				t.Fatalf("HTTP/2 %v, %s: %v", http2, path, err)
			}
			body, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusCreated || err == nil {
				t.Errorf("HTTP/2 %v, %s: %s, %q, %v", http2, path, resp.Status, body, err)
			}
			server.Close()
		}
	}
}

// To HTTP/1.0 the end of the connection is the end of the answer.
func TestCutAnswersTellHTTP10Nothing(t *testing.T) {
	server := httptest.NewServer(observability.Observe(observability.ObserveOptions{Replica: "r1"})(http.HandlerFunc(cut)))
	defer server.Close()
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "POST /of-any-length HTTP/1.0\r\nContent-Length: 0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(bufio.NewReader(conn)); len(answer) > 0 || err != nil {
		t.Errorf("%q, %v", answer, err)
	}
}
