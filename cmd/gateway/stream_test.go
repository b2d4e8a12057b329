package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"iqgateway/auth"
	"iqgateway/internal/iqsim"
)

// A caller that leaves cancels the upstream within a second.
func TestLeavingCancelsTheUpstream(t *testing.T) {
	r := newRig(t, rigOptions{})
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base+"/dataconnect/reports/export?Response=Csv&Size=10737418240", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", r.key)
	resp, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.CopyN(io.Discard, resp.Body, 1<<20); err != nil {
		t.Fatal(err)
	}
	leave()
	left := time.Now()
	await(t, "the upstream export ends", func() bool {
		s := r.DataConnectStats("")
		return s.Active == 0 && s.Cancelled == 1
	})
	if took := time.Since(left); took > time.Second {
		t.Errorf("cancelled after %s", took)
	}
}

// An upstream that breaks off must not look like a complete answer.
func TestTruncatedAnswerIsCut(t *testing.T) {
	r := newRig(t, rigOptions{})
	for _, fault := range []iqsim.Fault{
		{Kind: iqsim.FaultTruncate},
		{Kind: iqsim.FaultTruncate, Chunked: true},
		{Kind: iqsim.FaultReset, At: iqsim.AtBody},
	} {
		r.RemoveFaults(0)
		fault.Service = "crm"
		if _, err := r.AddFault(fault); err != nil {
			t.Fatal(err)
		}
		if a, err := r.try(t.Context(), http.MethodGet, customers, ""); err == nil {
			t.Errorf("%+v: read to a clean end: %s %.60q", fault, a.Status, a.text)
		}
	}
}

// exportSize is what a DataConnect export of the memory test has, in bytes.
const exportSize = 1 << 30

// A 1 GiB export passes with less than 64 MiB above the idle memory of the
// gateway's process.
func TestExportRunsInConstantMemory(t *testing.T) {
	binary := buildGateway(t)
	_, _, simURL := newSim(t, iqsim.Options{})
	key, digest := auth.NewKey()
	dir := t.TempDir()
	text := strings.NewReplacer("SIM", simURL, "DIGEST", digest, "DIR", dir, "ACCESS", `{"*": read}`, "{mode: self_signed}", "{mode: none}").Replace(rigConfig)
	file := filepath.Join(dir, "gateway.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	pid, address := startBinary(t, binary, file)

	get := func(target string) int64 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Api-Key", key)
		transport := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		n, err := io.Copy(io.Discard, resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s after %d bytes, %v", target, resp.Status, n, err)
		}
		return n
	}
	get(customers)
	idle := peakMemory(t, pid)
	if n := get("/dataconnect/reports/export?Response=Csv&Size=" + strconv.Itoa(exportSize)); n != exportSize {
		t.Fatalf("%d bytes arrived, want %d", n, exportSize)
	}
	above := peakMemory(t, pid) - idle
	t.Logf("idle %d MiB, peak %d MiB above it during a 1 GiB export", idle>>20, above>>20)
	if above >= 64<<20 {
		t.Errorf("%d MiB above idle, want less than 64", above>>20)
	}
}

// startBinary runs the gateway as a process of its own until the test ends.
func startBinary(t *testing.T, binary, config string) (pid int, address string) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), binary, "run", "-c", config)
	cmd.Env = append(os.Environ(), rigEnviron()...)
	out := &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("gateway: %v\n%s", err, out)
		}
	})
	serving := regexp.MustCompile(`"msg":"serving".*?"server":"([^"]+)"`)
	await(t, "the gateway serves", func() bool { return serving.MatchString(out.String()) })
	return cmd.Process.Pid, serving.FindStringSubmatch(out.String())[1]
}

// peakMemory returns the most resident memory that a process had, in bytes.
func peakMemory(t *testing.T, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if match == nil {
		t.Fatalf("no VmHWM in %s", status)
	}
	kib, err := strconv.ParseInt(string(match[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}
