package proxy

import (
	"context"
	"errors"
	"io"

	"iqgateway/internal/exchange"
)

// ErrCallerGone is why a request or answer was cut when the caller left. It
// wraps [context.Canceled], so that the access log can tell (status 499).
var ErrCallerGone = callerGone()

func callerGone() error {
	return &abortError{"the caller left before the answer was complete", context.Canceled}
}

// abortError is the reason for cutting a started answer.
type abortError struct {
	text string
	err  error
}

// Error implements error.
func (e *abortError) Error() string {
	if e.err == nil || errors.Is(e.err, context.Canceled) {
		return e.text
	}
	return e.text + ": " + e.err.Error()
}

// Unwrap returns the cause.
func (e *abortError) Unwrap() error { return e.err }

// responseBody tells the exchange why an answer ended before its end. It is
// read and closed by the goroutine that serves the request.
type responseBody struct {
	io.ReadCloser
	exchange *exchange.Exchange
	caller   context.Context //nolint:containedctx // lives exactly as long as the request
	over     bool
}

// Read implements [io.Reader].
func (b *responseBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !b.over {
		b.over = true
		if err != io.EOF {
			b.exchange.Aborted = abortReason(b.caller, err)
		}
	}
	return n, err
}

// Close implements [io.Closer]. A body closed before its end means that
// writing to the caller failed.
func (b *responseBody) Close() error {
	if !b.over {
		b.over = true
		b.exchange.Aborted = goneReason(b.caller)
	}
	return b.ReadCloser.Close()
}

// abortReason says why reading an answer failed.
func abortReason(caller context.Context, err error) error {
	if errors.Is(context.Cause(caller), context.Canceled) {
		return goneReason(caller)
	}
	return &abortError{"the upstream's answer broke off", err}
}

// goneReason says who broke off: the caller, or this gateway as it ended.
func goneReason(caller context.Context) error {
	if errors.Is(context.Cause(caller), errCut) {
		return errCut
	}
	return ErrCallerGone
}
