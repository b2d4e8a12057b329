package proxy

import (
	"net/http"
	"strings"
	"time"

	"iqgateway/internal/secret"
)

const (
	// maxCookie bounds name and value of one cookie, in bytes, as browsers do
	// (RFC 6265 section 6.1 asks for at least 4096).
	maxCookie = 4096
	// maxCookies and maxCookieHeader bound what one host can have sent back:
	// the number of cookies, and the bytes of the Cookie field.
	maxCookies      = 20
	maxCookieHeader = 8 << 10
	// maxSetCookies bounds how many Set-Cookie fields of one answer are read.
	maxSetCookies = 2 * maxCookies
)

// cookie is one cookie of an upstream host. Domain is not kept: a cookie goes
// back to the very host that set it and to no other.
type cookie struct {
	name    string
	value   secret.Text // as it goes onto the wire, quotation marks included
	path    string
	secure  bool
	expires time.Time // zero = ends with the session
}

// parseCookie reads one Set-Cookie field of an answer to a request for path
// (RFC 6265 section 5.2 and 5.3); ok is false for one that is not kept.
// A cookie that has expired already deletes.
func parseCookie(line string, requestPath string, https bool, now time.Time) (c cookie, ok bool) {
	parsed, err := http.ParseSetCookie(line)
	if err != nil || parsed.Name == "" || len(parsed.Name)+len(parsed.Value) > maxCookie {
		return cookie{}, false
	}
	if parsed.Secure && !https {
		return cookie{}, false // anybody on the way may have written it
	}
	value := parsed.Value
	if parsed.Quoted {
		value = `"` + value + `"`
	}
	c = cookie{name: parsed.Name, value: secret.New(value), path: parsed.Path, secure: parsed.Secure}
	if !strings.HasPrefix(c.path, "/") || strings.ContainsFunc(c.path, isForbiddenInTarget) {
		c.path = defaultPath(requestPath)
	}
	switch {
	case parsed.MaxAge < 0:
		c.expires = now
	case parsed.MaxAge > 0:
		c.expires = now.Add(maxAge(parsed.MaxAge))
	default:
		c.expires = parsed.Expires
	}
	return c, true
}

// maxAge keeps a field's seconds in the range of a duration.
func maxAge(seconds int) time.Duration {
	const year = 365 * 24 * time.Hour
	return time.Duration(min(seconds, int(year/time.Second))) * time.Second
}

// defaultPath is the directory of a request's path (RFC 6265 section 5.1.4).
func defaultPath(requestPath string) string {
	i := strings.LastIndexByte(requestPath, '/')
	if i <= 0 {
		return "/"
	}
	return requestPath[:i]
}

// pathMatches says whether a cookie of path goes with a request
// (RFC 6265 section 5.1.4).
func pathMatches(path, requestPath string) bool {
	rest, ok := strings.CutPrefix(requestPath, path)
	return ok && (rest == "" || strings.HasSuffix(path, "/") || rest[0] == '/')
}

func (c cookie) expired(now time.Time) bool { return !c.expires.IsZero() && !now.Before(c.expires) }

// same reports whether both are the same cookie, whatever their values.
func (c cookie) same(d cookie) bool { return c.name == d.name && c.path == d.path }

// equal reports whether replacing c by d would change nothing that matters: an
// upstream that prolongs its cookie with each answer by a second changes none.
func (c cookie) equal(d cookie) bool {
	return c.same(d) && c.secure == d.secure && c.value.Equal(d.value) &&
		c.expires.IsZero() == d.expires.IsZero() && d.expires.Sub(c.expires).Abs() < time.Minute
}

func (c cookie) size() int { return len(c.name) + len(c.value.Reveal()) + len("=; ") }
