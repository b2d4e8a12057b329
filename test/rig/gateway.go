package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Programs names the variable of the environment with the folder of a gateway
// that was just built as Build does, so that each package need not link its own.
const Programs = "RIG_PROGRAMS"

// Build builds the program gateway of the product, whose module is in the folder
// root, into the folder dir, and returns its path. Flags are for go build; without
// any, what the environment names is taken instead. Go's test cache knows nothing
// of it: tests that build a gateway are run with -count=1, or -shuffle.
func Build(ctx context.Context, root, dir string, flags ...string) (string, error) {
	if built := os.Getenv(Programs); built != "" && len(flags) == 0 {
		return filepath.Join(built, "gateway"), nil
	}
	// As make build does: linking without debug information takes half the time.
	arguments := append(append([]string{"build", "-ldflags=-s -w"}, flags...), "-o", dir+"/", "./cmd/gateway")
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir = root
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the gateway: %w\n%s", err, out)
	}
	return dir + "/gateway", nil
}

// patience is how long a process may take to start or to end.
const patience = time.Minute

// Gateway is one gateway process, which can be killed, frozen and restarted on
// the same addresses. Its methods are not for concurrent use; Log is.
type Gateway struct {
	// Server and Admin are its host:port.
	Server, Admin string
	// Log is what all its processes write.
	Log *Log
	// Stdout is where they write to instead, but for errors of the start; nil = Log.
	Stdout *os.File

	binary  string
	flags   []string
	environ []string
	process *exec.Cmd
	frozen  bool
}

// NewGateway returns a gateway that is not started. The configuration file
// leaves the addresses and data_dir to it.
func NewGateway(binary, file, dataDir string, environ ...string) (*Gateway, error) {
	server, err1 := FreeAddress()
	admin, err2 := FreeAddress()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	return &Gateway{
		Server: server, Admin: admin, Log: &Log{}, binary: binary, environ: environ,
		flags: []string{
			"run", "-c", file,
			"--set", "server.address=" + server, "--set", "admin.address=" + admin, "--set", "data_dir=" + dataDir,
		},
	}, nil
}

// Start starts the process and waits until it serves.
func (g *Gateway) Start(ctx context.Context) error {
	// Its end is the rig's to choose, so that it is never left half done.
	g.process = exec.CommandContext(context.WithoutCancel(ctx), g.binary, g.flags...)
	g.process.Env = append(os.Environ(), g.environ...)
	g.process.Stdout, g.process.Stderr = g.Log, g.Log
	if g.Stdout != nil {
		g.process.Stdout = g.Stdout
	}
	g.frozen = false
	if err := g.process.Start(); err != nil {
		return fmt.Errorf("start a gateway: %w", err)
	}
	return Await(ctx, patience, "a gateway serves", func() bool { return g.Live(ctx) })
}

// Live reports whether the process answers on its admin server.
func (g *Gateway) Live(ctx context.Context) bool {
	_, err := g.get(ctx, "/livez")
	return err == nil
}

// PID is the id of the process.
func (g *Gateway) PID() int { return g.process.Process.Pid }

// Kill ends the process at once (SIGKILL).
func (g *Gateway) Kill() error {
	if err := g.process.Process.Kill(); err != nil {
		return fmt.Errorf("kill a gateway: %w", err)
	}
	_ = g.process.Wait() // says that it was killed
	return nil
}

// Stop ends the process as an orchestrator would (SIGTERM), and wants it to end
// well.
func (g *Gateway) Stop() error {
	if g.process == nil || g.process.ProcessState != nil {
		return nil
	}
	err := errors.Join(g.Thaw(), g.process.Process.Signal(syscall.SIGTERM))
	late := time.AfterFunc(patience, func() { _ = g.process.Process.Kill() })
	defer late.Stop()
	if err := errors.Join(err, g.process.Wait()); err != nil {
		return fmt.Errorf("stop a gateway: %w", err)
	}
	return nil
}

// Freeze stops the process (SIGSTOP): the kernel still accepts connections for
// it, nothing is answered.
func (g *Gateway) Freeze() error {
	g.frozen = true
	return g.process.Process.Signal(syscall.SIGSTOP)
}

// Thaw lets a frozen process go on.
func (g *Gateway) Thaw() error {
	if !g.frozen {
		return nil
	}
	g.frozen = false
	return g.process.Process.Signal(syscall.SIGCONT)
}

// Metrics returns the text of the admin server's /metrics.
func (g *Gateway) Metrics(ctx context.Context) (Metrics, error) {
	text, err := g.get(ctx, "/metrics")
	return Metrics(text), err
}

// Descriptors returns how many file descriptors the process has open.
func (g *Gateway) Descriptors() (int, error) {
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", g.PID()))
	if err != nil {
		return 0, fmt.Errorf("the descriptors of a gateway: %w", err)
	}
	return len(list), nil
}

// get asks the admin server on a connection of its own.
func (g *Gateway) get(ctx context.Context, path string) (string, error) {
	return Fetch(ctx, "http://"+g.Admin+path)
}

// maxFetched bounds what Fetch reads.
const maxFetched = 8 << 20

// Fetch gets a URL on a connection of its own and wants 200.
func Fetch(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var text strings.Builder
	if _, err := io.Copy(&text, io.LimitReader(resp.Body, maxFetched)); err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("GET %s: %s: %.200s", url, resp.Status, text.String())
	}
	return text.String(), nil
}

// CPU returns how much of the processor the process has used (Linux).
func (g *Gateway) CPU() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", g.PID()))
	if err != nil {
		return 0, fmt.Errorf("the processor time of a gateway: %w", err)
	}
	// The name in parentheses may hold anything (proc_pid_stat(5)).
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const user, system, perSecond = 11, 12, 100
	if len(fields) <= system {
		return 0, fmt.Errorf("the processor time of a gateway: %q", text)
	}
	u, err1 := strconv.Atoi(fields[user])
	s, err2 := strconv.Atoi(fields[system])
	return time.Duration(u+s) * time.Second / perSecond, errors.Join(err1, err2)
}
