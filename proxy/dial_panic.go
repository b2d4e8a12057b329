package proxy

import (
	"context"
	"errors"
	"net"

	"iqgateway/internal/steady"
)

// dialPanicError carries a panic out of the goroutine in which the transport
// dials, where it would end the process, to the request's own.
type dialPanicError struct {
	value any
	stack []byte
}

// Error implements error.
func (e *dialPanicError) Error() string { return "panic while connecting" }

// Thrown returns the panic itself, for the log.
func (e *dialPanicError) Thrown() (value any, stack []byte) { return e.value, e.stack }

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// guarded makes a panic of dial an error.
func guarded(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		steady.Try(func() { conn, err = dial(ctx, network, address) }, func(value any, stack []byte) {
			conn, err = nil, &dialPanicError{value, stack}
		})
		return conn, err
	}
}

// rethrowDial panics in the caller's goroutine if its dial has.
func rethrowDial(err error) {
	if thrown, ok := errors.AsType[*dialPanicError](err); ok {
		panic(thrown)
	}
}
