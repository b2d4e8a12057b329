package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
)

// What a server says against the request it would say again; of everything else
// it is as good as any lost connection.
func TestStreamResets(t *testing.T) {
	peer := errors.New("received from peer")
	for code := range uint32(20) {
		want := FailedReset
		switch code {
		case 1, 3, 6, 9, 0xb, 0xc, 0xd:
			want = FailedProtocol
		}
		err := fmt.Errorf("round trip: %w", streamError{Code: code, Cause: peer})
		if got := classifyExchange(err); got != want {
			t.Errorf("code %d: %q, want %q", code, got, want)
		}
		if got := classifyExchange(streamError{Code: code, Cause: errors.New("malformed")}); code != refusedStream && got != FailedProtocol {
			t.Errorf("code %d of our own: %q", code, got)
		}
	}
}

func TestKeptConnections(t *testing.T) {
	reset := &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	goneAway := errors.New("http2: server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=NO_ERROR")
	for name, tt := range map[string]struct {
		evidence
		want bool
	}{
		"ended":                {evidence{err: io.EOF, reused: true}, true},
		"reset":                {evidence{err: reset, reused: true}, true},
		"closed after GOAWAY":  {evidence{err: goneAway, reused: true}, true},
		"a new one ended":      {evidence{err: io.EOF}, false},
		"only the stream":      {evidence{err: streamError{Code: 2, Cause: errors.New("received from peer")}, reused: true}, false},
		"nonsense":             {evidence{err: errors.New("malformed HTTP response"), reused: true}, false},
		"no answer in time":    {evidence{err: os.ErrDeadlineExceeded, reused: true}, false},
		"the caller's own end": {evidence{err: io.EOF, cause: errTotal, reused: true}, false},
	} {
		tt.connected, tt.sent = true, true
		f, ok := errors.AsType[*failure](tt.problem("crm"))
		if !ok || f.OnKeptConnection() != tt.want {
			t.Errorf("%s: %v, want %t", name, f, tt.want)
		}
	}
}
