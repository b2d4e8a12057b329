package proxy

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// Error codes of HTTP/2 (RFC 9113 section 7).
const (
	protocolError      = 0x1
	flowControlError   = 0x3
	frameSizeError     = 0x6
	refusedStream      = 0x7
	compressionError   = 0x9
	enhanceYourCalm    = 0xb
	inadequateSecurity = 0xc
	http11Required     = 0xd
)

// isStreamReset reports whether an HTTP/2 server has ended the stream of a request
// without a word against the request, or against us. Of codes that nobody knows
// the same holds as of INTERNAL_ERROR (RFC 9113 section 7).
func isStreamReset(err error) bool {
	reset, ok := errors.AsType[streamError](err)
	if !ok || reset.Cause == nil || reset.Cause.Error() != "received from peer" { // else it is net/http that does not like the answer
		return false
	}
	switch reset.Code {
	case protocolError, flowControlError, frameSizeError, compressionError, enhanceYourCalm, inadequateSecurity, http11Required:
		return false
	}
	return true
}

// isConnectionEnd reports whether err is that of a connection that has ended.
func isConnectionEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, net.ErrClosed) || isClosedByServer(err)
}
