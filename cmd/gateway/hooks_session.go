package main

import (
	"context"
	"log/slog"

	"iqgateway/proxy"
	sessionstore "iqgateway/proxy/redisstore"
)

// This file turns what the DataConnect sessions report into log lines.

func (s *stores) sessionHooks() proxy.SessionHooks {
	return proxy.SessionHooks{
		Opened: s.sessionOpened, Ended: s.sessionEnded, Learned: s.endpointLearned, Refused: s.endpointRefused,
		Dropped: s.endpointDropped, StoreFailed: s.sessionStoreFailed, Panicked: s.sessionPanicked,
	}
}

func (s *stores) sessionEvent(level slog.Level, message string, key proxy.SessionKey, attrs ...slog.Attr) {
	who := []slog.Attr{
		slog.String("environment", key.Environment), slog.String("service", key.Service), slog.String("credential", key.Credential),
	}
	s.event(level, message, append(who, attrs...)...)
}

func (s *stores) sessionOpened(key proxy.SessionKey, host string) {
	s.sessionEvent(slog.LevelInfo, "the upstream has opened a session", key, slog.String("host", host))
}

func (s *stores) sessionEnded(key proxy.SessionKey, reason proxy.SessionDrop) {
	s.sessionEvent(slog.LevelInfo, "the upstream's session is dropped", key, slog.String("reason", string(reason)))
}

func (s *stores) endpointLearned(key proxy.SessionKey, origin string) {
	if origin == "" {
		s.sessionEvent(slog.LevelInfo, "the upstream prefers no other host any more", key)
		return
	}
	s.sessionEvent(slog.LevelInfo, "the upstream prefers another host", key, slog.String("origin", origin))
}

func (s *stores) endpointRefused(key proxy.SessionKey, err error) {
	s.sessionEvent(slog.LevelWarn, "the host that the upstream prefers is not used", key, slog.String("error", err.Error()))
}

func (s *stores) endpointDropped(key proxy.SessionKey, origin string, reason proxy.SessionDrop) {
	s.sessionEvent(slog.LevelWarn, "the preferred host failed and is left alone for a while", key,
		slog.String("origin", origin), slog.String("reason", string(reason)))
}

func (s *stores) sessionStoreFailed(key proxy.SessionKey, operation string, err error) {
	s.sessionEvent(slog.LevelDebug, "sessions are not shared at the moment", key, slog.String("operation", operation), slog.String("error", err.Error()))
}

func (s *stores) sessionPanicked(key proxy.SessionKey, value any, stack []byte) {
	s.panicked(context.Background(), "panic in the background of a session", value, stack,
		slog.String("environment", key.Environment), slog.String("service", key.Service), slog.String("credential", key.Credential))
}

func (s *stores) sessionDiscarded(reason sessionstore.Discarded) {
	s.valueDiscarded("session", string(reason))
}
