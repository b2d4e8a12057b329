package redisconn

import (
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"iqgateway/internal/secret"
)

// Mode is what the addresses of a Redis installation are.
type Mode string

// The modes; the zero value is ModeAuto.
const (
	ModeAuto     Mode = "auto"     // ask the first address that answers
	ModeSingle   Mode = "single"   // one server
	ModeSentinel Mode = "sentinel" // sentinels that know the master
	ModeCluster  Mode = "cluster"  // some nodes of a cluster
)

const (
	defaultTimeout   = 50 * time.Millisecond
	defaultKeyPrefix = "iqgw"
	keyBytes         = 32
)

// Options configure a Conn.
type Options struct {
	// Addresses are host:port of the server, of the sentinels, or of some nodes
	// of the cluster; at least one.
	Addresses []string
	// Mode says what the addresses are; "" and ModeAuto ask the server.
	Mode Mode
	// MasterName is what the sentinels call the master; "" = the only one they
	// watch.
	MasterName string
	// Username is the ACL user; "" = default.
	Username string
	// Password of the user; zero = none.
	Password secret.Text
	// SentinelPassword is the sentinels' own; zero = none.
	SentinelPassword secret.Text
	// TLS encrypts all connections, those to sentinels too; nil = plaintext.
	TLS *tls.Config
	// KeyPrefix begins every key name; "" = iqgw.
	KeyPrefix string
	// Timeout bounds one Call as a whole, dialling included; 0 = 50 ms. Danger:
	// a request may wait this long a few times before the breaker opens.
	Timeout time.Duration
	// Keys seal values; nil = Seal gives ErrNoKeys.
	Keys *Keyring
	// NameKey hides names in key names: 32 bytes. Danger: another key finds
	// nothing of what was stored under the old one, so it never rotates. Zero =
	// a key made from the prefix, which hides nothing from who guesses names.
	NameKey secret.Text
	// Random gives numbers in [0, 1) for jitter; nil = math/rand/v2.
	Random func() float64
	// Now is the local clock, for durations only; nil = time.Now.
	Now func() time.Time
	// Hooks report what happens; zero = silent.
	Hooks Hooks
}

// Hooks are called synchronously, possibly by several goroutines at once; nil
// ones are skipped.
type Hooks struct {
	// Called reports each Call.
	Called func(Called)
	// StateChanged reports each time that the server is found or lost.
	StateChanged func(Status)
	// Rejected reports a stored value that Open refused, by the kind of its key.
	Rejected func(kind string, reason RejectReason)
}

// Called is one finished Call.
type Called struct {
	// Operation is the caller's word for it.
	Operation string
	// Outcome is "ok" or the Reason of the failure: a small closed set.
	Outcome string
	// Duration is 0 when nothing was sent.
	Duration time.Duration
}

func (o Options) withDefaults() Options {
	if o.Mode == "" {
		o.Mode = ModeAuto
	}
	if o.KeyPrefix == "" {
		o.KeyPrefix = defaultKeyPrefix
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// check gives every problem at once, as a configuration is mended in one go.
func (o Options) check() error {
	var problems []error
	add := func(format string, a ...any) { problems = append(problems, fmt.Errorf(format, a...)) }
	if len(o.Addresses) == 0 {
		add("addresses: none given; want host:port of the server, the sentinels or cluster nodes")
	}
	for i, a := range o.Addresses {
		_, port, err := net.SplitHostPort(a)
		switch {
		case strings.ContainsAny(a, "@/"): // not shown: it may hold a password
			add("addresses[%d] is no host:port; user and password have keys of their own", i)
		case err != nil || port == "":
			add("addresses[%d]: %q is not host:port", i, a)
		}
	}
	switch o.Mode {
	case ModeAuto, ModeCluster, ModeSentinel:
	case ModeSingle:
		if len(o.Addresses) > 1 {
			add("mode: single takes one address, not %d; sentinel or cluster take several", len(o.Addresses))
		}
	default:
		add("mode: %q is none of auto, single, sentinel, cluster", o.Mode)
	}
	if strings.ContainsAny(o.KeyPrefix, "{} \r\n\t") {
		add("key_prefix: %q has a brace or a space; braces decide the cluster slot", o.KeyPrefix)
	}
	if o.Timeout < 0 {
		add("timeout: %v is negative", o.Timeout)
	}
	if n := len(o.NameKey.Reveal()); n != 0 && n != keyBytes {
		add("name_key: %d bytes; want %d", n, keyBytes)
	}
	return errors.Join(problems...)
}
