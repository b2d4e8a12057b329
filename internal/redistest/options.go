package redistest

import (
	"crypto/rand"
	"crypto/tls"
	"strings"
	"testing"
)

// An Option changes how the servers of one topology are set up. All of them
// get the same setup.
type Option func(*settings)

// settings is what all servers of one topology have in common.
type settings struct {
	password         string // of the user "default"; "" = none is asked for
	sentinelPassword string
	users            []string // lines of configuration
	maxMemory        int64
	policy           string
	useTLS           bool
	authority        *authority // nil = plaintext
}

// WithPassword makes the servers (not the sentinels) ask for a password.
func WithPassword(password string) Option {
	return func(s *settings) { s.password = password }
}

// WithSentinelPassword makes the sentinels ask for a password.
func WithSentinelPassword(password string) Option {
	return func(s *settings) { s.sentinelPassword = password }
}

// WithUser adds a user to the servers' access lists. Without rules it may do
// everything; else the rules are Redis' own, such as "~iqgw:*" or
// "-@dangerous". Nobody gets in without a name any more: the user "default"
// has a random password unless [WithPassword] gives it one.
func WithUser(name, password string, rules ...string) Option {
	if len(rules) == 0 {
		rules = []string{"~*", "&*", "+@all"}
	}
	words := []string{"user", quote(name), "on", quote(">" + password)}
	for _, rule := range rules {
		words = append(words, quote(rule))
	}
	line := strings.Join(words, " ")
	return func(s *settings) { s.users = append(s.users, line) }
}

// WithTLS makes everything speak TLS only, with certificates of an authority
// made for this test; see [Server.TLS].
func WithTLS() Option {
	return func(s *settings) { s.useTLS = true }
}

// WithMaxMemory bounds the servers' memory; policy is Redis' maxmemory-policy,
// such as "noeviction" or "allkeys-lru". An empty server needs about 1 MB.
func WithMaxMemory(bytes int64, policy string) Option {
	return func(s *settings) { s.maxMemory, s.policy = bytes, policy }
}

func newSettings(t testing.TB, options []Option) *settings {
	t.Helper()
	s := &settings{}
	for _, option := range options {
		option(s)
	}
	if len(s.users) > 0 && s.password == "" {
		s.password = rand.Text()
	}
	if s.useTLS {
		authority, err := newAuthority(t.TempDir())
		if err != nil {
			t.Fatalf("redistest: the test's certificate authority: %v", err)
		}
		s.authority = authority
	}
	return s
}

// clientTLS gives what a client needs to trust the servers; nil = plaintext.
func (s *settings) clientTLS() *tls.Config {
	if s.authority == nil {
		return nil
	}
	return s.authority.client()
}
