package main

import (
	"slices"
	"strings"

	"iqgateway/config"
)

// fixedSettings are those that a process takes from the configuration of its
// start: addresses, listeners, stores, and where it writes to. mode is the
// server.tls.mode of then.
func fixedSettings(mode string) []string {
	fixed := []string{
		"data_dir", "redis", "cache", "admin", "status",
		"server.address", "server.tls", "server.forward_proxy", "server.lame_duck", "server.drain_timeout",
		"server.limits.read_header_timeout", "server.limits.idle_timeout", "server.limits.write_idle_timeout",
		"server.limits.max_uri", "server.limits.max_header", "server.limits.max_connections", "server.limits.max_memory",
		"telemetry.logs.format", "telemetry.audit",
	}
	if mode == tlsSelfSigned { // the certificate has the names of the start
		fixed = append(fixed, "server.hosts")
	}
	return fixed
}

// changed returns the key paths of what is different than in before: what is
// written, and what secrets lead to.
func changed(now, before *config.Config) []string {
	paths := slices.Concat(now.Changes(before), now.Rotated(before))
	slices.Sort(paths)
	return paths
}

// fixedAmong returns those of the changes since the start that a reload leaves as
// they were, all or in part.
func fixedAmong(now, start *config.Config) []string {
	fixed := fixedSettings(start.Server.TLS.Mode)
	var found []string
	for _, p := range now.Changes(start) {
		if isFixed(p, fixed) {
			found = append(found, p)
		}
	}
	const names = "redis.name_key" // other secrets of the process follow their files
	if slices.Contains(now.Rotated(start), names) {
		found = append(found, names)
	}
	return found
}

// isFixed reports whether a setting is one of these, or below one.
func isFixed(path string, fixed []string) bool {
	return slices.ContainsFunc(fixed, func(f string) bool { return path == f || strings.HasPrefix(path, f+".") })
}
