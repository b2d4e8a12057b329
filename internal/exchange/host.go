package exchange

import (
	"net/url"
	"strings"
)

// DefaultPort is the port of a URL that names none.
func DefaultPort(scheme string) string {
	switch scheme {
	case "http":
		return "80"
	case "socks5", "socks5h":
		return "1080"
	default:
		return "443"
	}
}

// ShortHost is the host of u, with its port if that is not the scheme's own.
func ShortHost(u *url.URL) string { return strings.TrimSuffix(u.Host, ":"+DefaultPort(u.Scheme)) }
