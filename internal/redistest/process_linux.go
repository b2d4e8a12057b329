package redistest

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
)

// attributes make the kernel end the server when the test's process dies, even
// by SIGKILL. See process.run for the thread that this needs.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// stopped says whether SIGSTOP has taken effect: the state in proc(5) is T.
func stopped(pid int) (bool, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false, err
	}
	// The name before the state stands in brackets and may hold anything.
	_, rest, _ := bytes.Cut(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" "))
	return bytes.HasPrefix(rest, []byte("T")), nil
}
