package redistest_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"iqgateway/internal/redistest"
)

// alive says whether the process exists; a zombie, whose parent died and whose
// new parent does not care, is dead.
func alive(t *testing.T, pid int) bool {
	t.Helper()
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return runtime.GOOS != "linux"
	}
	return !strings.Contains(string(stat), ") Z ")
}

func TestNoProcessOutlivesItsTest(t *testing.T) {
	t.Parallel()
	var pids []int
	t.Run("test", func(t *testing.T) {
		single, trio, cluster := redistest.Single(t), redistest.Sentinel(t), redistest.Cluster(t)
		servers := append(cluster.Servers(), single)
		servers = append(append(servers, trio.Servers()...), trio.Sentinels()...)
		for i, server := range servers {
			pids = append(pids, server.PID())
			if i%2 == 0 {
				server.Freeze()
			}
		}
		for _, pid := range pids {
			if !alive(t, pid) {
				t.Errorf("process %d does not run", pid)
			}
		}
	})
	if len(pids) != 10 {
		t.Errorf("%d processes, want 10", len(pids))
	}
	for _, pid := range pids {
		if alive(t, pid) {
			t.Errorf("process %d outlives its test", pid)
		}
	}
}

const holdServer = "REDISTEST_HOLD_SERVER"

// TestHoldServer is the other process of the test below.
func TestHoldServer(t *testing.T) {
	if os.Getenv(holdServer) == "" {
		t.Skip("runs in a process of its own, to be killed")
	}
	running, frozen := redistest.Single(t), redistest.Single(t)
	frozen.Freeze()
	fmt.Fprintf(os.Stdout, "pids %d %d\n", running.PID(), frozen.PID())
	select {}
}

func TestNoProcessOutlivesAKilledTestBinary(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ends children with their parent")
	}
	binary := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHoldServer$", "-test.v")
	binary.Env = append(os.Environ(), holdServer+"=1", "TMPDIR="+t.TempDir())
	output, err := binary.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := binary.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	for lines := bufio.NewScanner(output); len(pids) == 0 && lines.Scan(); {
		if list, ok := strings.CutPrefix(lines.Text(), "pids "); ok {
			for text := range strings.FieldsSeq(list) {
				pid, err := strconv.Atoi(text)
				if err != nil {
					t.Fatal(err)
				}
				pids = append(pids, pid)
			}
		}
	}
	if len(pids) != 2 {
		t.Fatalf("the other process told the ids %v", pids)
	}
	if !alive(t, pids[0]) || !alive(t, pids[1]) {
		t.Fatal("its servers do not run")
	}

	if err := binary.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = binary.Wait() // it was killed
	deadline := time.After(10 * time.Second)
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for alive(t, pids[0]) || alive(t, pids[1]) {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("of %v some outlive the test binary", pids)
		}
	}
}
