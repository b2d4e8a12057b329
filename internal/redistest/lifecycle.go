package redistest

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// Running says whether the process exists, frozen or not.
func (s *Server) Running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process.running()
}

// Stop ends the server gracefully (SIGTERM) and waits until it is gone; its
// data is gone too. A frozen server is thawed first.
func (s *Server) Stop() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.signal(syscall.SIGCONT)
	if err == nil {
		err = s.signal(syscall.SIGTERM)
	}
	if err == nil {
		err = s.process.gone(patience)
	}
	s.report("stop", err)
}

// Kill ends the server at once (SIGKILL), frozen or not, and waits until it is
// gone. It does nothing to a server that is not running.
func (s *Server) Kill() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report("kill", s.process.kill())
}

// Start starts a stopped or killed server again, empty, on its port, and waits
// until it answers. What it answers may be that its cluster is down: that
// takes longer, see [Shards.Settle] and [Trio.Settle].
func (s *Server) Start() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report("start", s.restart())
}

func (s *Server) restart() error {
	if s.process.running() {
		return errors.New("it is running already")
	}
	ctx, cancel := bounded(s.t)
	defer cancel()
	// Only the kernel or another test's choice of ports can be in the way, for
	// a moment.
	return await(ctx, 100*time.Millisecond, s.launch)
}

// Freeze stops the process (SIGSTOP): connections are still accepted by the
// kernel, nothing is answered. It returns when the process stands still.
func (s *Server) Freeze() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.signal(syscall.SIGSTOP)
	if err == nil {
		err = s.standsStill()
	}
	s.report("freeze", err)
}

func (s *Server) standsStill() error {
	ctx, cancel := bounded(s.t)
	defer cancel()
	return await(ctx, time.Millisecond, func(context.Context) error {
		still, err := stopped(s.process.pid())
		if err == nil && !still {
			err = fmt.Errorf("process %d still runs", s.process.pid())
		}
		return err
	})
}

// Thaw lets a frozen process go on (SIGCONT); it then answers what has
// arrived meanwhile. It does nothing to a server that is not frozen.
func (s *Server) Thaw() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report("thaw", s.signal(syscall.SIGCONT))
}
