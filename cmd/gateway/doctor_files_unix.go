//go:build unix

package main

import (
	"context"
	"fmt"
	"syscall"
)

// connectionFiles is what each connection of a caller may need: its own and one
// to an upstream.
const connectionFiles = 2

func (d *doctor) lookAtOpenFiles(context.Context) {
	f := finding{Check: "files", Status: findingOK}
	defer func() { d.report(f) }()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		f.Status, f.Value = findingSkipped, err.Error()
		return
	}
	needs := uint64(d.gateway.cfg.Server.Limits.MaxConnections) * connectionFiles
	f.Value = fmt.Sprintf("%d may be open at once", limit.Max)
	if limit.Max < needs {
		f.Status, f.Value = findingWarning, fmt.Sprintf("%s, server.limits.max_connections can need %d", f.Value, needs)
		f.Why, f.Remedy = "connections beyond it are refused", "raise the limit (LimitNOFILE=, ulimit -n), or lower server.limits.max_connections"
	}
}
