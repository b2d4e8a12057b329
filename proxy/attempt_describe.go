package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// egressError is what the gateway itself has to say about its egress proxy.
type egressError string

// Error implements error.
func (e egressError) Error() string { return string(e) }

// describe says in the gateway's own words what err of net/http is about. Such
// errors quote what they cannot read: a broken header line of an upstream that
// echoes the request holds the token. Names and addresses are those that were
// configured or dialled.
func describe(err error) string {
	for _, own := range [...]error{
		errTotal, errBodyIdle, errUploadIdle, errTooManyInterim, errUnprocessed, errSpoilt, errSlowUpload, errRevoked,
		errPoolClosed, errCut,
	} {
		if errors.Is(err, own) {
			return own.Error()
		}
	}
	if deadline, ok := errors.AsType[callerDeadlineError](err); ok {
		return deadline.Error()
	}
	if fault, ok := errors.AsType[*ClientBodyError](err); ok {
		return fault.Error()
	}
	if text := describeConnect(err); text != "" {
		return text
	}
	return describeExchange(err)
}

// describeConnect knows the errors of making a connection, "" for others.
func describeConnect(err error) string {
	if refused, ok := errors.AsType[*prohibitedError](err); ok {
		return refused.Error()
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return "the name " + strconv.Quote(dns.Name) + " does not resolve (not found: " + strconv.FormatBool(dns.IsNotFound) +
			", timeout: " + strconv.FormatBool(dns.IsTimeout) + ")"
	}
	if egress, ok := errors.AsType[egressError](err); ok {
		return egress.Error()
	}
	if text := describeTLS(err); text != "" {
		return text
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Addr != nil && op.Op == "dial" {
		return "dial " + op.Addr.String() + ": " + describeSystem(op.Err)
	}
	return ""
}

// describeTLS keeps the names in certificates out, which the other side chooses.
func describeTLS(err error) string {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var verification *tls.CertificateVerificationError
	switch {
	case errors.As(err, &authority):
		return "the certificate comes from an unknown authority"
	case errors.As(err, &name):
		return "the certificate is for another name than " + strconv.Quote(name.Host)
	case errors.As(err, &invalid):
		return "the certificate is invalid (x509 reason " + strconv.Itoa(int(invalid.Reason)) + ": expired is " + strconv.Itoa(int(x509.Expired)) + ")"
	case errors.As(err, &verification):
		return "the certificate is not trusted"
	case errors.As(err, &record):
		return "the other side does not speak TLS"
	case errors.As(err, &alert):
		return alert.Error() // from a list of the standard library
	}
	return ""
}

// describeExchange knows the errors of a connection that stood.
func describeExchange(err error) string {
	refused, isStream := errors.AsType[streamError](err)
	switch {
	case isTimeout(err):
		return "no answer in time"
	case errors.Is(err, context.Canceled):
		return "the request was cancelled"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection ended before the answer did"
	case isClosedByServer(err), errors.Is(err, net.ErrClosed):
		return "the connection was closed"
	case isStream:
		return "HTTP/2 stream error, code " + strconv.FormatUint(uint64(refused.Code), 10)
	case isUnprocessed(err):
		return "the upstream did not process the request (HTTP/2)"
	}
	if text := describeSystem(err); text != "" {
		return text
	}
	return describeProtocol(err)
}

// describeSystem names the error of a system call, "" when there is none.
func describeSystem(err error) string {
	number, ok := errors.AsType[syscall.Errno](err)
	if !ok {
		if isTimeout(err) {
			return "timeout"
		}
		return ""
	}
	if call, ok := errors.AsType[*os.SyscallError](err); ok {
		return call.Syscall + ": " + number.Error()
	}
	return number.Error()
}

// describeProtocol says what was wrong with an answer: by the words with which
// net/http begins, never by those that follow.
func describeProtocol(err error) string {
	text := err.Error()
	for _, known := range [...]string{
		"malformed HTTP response", "malformed HTTP version", "malformed HTTP status code", "malformed MIME header",
		"server response headers exceeded", "unsupported transfer encoding", "too many transfer encodings",
		"bad Content-Length", "invalid Content-Length", "multiple Content-Length", "malformed chunked encoding",
		"invalid byte in chunk length", "chunked line ends", "suspiciously long trailer", "unexpected EOF reading trailer",
		"HTTP/1.x transport connection broken", "http2: response", "http2: invalid", "GOAWAY",
	} {
		if strings.Contains(text, known) {
			return "no usable answer: " + known
		}
	}
	return fmt.Sprintf("no usable answer (%T)", rootOf(err))
}

// rootOf returns the innermost error, whose type says most: of several that were
// joined, that of the last, which is the one of net/http.
func rootOf(err error) error {
	for {
		inner := errors.Unwrap(err)
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			if all := joined.Unwrap(); len(all) > 0 {
				inner = all[len(all)-1]
			}
		}
		if inner == nil {
			return err
		}
		err = inner
	}
}
