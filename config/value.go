package config

import (
	"encoding/base64"
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"time"

	"iqgateway/internal/pathpattern"
	"iqgateway/internal/secret"
)

// Types of values that other packages read as they are.
type (
	// Duration is written as a Go string, 250ms or 1m30s; a bare number is
	// refused. Where none is allowed it is 0.
	Duration = time.Duration
	// URL is an absolute http or https URL; nil when absent.
	URL = *url.URL
	// Pattern is a path pattern; see [pathpattern].
	Pattern = pathpattern.Pattern
	// Prefix is a network, 10.0.0.0/8; a bare address is a network of one.
	Prefix = netip.Prefix
	// Date is a day, 2027-12-31, which stands for its end in UTC, or an instant
	// as in RFC 3339. The zero time is never.
	Date = time.Time
)

// Size is a number of bytes, written with its unit: 512B, 64KiB, 32MiB, 1GiB,
// 1TiB. Where none is allowed it is 0.
type Size int64

// AutoSize is a Size, or auto: as much as the gateway finds that it may have.
// Where none is allowed it is 0.
type AutoSize int64

// Auto is the AutoSize that is written as auto.
const Auto AutoSize = -1

// Ratio is a part of a whole from 0 to 1, written as 10% or 0.1.
type Ratio float64

// Rate is so many per duration, written as 1000/60s. The zero Rate is none.
type Rate struct {
	Tokens int
	Per    time.Duration
}

// IsZero reports whether there is no rate.
func (r Rate) IsZero() bool { return r == Rate{} }

// String returns the rate as it is written.
func (r Rate) String() string {
	if r.IsZero() {
		return none
	}
	return fmt.Sprintf("%d/%s", r.Tokens, shortDuration(r.Per))
}

// Amount is a part of a bucket: a percentage or a number of tokens. The zero
// Amount is none.
type Amount struct {
	Percent float64 // 0 to 100, when Tokens is 0
	Tokens  int
}

// IsZero reports whether there is no amount.
func (a Amount) IsZero() bool { return a == Amount{} }

// Of returns the tokens of a bucket with this limit, rounded down.
func (a Amount) Of(limit int) int {
	if a.Tokens > 0 {
		return a.Tokens
	}
	// Percentages like 28.999999999999996 come from decimal fractions.
	return int(math.Floor(float64(limit)*a.Percent/100 + 1e-9))
}

// AtLeastOne is [Amount.Of] for guarantees: a share of a small bucket that
// would round down to nothing is one token.
func (a Amount) AtLeastOne(limit int) int {
	if a.IsZero() {
		return 0
	}
	return max(1, a.Of(limit))
}

// String returns the amount as it is written.
func (a Amount) String() string {
	switch {
	case a.IsZero():
		return none
	case a.Tokens > 0:
		return fmt.Sprint(a.Tokens)
	default:
		return fmt.Sprintf("%g%%", a.Percent)
	}
}

// ProxyURL is a URL that may hold a user and a password; printed, it shows
// neither. The zero value is absent.
type ProxyURL struct{ *url.URL }

// String returns the URL without user and password.
func (p ProxyURL) String() string {
	if p.URL == nil {
		return ""
	}
	return withoutUser(p.URL.String())
}

// HostPort is host:port to listen on or to connect to; the host may be empty
// for listeners.
type HostPort string

// File is the path of a file that must exist when the gateway starts.
type File string

// PathPrefix begins with / and does not end with it; or it is empty.
type PathPrefix string

// HeaderName is the name of an HTTP field, in the spelling it was given.
type HeaderName string

// URLTemplate is a URL with {service} and {suffix} in it.
type URLTemplate string

// Digest is a SHA-256 digest.
type Digest [32]byte

// Secret is a text that is never printed, together with where it comes from.
type Secret struct {
	secret.Text
	// Reference is ${env:NAME} or ${file:/path} as it was written; empty for a
	// literal.
	Reference string
}

// Key is a secret of 32 bytes, written in base64.
type Key struct{ Secret }

// Bytes returns the key; nil when there is none.
func (k Key) Bytes() []byte {
	if k.IsZero() {
		return nil
	}
	b, err := decodeKey(k.Reveal())
	if err != nil {
		return nil // it was checked when it was loaded
	}
	return b
}

const keyBytes = 32

// decodeKey accepts both base64 alphabets, padded or not. Its error never
// quotes the text.
func decodeKey(text string) ([]byte, error) {
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if b, err := enc.DecodeString(text); err == nil {
			if len(b) != keyBytes {
				return nil, fmt.Errorf("is %d bytes, a key has %d: make one with `openssl rand -base64 32`", len(b), keyBytes)
			}
			return b, nil
		}
	}
	return nil, fmt.Errorf("is not base64: make a key with `openssl rand -base64 32`")
}

// none is the word for a limit that is absent.
const none = "none"

// auto is the word for what the gateway finds out by itself.
const auto = "auto"

// shortDuration prints 1m0s as 1m.
func shortDuration(d time.Duration) string {
	text := d.String()
	if d >= time.Hour && d%time.Hour == 0 {
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	if d >= time.Minute && d%time.Minute == 0 {
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return text
}
