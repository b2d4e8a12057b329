package redistest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// A process is one run of a server.
type process struct {
	command *exec.Cmd
	ended   chan struct{} // closed when it has ended and was reaped
}

// launch starts redis-server with the configuration file; its output is
// appended to the log file.
func launch(ctx context.Context, configuration, logPath string, arguments ...string) (*process, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errNotInstalled
	}
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has its own

	command := exec.CommandContext(context.WithoutCancel(ctx), program, append([]string{configuration}, arguments...)...)
	command.Dir = filepath.Dir(configuration)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = attributes()

	p := &process{command: command, ended: make(chan struct{})}
	started := make(chan error, 1)
	go p.run(started)
	return p, <-started
}

// run starts the process and waits for its end on one operating-system thread:
// Linux ties the signal at the parent's death to the thread that started the
// child, so that thread must live as long as the child.
func (p *process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.ended)
	err := p.command.Start()
	started <- err
	if err != nil {
		return
	}
	_ = p.command.Wait() // how it ended stands in ProcessState
}

func (p *process) pid() int { return p.command.Process.Pid }

func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// kill ends it at once, frozen or not, and waits until it is gone.
func (p *process) kill() error {
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	return p.gone(patience)
}

func (p *process) signal(signal syscall.Signal) error {
	err := p.command.Process.Signal(signal)
	if err == nil || errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return fmt.Errorf("signal %v to process %d: %w", signal, p.pid(), err)
}

func (p *process) gone(within time.Duration) error {
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-p.ended:
		return nil
	case <-timer.C:
		return fmt.Errorf("process %d has not ended within %v", p.pid(), within)
	}
}
