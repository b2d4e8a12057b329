package proxy

import (
	"crypto/tls"
	"errors"
	"net"
)

// certificateAlerts are those with which a server refuses a client's
// certificate, or the lack of one (RFC 8446 section 6.2).
func certificateAlerts() []tls.AlertError { return []tls.AlertError{42, 43, 44, 45, 46, 48, 49, 116} }

// refusesCertificate reports whether the upstream did not take our certificate.
// With TLS 1.3 it says so when our side of the handshake has long ended, in place
// of the first answer: the request was on its way, but never looked at.
func (e evidence) refusesCertificate() bool {
	alert := alertOf(e.err)
	if alert == nil || e.reused {
		return false
	}
	for _, code := range certificateAlerts() {
		if alert.Error() == code.Error() {
			return true
		}
	}
	return false
}

// alertOf returns the TLS alert that the other side has sent; nil for none.
func alertOf(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		return op.Err
	}
	return nil
}
