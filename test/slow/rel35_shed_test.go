package slow_test

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"iqgateway/test/rig"
	"iqgateway/test/slow"
)

// A gateway that is short of memory says so and lives on.
func shortOfMemory(t *testing.T, binary, memory string, environ ...string) {
	t.Helper()
	s := newSubject(t, binary, settings{limits: patient + ", max_memory: " + memory, timeouts: unhurried, concurrency: "none"}, environ...)
	client := s.good().Client(false)
	defer client.CloseIdleConnections()
	if status, _ := s.ask(t, client); status != http.StatusOK {
		t.Fatalf("%d before", status)
	}
	crowd := s.crowd(t, slow.Group{Kind: slow.Header, Count: 1000}, slow.Group{Kind: slow.Header, HTTP2: true, Count: 1000})
	var after string
	rig.Must(t, rig.Await(t.Context(), time.Minute, "new work is refused", func() bool {
		status, retry := s.ask(t, client)
		after = retry
		return status == http.StatusServiceUnavailable
	}))
	if n, err := strconv.Atoi(after); err != nil || n < 1 {
		t.Errorf("Retry-After: %q", after)
	}
	now, _ := s.resident(t)
	t.Logf("refused at %d MiB with %d slow clients", now/mib, crowd.Ready())
	if !s.gateway.Live(t.Context()) {
		t.Error("it does not live while it refuses")
	}
	rig.Must(t, crowd.End())
	rig.Must(t, rig.Await(t.Context(), time.Minute, "it serves again", func() bool {
		status, _ := s.ask(t, client)
		return status == http.StatusOK
	}))
}

// ask sends one request and returns the status and when to try again.
func (s *subject) ask(t *testing.T, client *http.Client) (status int, retryAfter string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+s.gateway.Server+ping, http.NoBody)
	rig.Must(t, err)
	req.Header.Set("X-Api-Key", s.key)
	resp, err := client.Do(req)
	rig.Must(t, err)
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	rig.Must(t, err)
	return resp.StatusCode, resp.Header.Get("Retry-After")
}
