package observability_test

import (
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/observability"
)

func TestLogLevelComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var expired atomic.Int64
		l := observability.NewLogLevel(slog.LevelInfo, func(s observability.LogLevelState) {
			expired.Add(1)
			if s.Level != "info" || !s.Until.IsZero() {
				t.Errorf("back at %+v", s)
			}
		})
		if s := l.Set(slog.LevelDebug, 15*time.Minute); s.Level != "debug" || s.Configured != "info" || time.Until(s.Until) != 15*time.Minute {
			t.Errorf("%+v", s)
		}
		<-time.After(10 * time.Minute)
		l.Set(slog.LevelDebug, 15*time.Minute) // again
		<-time.After(14 * time.Minute)
		if l.Level() != slog.LevelDebug || expired.Load() != 0 {
			t.Errorf("at %s, %d times back", l.Level(), expired.Load())
		}
		<-time.After(2 * time.Minute)
		if l.Level() != slog.LevelInfo || expired.Load() != 1 {
			t.Errorf("at %s, %d times back", l.Level(), expired.Load())
		}
		l.Set(slog.LevelError, time.Minute)
		if s := l.Set(slog.LevelInfo, time.Minute); !s.Until.IsZero() || l.Level() != slog.LevelInfo {
			t.Errorf("the configured level: %+v", s)
		}
		<-time.After(time.Hour)
		if expired.Load() != 1 {
			t.Errorf("%d times back", expired.Load())
		}
	})
}

// A reload changes the configured level, and leaves what an operator has set.
func TestLogLevelIsConfiguredAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := observability.NewLogLevel(slog.LevelInfo, nil)
		l.Configure(slog.LevelWarn)
		if l.Level() != slog.LevelWarn {
			t.Errorf("at %s", l.Level())
		}
		l.Set(slog.LevelDebug, time.Minute)
		l.Configure(slog.LevelError)
		if s := l.State(); s.Level != "debug" || s.Configured != "error" {
			t.Errorf("%+v", s)
		}
		<-time.After(2 * time.Minute)
		if l.Level() != slog.LevelError {
			t.Errorf("at %s", l.Level())
		}
		l.Set(slog.LevelDebug, time.Minute)
		l.Stop()
		(*observability.LogLevel)(nil).Configure(slog.LevelDebug) // of a log whose level stays
	})
}
