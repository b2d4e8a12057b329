package proxy

import (
	"errors"
	"io"
	"net"

	"iqgateway/internal/exchange"
)

// ClientBodyError is what a read of the caller's request body returns when the
// body itself is at fault: broken framing, more bytes than allowed, no
// progress, or a caller that left. It travels through http.Transport unchanged
// (find it with errors.As), so that the fault of a caller is never booked as
// one of the upstream.
type ClientBodyError struct {
	Type exchange.ProblemType // MalformedRequest, BodyTooLarge or RequestTimeout
	Err  error                // what the server's reader said
}

// Error implements error. It repeats nothing of the reader's error, which may
// quote the body.
func (e *ClientBodyError) Error() string {
	text := "malformed"
	switch {
	case errors.Is(e.Err, errSlowUpload):
		text = errSlowUpload.Error()
	case e.Type == exchange.BodyTooLarge:
		text = "too large"
	case e.Type == exchange.RequestTimeout:
		text = "no progress"
	case !isBodyFault(e):
		text = "the connection ended"
	}
	return "caller's request body: " + text
}

// Unwrap returns the reader's error.
func (e *ClientBodyError) Unwrap() error { return e.Err }

// Problem returns the answer to the caller. An HTTP/1 connection is closed:
// where the body ends, and the next request begins, is not known.
func (e *ClientBodyError) Problem() *exchange.Problem {
	p := exchange.Refuse(e.Type, clientBodyDetail(e.Type)).Because(e)
	p.Close = true
	return p
}

func clientBodyDetail(t exchange.ProblemType) string {
	switch t {
	case exchange.BodyTooLarge:
		return "the request body is larger than this gateway accepts; send less at once"
	case exchange.RequestTimeout:
		return "the request body made no progress for too long; the gateway gave up waiting for its rest"
	default:
		return "the request body is broken (a malformed chunk, or fewer bytes than announced)"
	}
}

// isBodyFault reports whether err is about the body of a caller who is still
// there: not when the body broke off because the connection did.
func isBodyFault(err error) bool {
	if p, ok := errors.AsType[*exchange.Problem](err); ok && p.Type == exchange.BodyTooLarge {
		return true
	}
	fault, ok := errors.AsType[*ClientBodyError](err)
	if !ok {
		return false
	}
	if fault.Type != exchange.MalformedRequest {
		return true
	}
	_, lost := errors.AsType[net.Error](fault.Err)
	return !lost && !isStreamEnd(err) && !errors.Is(fault.Err, io.ErrUnexpectedEOF) && !errors.Is(fault.Err, io.EOF)
}

// isStreamEnd reports whether a body broke off because its HTTP/2 stream, or the
// connection of that, has ended: nobody is there to be answered. The context of
// the request may end a moment later.
func isStreamEnd(err error) bool {
	fault, ok := errors.AsType[*ClientBodyError](err)
	if !ok || fault.Err == nil || fault.Type != exchange.MalformedRequest {
		return false
	}
	_, reset := errors.AsType[streamError](fault.Err)
	return reset || fault.Err.Error() == "client disconnected" // net/http's error has no other mark
}
