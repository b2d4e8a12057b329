package main

import (
	"slices"
	"strings"
)

// fixedSettings are those that a process takes from the configuration of its
// start: addresses, listeners, stores, and where it writes to.
func fixedSettings() []string {
	return []string{
		"data_dir", "redis", "cache", "admin", "status",
		"server.address", "server.tls", "server.forward_proxy", "server.lame_duck", "server.drain_timeout",
		"server.limits.read_header_timeout", "server.limits.idle_timeout", "server.limits.write_idle_timeout",
		"server.limits.max_uri", "server.limits.max_header", "server.limits.max_connections", "server.limits.max_memory",
		"telemetry.logs.level", "telemetry.logs.format", "telemetry.audit", "telemetry.traces", "telemetry.metrics",
	}
}

// fixedAmong returns those of paths that a reload leaves as they were.
func fixedAmong(paths []string) []string {
	var found []string
	for _, p := range paths {
		if slices.ContainsFunc(fixedSettings(), func(f string) bool { return p == f || strings.HasPrefix(p, f+".") }) {
			found = append(found, p)
		}
	}
	return found
}
