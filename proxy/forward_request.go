package proxy

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"

	"iqgateway/internal/exchange"
)

// rewrite makes the outbound request from the caller's. Everything that says
// where it goes comes from the target, that is from the configuration.
func (s *Service) rewrite(pr *httputil.ProxyRequest, t *exchange.Target) {
	out := pr.Out
	out.URL = upstreamURL(t)
	out.Host = t.Upstream.Host
	out.RequestURI = ""
	out.Trailer = nil // request trailers end here
	out.GetBody = nil

	header, dropped := s.outboundHeader(pr.In.Header, pr.Out.Header)
	out.Header = header
	if len(dropped) > 0 {
		ex := exchange.From(pr.In.Context())
		ex.Dropped = append(ex.Dropped, dropped...)
	}
	rewriteBody(out)
}

// rewriteBody keeps the framing of the caller's body: the same length, or
// chunked where the length is unknown.
func rewriteBody(out *http.Request) {
	if out.Body == nil || out.Body == http.NoBody {
		out.Body, out.ContentLength, out.TransferEncoding = nil, 0, nil
		return
	}
	out.TransferEncoding = nil
	if out.ContentLength < 0 {
		out.TransferEncoding = []string{"chunked"}
	}
}

// upstreamURL returns the URL of a target. RawPath always holds the exact
// bytes that go onto the wire, also where net/url would spell them otherwise;
// wireURL is what makes net/http write them.
func upstreamURL(t *exchange.Target) *url.URL {
	raw := t.Upstream.EscapedPath() + t.Path
	if t.Upstream.Path == "" || t.Upstream.Path == "/" {
		raw = t.Path
	}
	u := &url.URL{
		Scheme:     t.Upstream.Scheme,
		Host:       t.Upstream.Host,
		Path:       raw,
		RawPath:    raw,
		RawQuery:   t.RawQuery,
		ForceQuery: t.HasQuery && t.RawQuery == "",
	}
	if decoded, err := url.PathUnescape(raw); err == nil {
		u.Path = decoded
	}
	return u
}

// wireURL returns u in the form in which net/http's transport writes RawPath
// and RawQuery unchanged, over HTTP/1 and HTTP/2 alike.
//
// It uses Opaque, because net/http re-escapes a path that holds so much as a
// quotation mark. An opaque part that begins with two slashes would be written
// as an absolute URL to another host, so that is refused.
func wireURL(u *url.URL, plainProxied bool) (*url.URL, error) {
	raw := u.RawPath
	if raw == "" {
		raw = u.EscapedPath()
	}
	if !strings.HasPrefix(raw, "/") || strings.HasPrefix(raw, "//") {
		return nil, exchange.Refuse(exchange.MalformedRequest,
			fmt.Sprintf("the path %.100q must begin with exactly one slash", raw))
	}
	if i := strings.IndexFunc(raw+u.RawQuery, isForbiddenInTarget); i >= 0 {
		return nil, exchange.Refuse(exchange.MalformedRequest,
			"the path or query holds a space, a # or a control byte; percent-encode it")
	}
	wire := *u
	wire.Opaque = raw
	if plainProxied {
		wire.Opaque = u.Scheme + "://" + u.Host + raw
	}
	return &wire, nil
}

// isForbiddenInTarget names what would end the request target early or start
// another message.
func isForbiddenInTarget(r rune) bool {
	return r <= ' ' || r == '#' || r == 0x7f
}
