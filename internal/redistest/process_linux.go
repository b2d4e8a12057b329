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
	return state(stat) == 'T', nil
}

// state is the third field of the file; 0 when there is none. The name before
// it stands in brackets and may hold anything, brackets and spaces too.
func state(stat []byte) byte {
	rest := stat[bytes.LastIndexByte(stat, ')')+1:]
	if len(rest) < 2 {
		return 0
	}
	return rest[1]
}
