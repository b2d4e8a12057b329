package main

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The first signal drains, a second one hurries, a third ends the process at
// once.
func TestSignals(t *testing.T) {
	t.Parallel()
	const text = "version: 1\nserver: {address: \"127.0.0.1:0\", tls: {mode: none}, lame_duck: 10m, drain_timeout: 1h}\nadmin: {address: \"127.0.0.1:0\"}\n"
	file := filepath.Join(t.TempDir(), "gateway.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	start := func(t *testing.T) (*exec.Cmd, *lockedBuffer) {
		t.Helper()
		cmd, out := exec.CommandContext(t.Context(), buildGateway(t), "run", "-c", file), &lockedBuffer{}
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		await(t, "the gateway serves", func() bool { return strings.Contains(out.String(), `"msg":"serving"`) })
		return cmd, out
	}
	signal := func(t *testing.T, cmd *exec.Cmd, s os.Signal) {
		t.Helper()
		if err := cmd.Process.Signal(s); err != nil {
			t.Error(err)
		}
	}
	t.Run("second", func(t *testing.T) {
		cmd, out := start(t)
		signal(t, cmd, syscall.SIGTERM)
		await(t, "it drains", func() bool { return strings.Contains(out.String(), `"msg":"draining"`) })
		begun := time.Now()
		signal(t, cmd, os.Interrupt)
		if err := cmd.Wait(); err != nil || time.Since(begun) > 8*time.Second {
			t.Errorf("ended with %v after %s\n%s", err, time.Since(begun), out)
		}
	})
	t.Run("third", func(t *testing.T) {
		cmd, out := start(t)
		stuckRequest(t, out)
		signal(t, cmd, syscall.SIGTERM)
		await(t, "it drains", func() bool { return strings.Contains(out.String(), `"msg":"draining"`) })
		signal(t, cmd, syscall.SIGTERM)
		await(t, "it hurries", func() bool { return strings.Contains(out.String(), `"msg":"hurrying"`) })
		signal(t, cmd, syscall.SIGTERM)
		err := cmd.Wait()
		status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if !ok || !status.Signaled() || status.Signal() != syscall.SIGTERM {
			t.Errorf("ended with %v\n%s", err, out)
		}
	})
}

// stuckRequest begins a request at the gateway that wrote out, and never ends
// it.
func stuckRequest(t *testing.T, out *lockedBuffer) {
	t.Helper()
	match := regexp.MustCompile(`"server":"([^"]+)"`).FindStringSubmatch(out.String())
	if match == nil {
		t.Fatalf("no address in %s", out)
	}
	c, err := net.Dial("tcp", match[1])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: "); err != nil {
		t.Fatal(err)
	}
}

// SIGHUP has the gateway read its configuration again, and its audit file opened
// anew.
func TestHangupReloads(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, log := filepath.Join(dir, "gateway.yaml"), filepath.Join(dir, "audit.log")
	text := "version: 1\nserver: {address: \"127.0.0.1:0\", tls: {mode: none}, lame_duck: 0s}\nadmin: {address: \"127.0.0.1:0\"}\ntelemetry: {audit: {output: " + log + "}}\n"
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(text)
	cmd, out := exec.CommandContext(t.Context(), buildGateway(t), "run", "-c", file), &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	says := func(message string, times int) func() bool {
		return func() bool { return strings.Count(out.String(), message) >= times }
	}
	await(t, "the gateway serves", says(`"msg":"serving"`, 1))
	hangUp := func() {
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	hangUp()
	await(t, "a reload", says(`"msg":"configuration reloaded","trigger":"signal"`, 1))
	audited := func() bool {
		records, err := os.ReadFile(log)
		return err == nil && strings.Contains(string(records), `"event":"reload"`)
	}
	await(t, "a line of the audit log", audited)
	write(text + "unknown: 1\n")
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	hangUp()
	await(t, "a reload is refused", says("the configuration cannot be used, the last one stays", 1))
	await(t, "the audit file is there again", audited)
	write(text)
	hangUp()
	await(t, "another reload", says(`"msg":"configuration reloaded"`, 2))
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
