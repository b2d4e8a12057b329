package redisconn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"regexp"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"
)

var (
	// ErrAway says that Redis cannot be used now; carry on without it.
	ErrAway = errors.New("redis is away")
	// ErrNoKeys says that there is no encryption key, so that secret values
	// cannot be kept in Redis.
	ErrNoKeys = errors.New("no encryption_keys are configured")
)

// Reason is why a call failed: a safe word, fit for a metric label. Words in
// capitals are Redis's own error codes.
type Reason string

// The reasons that are not a Redis error code.
const (
	ReasonAway        Reason = "away"        // the breaker is open; nothing was sent
	ReasonStalled     Reason = "stalled"     // enough calls wait for an answer; nothing was sent
	ReasonTimeout     Reason = "timeout"     // no answer in time; it may have been executed
	ReasonClosed      Reason = "closed"      // the connection broke; it may have been executed
	ReasonRefused     Reason = "refused"     // nobody listens there
	ReasonUnreachable Reason = "unreachable" // no name, no route, no sentinel that knows the master
	ReasonTLS         Reason = "tls"         // no trusted encrypted connection
	ReasonBusy        Reason = "busy"        // all our connections are in use
	ReasonCaller      Reason = "caller"      // the caller left or its own deadline passed
	ReasonOther       Reason = "other"       // an error reply without a known code
)

// Error is a failed Call. It holds no statement, key, value or server text.
// errors.Is(err, ErrAway) tells a server that is unwell from a refused command.
type Error struct {
	Operation string
	Reason    Reason

	// ofNode says that the breaker of a cluster's node has counted it.
	ofNode bool
}

// Error implements error.
func (e *Error) Error() string {
	if e.Operation == "" {
		return "redis: " + string(e.Reason)
	}
	return "redis: " + e.Operation + ": " + string(e.Reason)
}

// Is implements the convention of [errors.Is].
func (e *Error) Is(target error) bool {
	return target == ErrAway && verdictOf(e.Reason) != verdictFine
}

// verdict is what a result says about the server.
type verdict int

const (
	verdictFine    verdict = iota // it answered
	verdictNeutral                // nothing was learnt
	verdictWeak                   // a few of these in a row and it is away
	verdictGone                   // no later command on these connections can do better
)

func verdictOf(r Reason) verdict {
	switch r {
	case ReasonAway, ReasonStalled, ReasonBusy, ReasonCaller:
		return verdictNeutral
	case ReasonTimeout, ReasonClosed, ReasonRefused, ReasonUnreachable, ReasonTLS,
		"NOAUTH", "WRONGPASS", "MAXCLIENTS", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS", "MISCONF", "BUSY":
		return verdictWeak
	case "READONLY", "LOADING", "MASTERDOWN":
		return verdictGone
	default:
		return verdictFine
	}
}

// scriptError is how Redis before 7 wraps what a command in a script fails with;
// unwrapped, a demoted master would look like a server that is well.
var scriptError = regexp.MustCompile(`^ERR Error running script \(call to f_[0-9a-f]{40}\): (?:@user_script: ?[0-9]+: ?)+-?([A-Z]+) `)

// codeOf knows the error codes that Redis documents; anything else that a reply
// begins with may be made of what a user sent.
func codeOf(text string) Reason {
	if strings.HasPrefix(text, "ERR max number of clients") {
		return "MAXCLIENTS"
	}
	word, _, _ := strings.Cut(text, " ")
	if inner := scriptError.FindStringSubmatch(text); inner != nil {
		word = inner[1]
	}
	switch word {
	case "READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS", "MISCONF", "BUSY",
		"NOAUTH", "WRONGPASS", "NOPERM", "OOM", "WRONGTYPE", "CROSSSLOT", "EXECABORT", "NOTBUSY",
		"MOVED", "ASK", "NOPROTO", "UNKILLABLE", "ERR":
		return Reason(word)
	default:
		return ReasonOther
	}
}

// reduce turns an error of the client library into one without foreign text.
// Answers that a store acts on stay: a missing key, a missing script, a
// transaction that lost its race, the caller's own cancellation.
func reduce(err error) error {
	var own *Error
	var reply redis.Error
	switch {
	case err == nil, errors.Is(err, ErrAway), errors.As(err, &own):
		return err
	// Identity: sentinels that do not know the master give an error that wraps
	// Nil, and taken for a missing key it would hide the outage.
	case err == redis.Nil, err == redis.TxFailedErr: //nolint:errorlint // see above
		return err
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.As(err, &reply) && !errors.Is(err, redis.Nil):
		if redis.HasErrorPrefix(err, "NOSCRIPT") {
			return redis.ErrNoScript
		}
		return &Error{Reason: codeOf(reply.Error())}
	default:
		return &Error{Reason: transportReason(err)}
	}
}

func transportReason(err error) Reason {
	var timeout net.Error
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var authority x509.UnknownAuthorityError
	switch {
	case errors.Is(err, redis.ErrPoolTimeout), errors.Is(err, redis.ErrPoolExhausted):
		return ReasonBusy
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return ReasonTimeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return ReasonRefused
	case errors.As(err, &certificate), errors.As(err, &record), errors.As(err, &alert), errors.As(err, &authority):
		return ReasonTLS
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, redis.ErrClosed), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return ReasonClosed
	default:
		return ReasonUnreachable
	}
}
