package observability

import (
	"log/slog"
	"strings"
	"sync"
	"time"
)

// LogLevel is the least level that is written: the configured one, or for a time
// another. Use it as the Level of [LogOptions].
type LogLevel struct {
	now slog.LevelVar

	mu         sync.Mutex
	configured slog.Level
	until      time.Time // when the configured one is back; zero = it is there
	back       *time.Timer
	expired    func(LogLevelState)
}

// LogLevelState is what is written right now.
type LogLevelState struct {
	Level      string    `json:"level"`
	Configured string    `json:"configured"`
	Until      time.Time `json:"until,omitzero"` // when the configured one is back
}

// NewLogLevel returns the configured level. expired is called when another one
// is over; nil = nobody is told.
func NewLogLevel(configured slog.Level, expired func(LogLevelState)) *LogLevel {
	l := &LogLevel{configured: configured, expired: expired}
	l.now.Set(configured)
	return l
}

// Level implements [slog.Leveler].
func (l *LogLevel) Level() slog.Level { return l.now.Level() }

// Configure replaces the configured level. One that is set for a time stays
// until that is over.
func (l *LogLevel) Configure(level slog.Level) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.configured = level
	if l.until.IsZero() {
		l.now.Set(level)
	}
}

// Set has another level written for a time. The configured one, which needs no
// time, is back at once.
func (l *LogLevel) Set(level slog.Level, lasting time.Duration) LogLevelState {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.back != nil {
		l.back.Stop()
	}
	l.back, l.until = nil, time.Time{}
	l.now.Set(level)
	if level != l.configured {
		l.until = time.Now().Add(lasting)
		until := l.until
		l.back = time.AfterFunc(lasting, func() { l.expire(until) })
	}
	return l.state()
}

// expire ends the level that was set until then, unless another was set since.
func (l *LogLevel) expire(until time.Time) {
	l.mu.Lock()
	if !l.until.Equal(until) {
		l.mu.Unlock()
		return
	}
	l.back, l.until = nil, time.Time{}
	l.now.Set(l.configured)
	state := l.state()
	l.mu.Unlock()
	if l.expired != nil {
		l.expired(state)
	}
}

// Stop forgets what was to happen later.
func (l *LogLevel) Stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.back != nil {
		l.back.Stop()
	}
}

// State returns what is written right now.
func (l *LogLevel) State() LogLevelState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state()
}

func (l *LogLevel) state() LogLevelState {
	return LogLevelState{Level: LevelName(l.now.Level()), Configured: LevelName(l.configured), Until: l.until}
}

// LevelName is a level as [ParseLevel] reads it.
func LevelName(level slog.Level) string { return strings.ToLower(level.String()) }
