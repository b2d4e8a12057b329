package main

import (
	"strings"
	"testing"

	"iqgateway/config"
)

// A mode that this program does not know makes no authority of its own.
func TestUnknownTLSModeIsRefused(t *testing.T) {
	cfg := &config.Config{}
	cfg.DataDir = t.TempDir()
	cfg.Server.TLS.Mode = "selfsigned"
	g := &gateway{cfg: cfg, stores: &stores{}}
	_, _, err := g.serverTLS()
	if err == nil || !strings.Contains(err.Error(), "selfsigned") || g.local != nil {
		t.Errorf("%v, an authority: %t", err, g.local != nil)
	}
}
