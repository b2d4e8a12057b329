package slow

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync/atomic"
)

// The ways of being slow.
const (
	Silent   = "silent"   // the connection is open, nothing is asked
	Header   = "header"   // a header, one byte a second
	Body     = "body"     // a body, one byte a second
	Unread   = "unread"   // an answer that is not read
	OneByte  = "one byte" // the TLS handshake stops after its first byte
	NoWindow = "window"   // HTTP/2: 250 requests whose answers get no window
)

// Group is some clients that are slow in the same way.
type Group struct {
	Kind  string
	HTTP2 bool
	Count int
}

// Crowd is what a process of slow clients shall be.
type Crowd struct {
	// Address is the gateway's, host:port.
	Address string
	// CA is the certificate that the gateway's must chain to, in PEM.
	CA string
	// Source is the IP address that the clients have.
	Source string
	// Key is a caller's.
	Key string
	// Download and Upload are paths: of an answer too large for the buffers of
	// a connection, and of what takes a body.
	Download, Upload string
	Groups           []Group
	// Humble is as in [Tool].
	Humble bool
}

// crowdVariable holds the Crowd that a process shall be, as JSON.
const crowdVariable = "SLOW_CROWD"

// progress is what the process of a crowd tells, a line each.
type progress struct {
	Ready, Failed int
	Error         string
}

// Process is a running crowd.
type Process struct {
	command *exec.Cmd
	stdin   io.Closer
	read    chan struct{} // closed when its output has ended
	ready   atomic.Int64
	failed  atomic.Int64
	failure atomic.Pointer[string]
}

// Start starts this program again as a crowd. Its [Main] must be called first.
func (c Crowd) Start(ctx context.Context) (*Process, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("a crowd: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("a crowd: %w", err)
	}
	p := &Process{command: exec.CommandContext(context.WithoutCancel(ctx), self), read: make(chan struct{})}
	if c.Humble {
		p.command = exec.CommandContext(context.WithoutCancel(ctx), "nice", "-n", "19", self)
	}
	p.command.Env = append(os.Environ(), crowdVariable+"="+string(text))
	p.command.Stderr = os.Stderr
	stdin, err1 := p.command.StdinPipe()
	stdout, err2 := p.command.StdoutPipe()
	if err := errors.Join(err1, err2, p.command.Start()); err != nil {
		return nil, fmt.Errorf("a crowd: %w", err)
	}
	p.stdin = stdin
	go p.follow(stdout)
	return p, nil
}

func (p *Process) follow(out io.Reader) {
	defer close(p.read)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var now progress
		if err := json.Unmarshal(lines.Bytes(), &now); err != nil {
			now.Error = fmt.Sprintf("%v: %s", err, lines.Text())
		}
		p.ready.Store(int64(now.Ready))
		p.failed.Store(int64(now.Failed))
		if now.Error != "" {
			p.failure.Store(&now.Error)
		}
	}
}

// Ready returns how many of its clients have come to where they are slow.
func (p *Process) Ready() int { return int(p.ready.Load()) }

// Tried returns how many of its clients have come there or failed to.
func (p *Process) Tried() int { return p.Ready() + int(p.failed.Load()) }

// Err tells of a client that could not get there.
func (p *Process) Err() error {
	if text := p.failure.Load(); text != nil {
		return errors.New(*text)
	}
	return nil
}

// End closes all its connections and waits for its end. Further calls do
// nothing.
func (p *Process) End() error {
	if p.command.ProcessState != nil {
		return nil
	}
	p.stdin.Close()
	<-p.read
	if err := p.command.Wait(); err != nil {
		return fmt.Errorf("a crowd: %w", err)
	}
	return nil
}

// Main makes this process a crowd where [Crowd.Start] has started it, and
// reports whether it was one. It returns when the standard input ends.
func Main(ctx context.Context, in io.Reader, out io.Writer) (bool, error) {
	text, ok := os.LookupEnv(crowdVariable)
	if !ok {
		return false, nil
	}
	var c Crowd
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return true, fmt.Errorf("%s: %w", crowdVariable, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, in) // its end is all it tells
	}()
	return true, c.run(ctx, json.NewEncoder(out))
}
