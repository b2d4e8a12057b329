package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"syscall"

	"iqgateway/internal/exchange"
)

// FailureKind says why an attempt failed, in words that fit a metric label.
type FailureKind string

// Every way in which an attempt ends, beside a complete answer ("").
const (
	FailedNot         FailureKind = ""
	FailedDNS         FailureKind = "dns"
	FailedRefused     FailureKind = "refused"
	FailedConnect     FailureKind = "connect"         // no route, no proxy
	FailedConnectTime FailureKind = "connect_timeout" // TCP or TLS took too long
	FailedTLS         FailureKind = "tls"
	FailedProhibited  FailureKind = "prohibited"
	FailedHeaderTime  FailureKind = "header_timeout"
	FailedReset       FailureKind = "reset" // ended before an answer's header
	FailedProtocol    FailureKind = "protocol"
	FailedUploadIdle  FailureKind = "upload_idle"     // the upstream stopped taking the request
	FailedBodyIdle    FailureKind = "body_idle"       // the answer stalled
	FailedBody        FailureKind = "body"            // the answer broke off
	FailedDeadline    FailureKind = "deadline"        // timeouts.total
	FailedCallerTime  FailureKind = "caller_deadline" // X-Request-Timeout-Ms: says nothing about the upstream
	FailedCallerBody  FailureKind = "caller_body"
	FailedCallerGone  FailureKind = "caller_gone"
	FailedInternal    FailureKind = "internal"
)

// failure is the private cause of a problem that an attempt returns: its kind,
// for metrics and Proxy-Status, and the error of net/http, which is for errors.As alone.
type failure struct {
	kind   FailureKind
	err    error
	unsent bool
	kept   bool // the connection had served before, and ended
}

// Error implements error. Its text is the gateway's own: see describe.
func (f *failure) Error() string { return string(f.kind) + ": " + describe(f.err) }

// Failure returns its kind to packages that do not know this one.
func (f *failure) Failure() string { return string(f.kind) }

// Unwrap returns the cause.
func (f *failure) Unwrap() error { return f.err }

// NothingSent reports whether no part of the request has left this machine, or
// the upstream has declared that it did not look at it: what the attempt had
// taken for it can be given back. Stages above find it with [errors.As].
func (f *failure) NothingSent() bool { return f.unsent }

// OnKeptConnection reports whether the attempt was lost with a connection that had
// served before: it may have been dead for a while, which says little about the
// upstream. Stages above find it with [errors.As].
func (f *failure) OnKeptConnection() bool { return f.kept }

// KindOf returns why an attempt failed, FailedNot for errors of other stages.
func KindOf(err error) FailureKind {
	if f, ok := errors.AsType[*failure](err); ok {
		return f.kind
	}
	return FailedNot
}

// evidence is what an attempt knows about itself when net/http returns err.
type evidence struct {
	err       error
	body      error // why reading the caller's body failed, nil if it did not
	cause     error // why the attempt's context ended, nil if it did not
	connected bool  // there was a connection, TLS included
	reused    bool  // it had served before
	sent      bool  // a part of the request may have left this machine
	write     bool  // the request changes something
	https     bool
}

// classify says what kind of failure the evidence shows. The caller's own
// deeds come first: an aborted upload also looks like a broken connection.
func classify(e evidence) FailureKind {
	_, panicked := errors.AsType[*bodyPanicError](e.body)
	switch {
	case panicked:
		return FailedInternal
	case e.body != nil && !isDeadline(e.body):
		return FailedCallerBody
	case errors.Is(e.cause, errTooManyInterim):
		return FailedProtocol
	case errors.Is(e.cause, errUnprocessed):
		return FailedReset
	case errors.Is(e.cause, errUploadIdle):
		return FailedUploadIdle
	case isDeadline(e.cause):
		return classifyDeadline(e.cause)
	case e.cause != nil:
		return FailedCallerGone
	case errors.Is(e.err, errProhibited):
		return FailedProhibited
	case !e.connected:
		return classifyConnect(e)
	case e.refusesCertificate():
		return FailedTLS
	default:
		return classifyExchange(e.err)
	}
}

// isDeadline reports whether a context ended because time was up.
func isDeadline(cause error) bool {
	return errors.Is(cause, errTotal) || errors.Is(cause, context.DeadlineExceeded)
}

// classifyDeadline tells the time that the caller gives from that which the
// service may take: a caller in a hurry is not the upstream's fault.
func classifyDeadline(cause error) FailureKind {
	if _, own := errors.AsType[callerDeadlineError](cause); own {
		return FailedCallerTime
	}
	return FailedDeadline
}

// classifyConnect judges failures before there was a connection.
func classifyConnect(e evidence) FailureKind {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(e.err, &dns):
		return FailedDNS
	case isCertificateError(e.err):
		return FailedTLS
	case isTimeout(e.err):
		return FailedConnectTime
	case errors.Is(e.err, syscall.ECONNREFUSED):
		return FailedRefused
	case errors.As(e.err, &op) && (op.Op == "dial" || op.Op == "proxyconnect"), !e.https:
		return FailedConnect
	default:
		return FailedTLS // all that is left between the connection and the request
	}
}

// classifyExchange judges failures on a connection that stood.
func classifyExchange(err error) FailureKind {
	switch {
	case isWriteTimeout(err):
		return FailedUploadIdle
	case isTimeout(err):
		return FailedHeaderTime
	case isConnectionEnd(err), isStreamReset(err), isUnprocessed(err):
		return FailedReset
	default:
		return FailedProtocol
	}
}

// isClosedByServer knows three errors of net/http that have no other mark than
// their text.
func isClosedByServer(err error) bool {
	text := err.Error()
	return strings.Contains(text, "server closed idle connection") ||
		strings.Contains(text, "client connection lost") ||
		strings.Contains(text, "http2: server sent GOAWAY and closed the connection")
}

// isUnprocessed reports whether an HTTP/2 server has said that it did not and
// will not look at the request: REFUSED_STREAM, or a GOAWAY that excludes it
// (RFC 9113 sections 6.8 and 8.7). For a request with a body, net/http hides
// those errors in the text that begins as below, and only those.
func isUnprocessed(err error) bool {
	if refused, ok := errors.AsType[streamError](err); ok {
		return refused.Code == refusedStream
	}
	return strings.Contains(err.Error(), "http2: Transport: cannot retry err [") || isUnwritten(err)
}

// isUnwritten knows the error with which net/http gives up a request that it
// could not write, such as on an HTTP/2 connection with all of its streams in
// use: it would take another connection, and cannot open the body again.
func isUnwritten(err error) bool {
	return strings.Contains(err.Error(), "net/http: cannot rewind body after connection loss")
}

// streamError has the shape by which net/http's own HTTP/2 stream errors can be
// taken out of an error chain.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

// Error implements error.
func (e streamError) Error() string { return "HTTP/2 stream error" }

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// isWriteTimeout knows the end of a write that the upstream did not take.
func isWriteTimeout(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "write" && op.Timeout()
}

func isCertificateError(err error) bool {
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var authority x509.UnknownAuthorityError
	return errors.As(err, &verification) || errors.As(err, &record) ||
		errors.As(err, &alert) || errors.As(err, &authority)
}

// problem is the answer to the caller. Its public text holds nothing that the
// upstream or a library said: such texts repeat bytes of either side.
func (e evidence) problem(service string) error {
	kind := classify(e)
	if kind == FailedCallerBody {
		return e.callerBodyProblem()
	}
	if kind == FailedCallerGone {
		return &failure{kind: kind, err: ErrCallerGone, unsent: !e.sent}
	}
	cause := e.err
	if e.cause != nil {
		cause = errors.Join(e.cause, e.err)
	}
	row := rowOf(kind)
	if kind == FailedTLS && e.refusesCertificate() {
		row.detail = "the upstream refused the gateway's client certificate, or asks for one (upstream_tls); the request was not looked at"
	}
	p := exchange.Refuse(row.problem, service+": "+row.detail).Because(&failure{
		kind: kind, err: cause, unsent: !e.sent,
		kept: e.reused && kind == FailedReset && isConnectionEnd(e.err),
	})
	p.Outcome = e.outcome()
	return p
}

// outcome says what an application may conclude. Requests that change nothing
// need no word.
func (e evidence) outcome() exchange.Outcome {
	switch {
	case !e.write:
		return exchange.OutcomeNone
	case e.sent:
		return exchange.OutcomeUnknown
	default:
		return exchange.NotExecuted
	}
}

// callerBodyProblem answers a caller whose own body could not be read to its
// end. Of a body that breaks off the upstream has no whole message (RFC 9112
// section 8), but HTTP does not forbid it to act on a part of one: only when
// nothing was sent is it certain that nothing was executed.
func (e evidence) callerBodyProblem() error {
	fault, ok := errors.AsType[*ClientBodyError](e.body)
	limit, isLimit := errors.AsType[*exchange.Problem](e.body) // the service's own
	switch {
	case isLimit:
		fault = &ClientBodyError{Type: limit.Type, Err: limit}
	case !ok:
		fault = &ClientBodyError{Type: exchange.MalformedRequest, Err: e.body}
	}
	p := fault.Problem()
	if isLimit {
		p.Detail = limit.Detail
	}
	p.Err = &failure{kind: FailedCallerBody, err: fault, unsent: !e.sent}
	p.Outcome = e.outcome()
	return p
}
