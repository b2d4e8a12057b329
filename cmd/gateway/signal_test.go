package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The first signal drains, a second one ends the process at once.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	binary, file := buildGateway(t), filepath.Join(t.TempDir(), "gateway.yaml")
	text := "version: 1\nserver: {address: \"127.0.0.1:0\", tls: {mode: none}, lame_duck: 10m}\nadmin: {address: \"127.0.0.1:0\"}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "run", "-c", file)
	out := &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	signal := func(s syscall.Signal, said string) {
		if err := cmd.Process.Signal(s); err != nil {
			t.Error(err)
		}
		await(t, said, func() bool { return strings.Contains(out.String(), said) })
	}
	await(t, "the gateway serves", func() bool { return strings.Contains(out.String(), `"msg":"serving"`) })
	signal(syscall.SIGTERM, `"msg":"draining"`)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	err := cmd.Wait()
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("ended with %v", err)
	}
}
