package main

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"time"

	"iqgateway/certs"
	"iqgateway/observability"
)

// This file turns what certificates report into metrics and log lines.

func (g *gateway) certHooks() certs.Hooks {
	return certs.Hooks{Changed: g.stores.certificateChanged, Panicked: g.stores.certificatesPanicked}
}

func (s *stores) certificateChanged(e certs.Event) {
	s.auditRotation("certificate "+e.Certificate, e.Err)
	s.metrics.CertificateLoaded(context.Background(), e.Source, string(e.Outcome))
	attrs := []slog.Attr{slog.String("certificate", e.Certificate), slog.String("source", e.Source)}
	if len(e.Names) > 0 {
		attrs = append(attrs, slog.Any("names", e.Names))
	}
	if !e.NotAfter.IsZero() {
		attrs = append(attrs, slog.Time("expires", e.NotAfter))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	switch e.Outcome {
	case certs.Loaded:
		s.event(slog.LevelInfo, "a new certificate is in use", attrs...)
	case certs.Obtained:
		s.event(slog.LevelInfo, "the CA has issued a certificate", attrs...)
	case certs.Refused:
		s.event(slog.LevelError, "new certificate files cannot be used, the last ones stay", attrs...)
	case certs.Expired:
		s.event(slog.LevelError, "a certificate has expired, and nothing has replaced it", attrs...)
	case certs.Failed:
		s.event(slog.LevelError, "no certificate from the CA; what there is stays in use, and it is tried again", attrs...)
	}
}

func (s *stores) certificateDiscarded(field, reason string) { s.valueDiscarded("certs-"+field, reason) }

func (s *stores) certificatesPanicked(value any, stack []byte) {
	s.panicked(context.Background(), "panic in the keeping of certificates", value, stack)
}

// handshakeFailed counts failures at a listener, and has those of a client's
// certificate audited: no request comes of them that could be.
func (s *stores) handshakeFailed(listener string) func(net.Addr, error) {
	return func(peer net.Addr, err error) {
		if _, is := errors.AsType[*tls.CertificateVerificationError](err); !is {
			s.metrics.HandshakeFailed(context.Background(), observability.HandshakeOther)
			return
		}
		s.metrics.HandshakeFailed(context.Background(), observability.HandshakeCertificate)
		s.audit.Note(observability.AuditRecord{
			Event: observability.AuditHandshake, Result: observability.AuditRefused, Reason: "certificate", Peer: peer.String(),
			Details: map[string]string{"listener": listener, "error": err.Error()},
		})
	}
}

// observeCertificates has the gauges read what is served, or should be.
func (g *gateway) observeCertificates() error {
	return g.stores.metrics.ObserveCertificates(func() []observability.CertificateState {
		var states []observability.CertificateState
		for _, c := range g.certificates.statuses() {
			states = append(states, observability.CertificateState{Certificate: c.Certificate, NotAfter: c.NotAfter, Trouble: c.Trouble(time.Now()) != nil})
		}
		for _, r := range g.certificates.roots {
			states = append(states, observability.CertificateState{Certificate: r.Name(), Trouble: r.Trouble() != nil})
		}
		return states
	})
}
