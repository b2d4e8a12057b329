package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"
)

// Source is where certificates come from. Its methods are safe for concurrent
// use.
type Source interface {
	// Certificate is a [GetCertificate].
	Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error)
	// Certificates tells what is served now.
	Certificates() []Status
	// Run keeps the certificates renewed until ctx ends.
	Run(ctx context.Context)
}

// Status is one certificate that is served, or should be.
type Status struct {
	// Certificate is its name in the configuration.
	Certificate string
	// Source is files, acme or self_signed.
	Source string
	// Names that it is valid for.
	Names []string
	// NotAfter is when it ends; zero = there is none yet.
	NotAfter time.Time
	// Err is why there is none, or why what should follow it cannot be used.
	Err error
}

// ErrNone says that there is no certificate yet.
var ErrNone = errors.New("there is no certificate yet")

// Trouble returns what is wrong with it; nil = nothing.
func (s Status) Trouble(now time.Time) error {
	switch {
	case s.Err != nil:
		return fmt.Errorf("%s: %w", s.Certificate, s.Err)
	case s.NotAfter.IsZero():
		return fmt.Errorf("%s: %w", s.Certificate, ErrNone)
	case !now.Before(s.NotAfter):
		return fmt.Errorf("%s expired on %s", s.Certificate, s.NotAfter.Format(time.DateOnly))
	default:
		return nil
	}
}

// Trouble returns what is wrong with all of them together; nil = nothing.
func Trouble(all []Status, now time.Time) error {
	var problems []error
	for _, s := range all {
		problems = append(problems, s.Trouble(now))
	}
	return errors.Join(problems...)
}

// Present reports whether there is anything to serve; an expired certificate
// still tells a client whom it is talking to.
func Present(all []Status) bool {
	for _, s := range all {
		if !s.NotAfter.IsZero() {
			return true
		}
	}
	return false
}
