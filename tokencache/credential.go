package tokencache

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"iqgateway/internal/secret"
)

// Grant is the way in which a credential gets its tokens (RFC 6749).
type Grant string

// The grants. The provider documents that every password grant leaves earlier
// tokens valid, and that exchanging a refresh token revokes the access token
// that came with it: with GrantRefreshToken, whoever else still uses the old
// token is refused.
const (
	GrantPassword          Grant = "password"
	GrantRefreshToken      Grant = "refresh_token" // a password grant first, and again when the refresh is refused
	GrantClientCredentials Grant = "client_credentials"
)

// ID names a credential.
type ID struct {
	Environment string
	Credential  string
}

// String returns "environment/credential", for logs.
func (id ID) String() string { return id.Environment + "/" + id.Credential }

// Secrets are the parts of a credential that rotate.
type Secrets struct {
	ClientID     secret.Text
	ClientSecret secret.Text
	Username     secret.Text // not used by GrantClientCredentials
	Password     secret.Text // not used by GrantClientCredentials
}

func (s Secrets) equal(o Secrets) bool {
	return s.ClientID.Equal(o.ClientID) && s.ClientSecret.Equal(o.ClientSecret) &&
		s.Username.Equal(o.Username) && s.Password.Equal(o.Password)
}

// complete reports what g lacks; nil when nothing.
func (s Secrets) complete(g Grant) error {
	switch {
	case s.ClientID.IsZero():
		return errors.New("client_id is empty")
	case g == GrantClientCredentials && s.ClientSecret.IsZero():
		return errors.New("client_secret is empty")
	case g != GrantClientCredentials && s.Username.IsZero():
		return errors.New("username is empty")
	case g != GrantClientCredentials && s.Password.IsZero():
		return errors.New("password is empty")
	}
	return nil
}

// Credential is an account in one environment.
type Credential struct {
	Name        string
	Environment string
	Grant       Grant  // "" = GrantPassword
	TokenURL    string // absolute; without user, query and fragment
	Secrets     Secrets

	// Reread, when not nil, is asked for the secrets before each fetch and
	// every few seconds by [Cache.Run], so that rotated files take effect
	// without a reload. What it gives counts once it gives the same twice. An
	// error or an incomplete answer keeps the last good ones. It must be quick
	// and safe for concurrent use.
	Reread func(context.Context) (Secrets, error)

	// RefreshAhead is how long before its expiry a token is renewed while it
	// keeps serving; 0 = 10 minutes, at most half of the token's lifetime.
	RefreshAhead time.Duration

	// Transport carries the token call: the environment's proxy, roots and
	// dial rules. It must obey the request's context. nil = a plain transport
	// that ignores HTTP_PROXY. It is not part of the credential's identity.
	Transport http.RoundTripper
}

func (c Credential) id() ID { return ID{c.Environment, c.Name} }

func (c Credential) withDefaults() Credential {
	if c.Grant == "" {
		c.Grant = GrantPassword
	}
	if c.RefreshAhead <= 0 {
		c.RefreshAhead = 10 * time.Minute
	}
	return c
}

// check says what is wrong with c, for the person who configured it.
func (c Credential) check() error {
	if c.Name == "" || c.Environment == "" {
		return fmt.Errorf("credential %q: it needs a name and an environment", c.id())
	}
	switch c.Grant {
	case GrantPassword, GrantRefreshToken, GrantClientCredentials:
	default:
		return fmt.Errorf("credential %q: grant %q is none of password, refresh_token and client_credentials", c.id(), c.Grant)
	}
	if err := checkTokenURL(c.TokenURL); err != nil {
		return fmt.Errorf("credential %q: token URL: %w", c.id(), err)
	}
	if err := c.Secrets.complete(c.Grant); err != nil {
		return fmt.Errorf("credential %q: %w", c.id(), err)
	}
	return nil
}

// checkTokenURL does not repeat the URL where it may hold a password.
func checkTokenURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("it cannot be read as a URL")
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return errors.New("it must be https://host/path")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return errors.New("it must have no user, query or fragment: every parameter of the token call goes in its body")
	}
	return nil
}

// key identifies the state of a credential: while it stays the same over
// reloads, so does the token. Its fingerprint is never shown.
func (c Credential) key() StoreKey {
	h := sha256.New()
	for _, part := range []string{
		string(c.Grant), c.TokenURL,
		c.Secrets.ClientID.Reveal(), c.Secrets.ClientSecret.Reveal(),
		c.Secrets.Username.Reveal(), c.Secrets.Password.Reveal(),
	} {
		// Lengths keep ("ab", "c") apart from ("a", "bc").
		_ = binary.Write(h, binary.BigEndian, uint64(len(part)))
		h.Write([]byte(part))
	}
	k := StoreKey{Environment: c.Environment, Credential: c.Name}
	h.Sum(k.Fingerprint[:0])
	return k
}
