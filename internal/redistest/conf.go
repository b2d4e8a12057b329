package redistest

import (
	"fmt"
	"strings"
)

// base is the configuration of every server and sentinel. Paths and passwords
// stand in a file of the test's own directory, not on a command line that
// every user of the machine can read.
func (s *settings) base(port int, dir string) []string {
	lines := []string{
		"bind 127.0.0.1",
		"protected-mode no",
		"daemonize no",
		`logfile ""`,
		"dir " + quote(dir),
	}
	if s.authority == nil {
		return append(lines, fmt.Sprintf("port %d", port))
	}
	return append(
		lines,
		"port 0",
		fmt.Sprintf("tls-port %d", port),
		"tls-ca-cert-file "+quote(s.authority.rootFile),
		"tls-cert-file "+quote(s.authority.certificateFile),
		"tls-key-file "+quote(s.authority.keyFile),
		"tls-auth-clients no",
		"tls-replication yes",
	)
}

// server is the configuration of a server that holds data.
func (s *settings) server(port int, dir string) []string {
	lines := append(
		s.base(port, dir),
		`save ""`,
		"appendonly no",
		"repl-diskless-sync yes",
		"repl-diskless-sync-delay 0", // a replica is ready in milliseconds, not 5 s
		"shutdown-timeout 1",         // nor does a dead replica hold up the end for 10 s
	)
	if s.password != "" {
		lines = append(lines, "requirepass "+quote(s.password), "masterauth "+quote(s.password))
	}
	if s.maxMemory > 0 {
		lines = append(lines, fmt.Sprintf("maxmemory %d", s.maxMemory))
	}
	if s.policy != "" {
		lines = append(lines, "maxmemory-policy "+s.policy)
	}
	return append(lines, s.users...)
}

// member is the configuration of one master of a cluster.
func (s *settings) member(port int, dir string) []string {
	lines := append(
		s.server(port, dir),
		"cluster-enabled yes",
		"cluster-config-file nodes.conf",
		"cluster-announce-ip 127.0.0.1",
		"cluster-node-timeout 15000", // Redis' default
	)
	if s.authority != nil {
		lines = append(lines, "tls-cluster yes")
	}
	return lines
}

// sentinel is the configuration of one sentinel that watches the master.
func (s *settings) sentinel(port, masterPort int, dir string) []string {
	lines := append(
		s.base(port, dir),
		fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d 2", masterName, masterPort),
		"sentinel down-after-milliseconds "+masterName+" 1000",
		"sentinel failover-timeout "+masterName+" 3000",
		"sentinel parallel-syncs "+masterName+" 2",
	)
	if s.password != "" {
		lines = append(lines, "sentinel auth-pass "+masterName+" "+quote(s.password))
	}
	if s.sentinelPassword != "" {
		lines = append(
			lines,
			"requirepass "+quote(s.sentinelPassword),
			"sentinel sentinel-pass "+quote(s.sentinelPassword),
		)
	}
	return lines
}

// quote writes text as one word of a Redis configuration file.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range []byte(text) {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
