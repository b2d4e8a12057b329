package proxy

import (
	"errors"

	"iqgateway/internal/exchange"
)

// failureRow is how one kind of failure looks from outside.
type failureRow struct {
	problem    exchange.ProblemType
	proxyError string // RFC 9209 section 2.3
	detail     string
}

// rowOf returns the row of kind; a kind without one is an internal error.
func rowOf(kind FailureKind) failureRow {
	switch kind {
	case FailedDNS:
		return failureRow{exchange.UpstreamUnreachable, "dns_error", "the name of the upstream could not be resolved; nothing was sent"}
	case FailedRefused:
		return failureRow{exchange.UpstreamUnreachable, "connection_refused", "the upstream refused the connection; nothing was sent"}
	case FailedConnect:
		return failureRow{exchange.UpstreamUnreachable, "destination_ip_unroutable", "no connection to the upstream could be made; nothing was sent"}
	case FailedConnectTime:
		return failureRow{exchange.UpstreamTimeout, "connection_timeout", "no connection to the upstream within timeouts.connect; nothing was sent"}
	case FailedTLS:
		return failureRow{exchange.UpstreamTLS, "tls_protocol_error", "the TLS handshake with the upstream failed; nothing was sent"}
	case FailedProhibited:
		return failureRow{exchange.DestinationProhibited, "destination_ip_prohibited", "the upstream's name leads to an address that this gateway never calls; nothing was sent"}
	case FailedHeaderTime:
		return failureRow{exchange.UpstreamTimeout, "http_response_timeout", "the upstream gave no answer within timeouts.response_header"}
	case FailedUploadIdle:
		return failureRow{exchange.UpstreamTimeout, "connection_write_timeout", "the upstream took nothing of the request for timeouts.body_idle"}
	case FailedReset:
		return failureRow{exchange.UpstreamUnreachable, "connection_terminated", "the connection, or the request's stream on it, ended before an answer came"}
	case FailedProtocol:
		return failureRow{exchange.UpstreamProtocol, "http_protocol_error", "the upstream's answer was not well-formed HTTP"}
	case FailedDeadline:
		return failureRow{exchange.UpstreamTimeout, "http_response_timeout", "the deadline of the request passed before an answer came"}
	case FailedCallerTime:
		return failureRow{exchange.UpstreamTimeout, "http_response_timeout", "the deadline that the request itself has set (X-Request-Timeout-Ms) passed before an answer came"}
	default:
		return failureRow{exchange.InternalError, "proxy_internal_error", "the gateway failed on this request"}
	}
}

// proxyError returns the error token of p: that of the failure behind it when
// there is one, else that of its type.
func (e *Errors) proxyError(p *exchange.Problem) string {
	var f *failure
	if errors.As(p.Err, &f) && p.Type == rowOf(f.kind).problem {
		switch {
		case f.kind == FailedTLS && isCertificateError(f.err):
			return "tls_certificate_error"
		case f.kind == FailedTLS && alertOf(f.err) != nil:
			return "tls_alert_received"
		}
		return rowOf(f.kind).proxyError
	}
	return e.spec(p.Type).ProxyError
}
