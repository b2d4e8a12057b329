package proxy

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"iqgateway/internal/exchange"
)

func TestClassify(t *testing.T) {
	timeout := &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}
	dialed := func(err error) error { return &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", err)} }
	some := errors.New("some error")
	tests := map[string]struct {
		evidence
		want FailureKind
	}{
		"caller's body first":   {evidence{err: syscall.ECONNRESET, body: some, cause: context.Canceled, connected: true}, FailedCallerBody},
		"caller left":           {evidence{err: some, cause: context.Canceled}, FailedCallerGone},
		"total":                 {evidence{err: some, cause: errTotal, connected: true}, FailedDeadline},
		"caller's deadline":     {evidence{err: some, cause: context.DeadlineExceeded}, FailedDeadline},
		"caller's own deadline": {evidence{err: some, cause: callerDeadlineError{time.Second}, connected: true}, FailedCallerTime},
		"upload stalled":        {evidence{err: some, cause: errUploadIdle, connected: true}, FailedUploadIdle},
		"write stalled":         {evidence{err: fmt.Errorf("write: %w", &net.OpError{Op: "write", Err: os.ErrDeadlineExceeded}), connected: true}, FailedUploadIdle},
		"never written":         {evidence{err: errors.New("net/http: cannot rewind body after connection loss"), connected: true, sent: true}, FailedReset},
		"not looked at":         {evidence{err: some, cause: errUnprocessed, connected: true}, FailedReset},
		"interim flood":         {evidence{err: some, cause: errTooManyInterim, connected: true}, FailedProtocol},
		"prohibited":            {evidence{err: &net.OpError{Op: "dial", Err: fmt.Errorf("%w: x", errProhibited)}}, FailedProhibited},
		"dns":                   {evidence{err: &net.OpError{Op: "dial", Err: &net.DNSError{IsNotFound: true}}}, FailedDNS},
		"dns timeout":           {evidence{err: &net.OpError{Op: "dial", Err: &net.DNSError{IsTimeout: true}}}, FailedDNS},
		"refused":               {evidence{err: dialed(syscall.ECONNREFUSED)}, FailedRefused},
		"no route":              {evidence{err: dialed(syscall.EHOSTUNREACH)}, FailedConnect},
		"connect timeout":       {evidence{err: timeout}, FailedConnectTime},
		"unknown authority":     {evidence{err: x509.UnknownAuthorityError{}, https: true}, FailedTLS},
		"end during handshake":  {evidence{err: io.EOF, https: true}, FailedTLS},
		"end before connection": {evidence{err: io.EOF}, FailedConnect},
		"proxy refused":         {evidence{err: &net.OpError{Op: "proxyconnect", Err: some}, https: true}, FailedConnect},
		"header timeout":        {evidence{err: timeout, connected: true}, FailedHeaderTime},
		"reset":                 {evidence{err: fmt.Errorf("read: %w", syscall.ECONNRESET), connected: true}, FailedReset},
		"end":                   {evidence{err: io.EOF, connected: true}, FailedReset},
		"idle close":            {evidence{err: errors.New("http: server closed idle connection"), connected: true}, FailedReset},
		"garbage":               {evidence{err: some, connected: true}, FailedProtocol},
	}
	for name, tt := range tests {
		if got := classify(tt.evidence); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// Stages above give back what they took for an attempt that never left, also
// for methods whose outcome needs no word.
func TestNothingSent(t *testing.T) {
	for name, e := range map[string]evidence{
		"no connection":    {err: syscall.ECONNREFUSED},
		"no answer":        {err: io.EOF, connected: true},
		"time was up":      {err: io.EOF, cause: errTotal, connected: true},
		"the caller left":  {err: io.EOF, cause: context.Canceled, connected: true},
		"the body was bad": {err: io.EOF, body: errors.New("no body"), connected: true},
		"it was too large": {err: io.EOF, body: tooLarge(10), connected: true},
	} {
		for _, sent := range []bool{false, true} {
			for _, write := range []bool{false, true} {
				e.sent, e.write = sent, write
				told, ok := errors.AsType[interface {
					error
					NothingSent() bool
				}](e.problem("crm"))
				if !ok || told.NothingSent() == sent {
					t.Errorf("%s, sent: %v, write: %v: tells %v (%v)", name, sent, write, told, ok)
				}
			}
		}
	}
}

func TestOutcome(t *testing.T) {
	for e, want := range map[evidence]exchange.Outcome{
		{write: false, sent: true}: exchange.OutcomeNone,
		{write: true, sent: false}: exchange.NotExecuted,
		{write: true, sent: true}:  exchange.OutcomeUnknown,
	} {
		if got := e.outcome(); got != want {
			t.Errorf("%+v: %q, want %q", e, got, want)
		}
	}
}

// Half a body is the caller's fault, and yet the upstream may have begun to act on
// it: only what was never sent is certain.
func TestOutcomeOfHalfABody(t *testing.T) {
	for kind, body := range map[exchange.ProblemType]error{
		exchange.RequestTimeout:   &ClientBodyError{exchange.RequestTimeout, errSlowUpload},
		exchange.BodyTooLarge:     tooLarge(10),
		exchange.MalformedRequest: errors.New("malformed chunk"),
	} {
		for _, tt := range []struct {
			write, sent bool
			want        exchange.Outcome
		}{
			{true, true, exchange.OutcomeUnknown},
			{true, false, exchange.NotExecuted},
			{false, true, exchange.OutcomeNone},
			{false, false, exchange.OutcomeNone},
		} {
			err := evidence{err: io.EOF, body: body, connected: true, sent: tt.sent, write: tt.write}.problem("crm")
			p, ok := errors.AsType[*exchange.Problem](err)
			if !ok || p.Type != kind || p.Outcome != tt.want || KindOf(err) != FailedCallerBody || !p.Close {
				t.Errorf("%s, write %v, sent %v: %+v, kind %q, want outcome %q", kind, tt.write, tt.sent, p, KindOf(err), tt.want)
			}
		}
	}
}

// Texts of libraries repeat bytes of the upstream; callers must not see them.
func TestProblemsHideTheirCause(t *testing.T) {
	secret := errors.New("CAN_AT")
	for _, e := range []evidence{
		{err: secret},
		{err: secret, connected: true, sent: true},
		{err: secret, cause: errTotal},
		{err: secret, https: true},
		{err: &net.DNSError{Err: "CAN_AT", Name: "CAN_AT"}},
		{err: secret, body: secret},
	} {
		err := e.problem("crm")
		p, ok := errors.AsType[*exchange.Problem](err)
		if !ok {
			t.Fatalf("%v is no problem", err)
		}
		renderer := NewErrors(ErrorsOptions{})
		document := string(renderer.document(p, &exchange.Exchange{}))
		for _, shown := range []string{document, renderer.proxyStatus(p)} {
			if strings.Contains(shown, "CAN_AT") {
				t.Errorf("%v shows its cause: %s", e, shown)
			}
		}
		if KindOf(err) == FailedNot {
			t.Errorf("%v has no kind", err)
		}
	}
}

func TestEveryKindHasItsAnswer(t *testing.T) {
	tokens := make(map[string]bool)
	for _, kind := range []FailureKind{
		FailedDNS, FailedRefused, FailedConnect, FailedConnectTime, FailedTLS, FailedProhibited,
		FailedHeaderTime, FailedUploadIdle, FailedReset, FailedProtocol, FailedDeadline, FailedCallerTime,
	} {
		row := rowOf(kind)
		if row.problem == exchange.InternalError || row.proxyError == "" || row.detail == "" {
			t.Errorf("%s: %+v", kind, row)
		}
		p := exchange.Refuse(row.problem, "").Because(&failure{kind: kind, err: io.EOF})
		if got := NewErrors(ErrorsOptions{}).proxyError(p); got != row.proxyError {
			t.Errorf("%s is shown as %q, want %q", kind, got, row.proxyError)
		}
		tokens[row.proxyError] = true
	}
	if len(tokens) < 9 {
		t.Errorf("only %d different error tokens", len(tokens))
	}
	p := exchange.Refuse(exchange.UpstreamTLS, "").Because(&failure{kind: FailedTLS, err: x509.UnknownAuthorityError{}})
	if got := NewErrors(ErrorsOptions{}).proxyError(p); got != "tls_certificate_error" {
		t.Errorf("an unknown authority is shown as %q", got)
	}
}
