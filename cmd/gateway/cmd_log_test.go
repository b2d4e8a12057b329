package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"iqgateway/observability"
)

// An operator has more written for a time, or less; who may only read may only
// look.
func TestLogLevelOfARunningGateway(t *testing.T) {
	t.Parallel()
	const reader = "a-token-that-may-only-read"
	r := newRig(t, rigOptions{flags: append(adminTokenFlags(), "--set", "admin.read_token="+reader, "--set", "telemetry.logs.level=info")})
	r.operate(t, "writes info and above\n", "log", "level")
	r.operate(t, "(in 14m", "log", "level", "error")
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	if strings.Contains(r.logs.String(), `"msg":"request"`) {
		t.Error("at level error there is an access line")
	}
	var state logLevelState
	a := r.ask(t, http.MethodPut, pathLogLevel, `{"level":"debug","for":"2h"}`, func(http.Header) {}).want(t, http.StatusOK)
	if err := json.Unmarshal([]byte(a.text), &state); err != nil || state.Level != "debug" || state.Configured != "info" || time.Until(state.Until) < time.Hour {
		t.Errorf("%v: %s", err, a.text)
	}
	r.wantLog(t, `"msg":"an operator has changed the level of the log","level":"debug","before":"error"`)
	await(t, "the change is audited", func() bool {
		return strings.Contains(r.logs.String(), `"what":"`+pathLogLevel+`","details":{"before":"error","change":"an operator has changed the level of the log","level":"debug"`)
	})
	r.operate(t, "writes info and above\n", "log", "level", "info")
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	r.wantLog(t, `"msg":"request"`)

	asReader := func(h http.Header) { h.Set("Authorization", "Bearer "+reader) }
	r.ask(t, http.MethodGet, pathLogLevel, "", asReader).want(t, http.StatusOK)
	r.ask(t, http.MethodPut, pathLogLevel, `{"level":"debug"}`, asReader).want(t, http.StatusForbidden)
}

// A reload changes the level, and leaves what an operator has set for a time.
func TestLogLevelFollowsReloads(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{flags: adminTokenFlags()})
	r.operate(t, "writes debug and above\n", "log", "level")
	r.rewrite(t, "level: debug", "level: warn")
	r.reload(t)
	r.operate(t, "writes warn and above\n", "log", "level")
	r.operate(t, "writes error and above until ", "log", "level", "error", "--for", "1h")
	r.rewrite(t, "level: warn", "level: info")
	r.reload(t)
	r.operate(t, "then info\n", "log", "level")
	r.operate(t, "writes info and above\n", "log", "level", "info")
}

func TestLogLevelRefusesWhatCannotBeMeant(t *testing.T) {
	var level *observability.LogLevel
	admin := logAdmin{replica: "q7x", level: func() *observability.LogLevel { return level }}
	environ := adminServer(t, admin.endpoints()...)
	wantCommand(t, environ, exitFailure, []string{"cannot be changed"}, "log", "level")
	level = observability.NewLogLevel(0, nil)
	wantCommand(t, environ, exitUsage, []string{`"loud" is none of debug, info, warn, error`}, "log", "level", "loud")
	wantCommand(t, environ, exitUsage, []string{"want a time from 1s to 24h"}, "log", "level", "debug", "--for", "48h")
	wantCommand(t, environ, exitUsage, []string{"--for and --reason go with a level"}, "log", "level", "--for", "5m")
	wantCommand(t, environ, exitUsage, []string{"one level at most"}, "log", "level", "debug", "info")
	for body, want := range map[string]string{
		`{}`: "name a level", `{"level":"loud"}`: "loud", `{"level":"info","for":"soon"}`: "soon", `{"level":"info","for":"0s"}`: "0s", `{"level":"info","x":1}`: "x",
	} {
		wantRefused(t, environ, http.MethodPut, pathLogLevel, body, http.StatusBadRequest, want)
	}
}
