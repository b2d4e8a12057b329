//go:build !linux

package redistest

import "syscall"

// attributes is empty: only Linux ends a child with its parent. Elsewhere the
// clean-up of a test ends its servers, but a killed test leaves them.
func attributes() *syscall.SysProcAttr { return nil }

// stopped trusts that SIGSTOP has taken effect: there is no portable way to ask.
func stopped(int) (bool, error) { return true, nil }
