package redisconn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
)

// reply is an error reply as the library gives it.
type reply string

func (r reply) Error() string { return string(r) }
func (reply) RedisError()     {}

// inScript is an error in a script as Redis 6.2 gives it.
func inScript(text string) reply {
	return reply("ERR Error running script (call to f_e0e1f9fabfc9d4800c877a703b823ac0578ff8db): " + text)
}

func TestReduce(t *testing.T) {
	const user = "s3cret-of-a-user"
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{}, Err: os.NewSyscallError("connect", err)}
	}
	tests := []struct {
		err  error
		want Reason
		v    verdict
	}{
		{reply("WRONGTYPE Operation against " + user), "WRONGTYPE", verdictFine},
		{reply("ERR unknown command '" + user + "'"), "ERR", verdictFine},
		{reply("NOPERM User " + user + " has no permissions"), "NOPERM", verdictFine},
		{reply("OOM command not allowed when used memory > 'maxmemory'."), "OOM", verdictFine},
		{reply(user + " of a script"), ReasonOther, verdictFine},
		{reply(strings.ToUpper(user)), ReasonOther, verdictFine},
		{inScript("@user_script:12: @user_script: 12: -READONLY You can't write against a read only replica."), "READONLY", verdictGone},
		{inScript("@user_script:1: -READONLY You can't write against a read only replica."), "READONLY", verdictGone},
		{inScript("@user_script: 3: -MISCONF Redis is configured to save RDB snapshots"), "MISCONF", verdictWeak},
		{inScript("@user_script:3: WRONGTYPE Operation against a key holding the wrong kind of value"), "WRONGTYPE", verdictFine},
		{inScript("@user_script:3: user_script:3: attempt to index READONLY (a nil value)"), "ERR", verdictFine},
		{inScript("@user_script:3: " + strings.ToUpper(user) + " READONLY "), "ERR", verdictFine},
		{reply("READONLY You can't write against a read only replica."), "READONLY", verdictGone},
		{reply("LOADING Redis is loading the dataset in memory"), "LOADING", verdictGone},
		{reply("MASTERDOWN Link with MASTER is down"), "MASTERDOWN", verdictGone},
		{reply("CLUSTERDOWN The cluster is down"), "CLUSTERDOWN", verdictWeak},
		{reply("NOAUTH Authentication required."), "NOAUTH", verdictWeak},
		{reply("WRONGPASS invalid username-password pair " + user), "WRONGPASS", verdictWeak},
		{reply("ERR max number of clients reached"), "MAXCLIENTS", verdictWeak},
		{fmt.Errorf("dialling %s: %w", user, dial(syscall.ECONNREFUSED)), ReasonRefused, verdictWeak},
		{dial(syscall.EHOSTUNREACH), ReasonUnreachable, verdictWeak},
		{&net.DNSError{Err: "no such host", Name: user, IsNotFound: true}, ReasonUnreachable, verdictWeak},
		{&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, ReasonTimeout, verdictWeak},
		{context.DeadlineExceeded, ReasonTimeout, verdictWeak},
		{io.EOF, ReasonClosed, verdictWeak},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, ReasonClosed, verdictWeak},
		{redis.ErrClosed, ReasonClosed, verdictWeak},
		{redis.ErrPoolTimeout, ReasonBusy, verdictNeutral},
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, ReasonTLS, verdictWeak},
		{fmt.Errorf("all sentinels are unreachable: %w", errors.Join(redis.Nil)), ReasonUnreachable, verdictWeak},
		{errors.New("something new about " + user), ReasonUnreachable, verdictWeak},
	}
	for _, test := range tests {
		got := reduce(test.err)
		failed, ok := errors.AsType[*Error](got)
		if !ok || failed.Reason != test.want {
			t.Errorf("%q: %v, want %s", test.err, got, test.want)
			continue
		}
		if v := verdictOf(failed.Reason); v != test.v {
			t.Errorf("%s: verdict %d, want %d", failed.Reason, v, test.v)
		}
		if away := errors.Is(got, ErrAway); away != (test.v != verdictFine) {
			t.Errorf("%s: is ErrAway: %v", failed.Reason, away)
		}
		if strings.Contains(strings.ToLower(got.Error()), user) {
			t.Errorf("%q shows what a user sent", got)
		}
		if again := reduce(got); again != got { //nolint:errorlint // identity is meant
			t.Errorf("reduced twice: %v", again)
		}
	}
}

func TestReduceKeepsAnswers(t *testing.T) {
	for _, err := range []error{nil, redis.Nil, redis.TxFailedErr, ErrAway, context.Canceled} {
		if got := reduce(err); got != err { //nolint:errorlint // identity is meant
			t.Errorf("%v became %v", err, got)
		}
	}
	got := reduce(reply("NOSCRIPT no such thing as s3cret"))
	if !redis.HasErrorPrefix(got, "NOSCRIPT") || strings.Contains(got.Error(), "s3cret") {
		t.Errorf("a missing script is %v", got)
	}
}

func TestErrorText(t *testing.T) {
	if got := (&Error{Operation: "token.get", Reason: ReasonTimeout}).Error(); got != "redis: token.get: timeout" {
		t.Error(got)
	}
	if got := (&Error{Reason: ReasonTimeout}).Error(); got != "redis: timeout" {
		t.Error(got)
	}
}
