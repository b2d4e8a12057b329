package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The exit code says what a probe of the gateway answers, and the text why; no
// token goes with it.
func TestHealthcheck(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("the token is sent to a probe")
		}
		if r.URL.Path != "/livez" {
			http.Error(w, "certificates: none yet", http.StatusServiceUnavailable)
		}
	}))
	address := strings.TrimPrefix(s.URL, "http://")
	environ := adminEnviron(s.URL, adminToken)
	wantCommand(t, environ, exitOK, nil, "healthcheck")
	wantCommand(t, nil, exitOK, nil, "healthcheck", "--address", address)
	wantCommand(t, environ, exitFailure, []string{"503", "none yet"}, "healthcheck", "--ready")
	wantCommand(t, environ, exitUsage, []string{"want host:port"}, "healthcheck", "--address", "nowhere")
	s.Close()
	wantCommand(t, environ, exitFailure, []string{address, "connection refused"}, "healthcheck")
}

// It asks what a gateway has: both listeners, alive and ready.
func TestHealthcheckOfARunningGateway(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{flags: append(adminTokenFlags(), "--set", "status.address=127.0.0.1:0")})
	r.operate(t, "", "healthcheck")
	r.operate(t, "", "healthcheck", "--ready")
	r.operate(t, "", "healthcheck", "-c", r.file, "--set", "admin.address="+r.Admin)
	r.operate(t, "", "healthcheck", "-c", r.file, "--set", "status.address="+r.Status, "--set", "admin.address=127.0.0.1:1")
	wantCommand(t, []string{"IQGW_STATUS__ADDRESS=" + r.Status}, exitOK, nil, "healthcheck", "--ready")
}
