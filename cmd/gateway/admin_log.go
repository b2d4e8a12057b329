package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"iqgateway/observability"
)

const (
	// pathLogLevel is a path of the admin API.
	pathLogLevel = "/api/v1/log/level"

	defaultLevelFor = 15 * time.Minute
	longestLevelFor = 24 * time.Hour
)

// logAdmin is what the admin API needs to show and change what this replica
// logs.
type logAdmin struct {
	replica string
	// level returns the level that is written; nil = it cannot be changed.
	level func() *observability.LogLevel
	// audit writes what an operator has changed.
	audit func(ctx context.Context, message string, attrs ...slog.Attr)
}

// logLevelChange is the body of a change.
type logLevelChange struct {
	Level string `json:"level"`
	For   string `json:"for,omitempty"` // "" = 15m
	orderWhy
}

// check returns what is wanted, or what to correct.
func (c logLevelChange) check() (slog.Level, time.Duration, error) {
	level, err := observability.ParseLevel(c.Level)
	if c.Level == "" {
		err = fmt.Errorf("name a level: debug, info, warn or error")
	}
	if err == nil {
		err = c.checkReason()
	}
	if err != nil || c.For == "" {
		return level, defaultLevelFor, err
	}
	lasting, err := time.ParseDuration(c.For)
	if err != nil || lasting < time.Second || lasting > longestLevelFor {
		return 0, 0, fmt.Errorf("for is %q: want a time from 1s to 24h, as 15m", c.For)
	}
	return level, lasting, nil
}

// logLevelState is the answer to both methods.
type logLevelState struct {
	Replica string `json:"replica"`
	observability.LogLevelState
}

// logAdmin shows and changes the log of this process.
func (g *gateway) logAdmin() logAdmin {
	return logAdmin{replica: g.replica, level: func() *observability.LogLevel { return g.level }, audit: g.audit}
}

func (l logAdmin) endpoints() []observability.Endpoint {
	problems := []int{http.StatusConflict}
	return []observability.Endpoint{{Path: pathLogLevel, Methods: map[string]observability.Operation{
		http.MethodGet: {Serve: l.show, Summary: "Show the level of this replica's log", Answer: logLevelState{}, Problems: problems},
		http.MethodPut: {Serve: l.change, Summary: "Change the level of this replica's log for a time", Body: logLevelChange{}, Answer: logLevelState{}, Problems: problems},
	}}}
}

// find returns the level, unless it has answered that there is none.
func (l logAdmin) find(w http.ResponseWriter) *observability.LogLevel {
	level := l.level()
	if level == nil {
		observability.WriteProblem(w, http.StatusConflict, "the level of this gateway's log cannot be changed while it runs")
	}
	return level
}

func (l logAdmin) show(w http.ResponseWriter, _ *http.Request) {
	if level := l.find(w); level != nil {
		observability.WriteJSON(w, http.StatusOK, logLevelState{l.replica, level.State()})
	}
}

func (l logAdmin) change(w http.ResponseWriter, r *http.Request) {
	level := l.find(w)
	if level == nil {
		return
	}
	body, ok := readOrder(w, r, func(c logLevelChange) error { _, _, err := c.check(); return err })
	if !ok {
		return
	}
	wanted, lasting, _ := body.check() // it has passed
	before := level.State()
	state := level.Set(wanted, lasting)
	attrs := body.with(slog.String("level", state.Level), slog.String("before", before.Level))
	if !state.Until.IsZero() {
		attrs = append(attrs, slog.Time("until", state.Until))
	}
	l.audit(r.Context(), "an operator has changed the level of the log", attrs...)
	observability.WriteJSON(w, http.StatusOK, logLevelState{l.replica, state})
}
