package secret_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"iqgateway/internal/secret"
)

const canary = "c4n4ry-0f-a-p4ssw0rd"

func TestSEC61NoPrintedFormShowsTheText(t *testing.T) {
	s := secret.New(canary)
	type holder struct {
		Password secret.Text
		Inner    *secret.Text
		private  secret.Text
	}
	h := holder{s, &s, s}
	encoded, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	logger.Info("secret", slog.Any("value", s), slog.Any("in a struct", h), slog.Any("in a map", map[string]any{"k": s}))

	printed := []string{string(encoded), log.String(), fmt.Errorf("wrapped: %w", errors.New(s.String())).Error()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
		printed = append(printed, fmt.Sprintf(verb, s), fmt.Sprintf(verb, &s), fmt.Sprintf(verb, h))
	}
	for _, p := range printed {
		if strings.Contains(p, canary) || strings.Contains(p, fmt.Sprintf("%x", canary)) || strings.Contains(p, fmt.Sprintf("%X", canary)) {
			t.Errorf("printed form shows the secret: %s", p)
		}
	}
	if s.Reveal() != canary {
		t.Errorf("Reveal() = %q", s.Reveal())
	}
}

func TestZeroValueIsAbsent(t *testing.T) {
	var zero secret.Text
	if !zero.IsZero() || secret.New("x").IsZero() {
		t.Error("IsZero does not tell absent from present")
	}
}

func TestEqual(t *testing.T) {
	if !secret.New("a").Equal(secret.New("a")) || secret.New("a").Equal(secret.New("b")) || secret.New("a").Equal(secret.Text{}) {
		t.Error("Equal is wrong")
	}
}
