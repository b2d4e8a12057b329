package proxy

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"iqgateway/internal/exchange"
)

const (
	// askEvery is how long the upstream's word about its preferred host counts.
	askEvery = 15 * time.Minute
	// askSpread bounds by how much replicas differ in it.
	askSpread = 3 * time.Minute
	// leaveAlone is how long a preferred host that failed is not tried again,
	// and how long nobody asks again after a session call that failed.
	leaveAlone = 5 * time.Minute
	// doubtAfter is how soon the upstream may be asked again when its preferred
	// host answers with a gateway's error.
	doubtAfter = time.Minute
	// maxEndpoint bounds the value of PreferredEndpoint in bytes.
	maxEndpoint = 300
)

// endpoint is what is known about the host that an upstream prefers.
type endpoint struct {
	origin  *url.URL // scheme and host; nil = none is used
	asked   time.Time
	next    time.Time // nobody asks before
	banned  string    // origin that failed
	allowed time.Time // when it may be used again
	// later is added to askEvery, for each replica another time: the first one
	// that asks does it for all.
	later time.Duration
}

// learn takes the upstream's answer to the question, asked at the time at;
// origin is nil when it prefers none. It reports whether anything changes for
// requests.
func (e *endpoint) learn(origin *url.URL, at, now time.Time) bool {
	e.asked, e.next = at, at.Add(askEvery+e.later)
	if origin != nil && origin.String() == e.banned && now.Before(e.allowed) {
		origin, e.next = nil, e.allowed
	}
	changed := originText(origin) != originText(e.origin)
	e.origin = origin
	return changed
}

// drop gives up origin, if it is the one in use.
func (e *endpoint) drop(origin *url.URL, now time.Time) bool {
	if e.origin == nil || origin.String() != e.origin.String() {
		return false
	}
	e.origin, e.banned, e.allowed = nil, origin.String(), now.Add(leaveAlone)
	e.asked, e.next = now, e.allowed
	return true
}

// due reports whether it is time to ask the upstream. doubt means that the
// preferred host has just given an answer that speaks against it.
func (e *endpoint) due(doubt bool, now time.Time) bool {
	if doubt && e.origin != nil && now.Sub(e.asked) >= doubtAfter {
		return true
	}
	return !now.Before(e.next)
}

func originText(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.String()
}

// errEndpoint begins every refusal of a preferred endpoint. The texts never
// quote the value: whoever can write it may have put anything there.
var errEndpoint = errors.New("the upstream's PreferredEndpoint is not used")

// preferredOrigin reads the value of PreferredEndpoint for a service whose
// configured place is upstream. It returns nil when value names no other host
// than upstream's.
//
// The token follows this address, so the rules are those of a destination, not
// of a link: a host of the environment's own domain, the port of the configured
// upstream, HTTPS unless the environment itself is plain HTTP; no user, path or
// query. An environment that is a literal address or localhost may name the same
// host on another port (a simulation beside a simulation), and nothing else.
func preferredOrigin(value string, upstream *url.URL) (*url.URL, error) {
	if value == "" {
		return nil, nil //nolint:nilnil // no other host is no error
	}
	if !strings.Contains(value, "://") {
		value = upstream.Scheme + "://" + value
	}
	u, err := parseOrigin(value)
	switch {
	case err != nil:
		return nil, err
	case u.Scheme != "https" && upstream.Scheme != "http":
		return nil, fmt.Errorf("%w: it is not an https URL, and the environment is", errEndpoint)
	case hostKey(u.Scheme, u.Host) == hostKey(upstream.Scheme, upstream.Host) && u.Scheme == upstream.Scheme:
		return nil, nil //nolint:nilnil // the configured host
	}
	if err := checkEndpointHost(u, upstream); err != nil {
		return nil, err
	}
	return &url.URL{Scheme: u.Scheme, Host: hostKey(u.Scheme, u.Host)}, nil
}

// parseOrigin reads scheme://host[:port] with nothing behind it but a slash.
func parseOrigin(value string) (*url.URL, error) {
	if len(value) > maxEndpoint || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' }) {
		return nil, fmt.Errorf("%w: it is too long or holds bytes that no URL has", errEndpoint)
	}
	u, err := url.Parse(value)
	if err != nil {
		return nil, fmt.Errorf("%w: it is no URL", errEndpoint) // the cause quotes it
	}
	bare := u.User == nil && u.Opaque == "" && (u.Path == "" || u.Path == "/") && u.RawPath == "" &&
		u.RawQuery == "" && !u.ForceQuery && u.Fragment == "" && !strings.Contains(value, "#")
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("%w: its scheme is neither https nor http", errEndpoint)
	case u.Hostname() == "" || !bare || strings.HasSuffix(u.Host, ":"):
		return nil, fmt.Errorf("%w: it has more or less than a scheme and a host", errEndpoint)
	}
	return u, nil
}

// checkEndpointHost refuses hosts outside of the environment's own domain.
func checkEndpointHost(u, upstream *url.URL) error {
	host, own := strings.ToLower(u.Hostname()), strings.ToLower(upstream.Hostname())
	if isLiteral(own) || isLoopbackHost(own) {
		if host != own {
			return fmt.Errorf("%w: its host is not that of the environment", errEndpoint)
		}
		return nil
	}
	domain := ownDomain(upstream)
	name, below := strings.CutSuffix(host, "."+domain)
	switch {
	case domain == "" || !below && host != own:
		return fmt.Errorf("%w: its host is outside of the environment's domain", errEndpoint)
	case below && !isHostName(name):
		return fmt.Errorf("%w: its host is no DNS name", errEndpoint)
	case portOf(u) != portOf(upstream) && (u.Scheme == upstream.Scheme || u.Port() != ""):
		return fmt.Errorf("%w: its port is not that of the environment", errEndpoint)
	}
	return nil
}

// ownDomain returns what the hosts of an environment share: the host behind the
// service's own label. It is "" where there is no such label (several services
// share the host) or where strangers could register names below it.
func ownDomain(upstream *url.URL) string {
	if strings.Trim(upstream.EscapedPath(), "/") != "" {
		return ""
	}
	_, domain, _ := strings.Cut(strings.ToLower(strings.TrimSuffix(upstream.Hostname(), ".")), ".")
	if _, err := publicsuffix.EffectiveTLDPlusOne(domain); err != nil {
		return ""
	}
	return domain
}

// isHostName reports whether s is a sequence of DNS labels.
func isHostName(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			switch c := label[i]; {
			case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-':
			default:
				return false
			}
		}
	}
	return true
}

func isLiteral(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

func portOf(u *url.URL) string {
	return cmp.Or(u.Port(), exchange.DefaultPort(u.Scheme))
}
