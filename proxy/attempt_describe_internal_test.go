package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestDescribe(t *testing.T) {
	quoted := func(err error) error { return fmt.Errorf("CAN_AT: %w", err) }
	refused := &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(netip.MustParseAddrPort("10.1.2.3:443")), Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	certified := func(err error) error { return &tls.CertificateVerificationError{Err: err} }
	tests := []struct {
		err  error
		want string
	}{
		{errors.Join(errTotal, errors.New("CAN_AT")), errTotal.Error()},
		{quoted(errSpoilt), errSpoilt.Error()},
		{quoted(callerDeadlineError{time.Second}), "X-Request-Timeout-Ms"},
		{&net.DNSError{Name: "crm.example.test", Err: "CAN_AT", IsNotFound: true}, `the name "crm.example.test" does not resolve (not found: true, timeout: false)`},
		{quoted(refused), "dial 10.1.2.3:443: connect: connection refused"},
		{&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, "read: connection reset by peer"},
		{quoted(prohibited(netip.MustParseAddr("127.0.0.1"), "is this machine")), "destination prohibited: 127.0.0.1 is this machine"},
		{proxyError(egressError("the egress proxy answered CONNECT with status 407")), "the egress proxy answered CONNECT with status 407"},
		{certified(x509.HostnameError{Host: "crm.example.test", Certificate: &x509.Certificate{DNSNames: []string{"CAN_AT"}}}), "the certificate is for another name than"},
		{certified(x509.UnknownAuthorityError{Cert: &x509.Certificate{}}), "unknown authority"},
		{certified(x509.CertificateInvalidError{Reason: x509.Expired, Detail: "CAN_AT"}), "the certificate is invalid"},
		{certified(errors.New("CAN_AT")), "the certificate is not trusted"},
		{tls.RecordHeaderError{Msg: "CAN_AT"}, "does not speak TLS"},
		{tls.AlertError(40), "handshake failure"},
		{quoted(os.ErrDeadlineExceeded), "no answer in time"},
		{quoted(context.Canceled), "the request was cancelled"},
		{quoted(io.ErrUnexpectedEOF), "the connection ended before the answer did"},
		{errors.New("http: server closed idle connection CAN_AT"), "the connection was closed"},
		{streamError{Code: 2, Cause: errors.New("CAN_AT")}, "HTTP/2 stream error, code 2"},
		{errors.New(`malformed MIME header: missing colon: "CAN_AT"`), "no usable answer: malformed MIME header"},
		{quoted(errDead), "no usable answer (*errors.errorString)"},
	}
	for _, tt := range tests {
		got := (&failure{kind: FailedProtocol, err: tt.err}).Error()
		if !strings.Contains(got, tt.want) || strings.Contains(got, "CAN_AT") {
			t.Errorf("%T: %q, want %q", tt.err, got, tt.want)
		}
	}
}
