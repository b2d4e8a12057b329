package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"iqgateway/config"
	"iqgateway/internal/fleet"
	"iqgateway/override"
)

// A replica that cannot build its configuration has cleared the override all the
// same: the others must hear of it, and the audit log must have it.
func TestClearedOverrideIsAuditedWhereItCannotBeApplied(t *testing.T) {
	var broken bool
	var audited, followed int
	var all *override.Overrides
	var applied []override.Held
	all = override.New(override.Options{
		Store:   override.NewFile("", nil),
		Applied: func() []override.Held { return applied },
		Apply: func(context.Context) error {
			if broken {
				return errors.New("no certificate")
			}
			applied = all.Current()
			return nil
		},
	})
	set := override.Override{Key: "callers.storefront.blocked", Value: "true", Left: time.Hour}
	if _, err := all.Set(t.Context(), set, func([]override.Held) error { return nil }); err != nil {
		t.Fatal(err)
	}
	broken = true
	admin := overrideAdmin{
		replica: "a", all: all, serves: func() *reloadState { return &reloadState{base: &config.Config{}} }, size: func() int { return 2 },
		follow: func(context.Context) fleet.Result { followed++; return fleet.Result{Replicas: 2, Followed: 1} },
		audit:  func(context.Context, string, ...slog.Attr) { audited++ },
	}
	environ := adminServer(t, admin.endpoints()...)
	wantRefused(t, environ, http.MethodDelete, pathOverrides, `{"key": "callers.storefront.blocked"}`, http.StatusInternalServerError, "cleared, but this replica")
	if audited != 1 || followed != 1 || len(all.Current()) != 0 {
		t.Errorf("%d lines in the audit log, the fleet told %d times, %d overrides hold; want 1, 1 and 0", audited, followed, len(all.Current()))
	}
}
