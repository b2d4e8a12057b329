package fleet

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"iqgateway/internal/steady"
)

// ErrKind is the error of a command that this replica has no handler for.
var ErrKind = errors.New("no such kind of command here")

// execute runs one command's handler; a panic in it is an error.
func (f *Fleet) execute(ctx context.Context, c Command) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	begin := time.Now()
	stack, err := f.call(ctx, c)
	done := Execution{ID: c.ID, Kind: c.Kind, From: c.From, Duration: time.Since(begin), Err: err, Stack: stack}
	steady.Try(func() { f.o.Hooks.executed(done) }, f.o.Hooks.panicked) // it is done all the same, and must not be done again
	return err
}

func (f *Fleet) call(ctx context.Context, c Command) (stack []byte, err error) {
	if c.Err != nil {
		return nil, c.Err
	}
	handle := f.o.Handle[c.Kind]
	if handle == nil {
		return nil, fmt.Errorf("%q: %w", c.Kind, ErrKind)
	}
	defer func() {
		if v := recover(); v != nil {
			stack, err = debug.Stack(), fmt.Errorf("panic in the handler of %q: %v", c.Kind, v)
		}
	}()
	return nil, handle(ctx, c.Payload)
}
