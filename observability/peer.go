package observability

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// peerOf names where a request came from, for logs alone: it decides nothing, as
// whoever may speak for others may also lie. That is the connection's other end,
// unless it lies in a trusted network: then the last address of X-Forwarded-For
// that does not, which a proxy of ours has seen with its own eyes.
func peerOf(r *http.Request, trusted []netip.Prefix) string {
	if len(trusted) == 0 || !isTrusted(addressOf(r.RemoteAddr), trusted) {
		return r.RemoteAddr
	}
	peer := r.RemoteAddr
	for _, line := range slices.Backward(r.Header["X-Forwarded-For"]) {
		for rest, more := line, true; more; {
			var entry string
			if i := strings.LastIndexByte(rest, ','); i >= 0 {
				rest, entry = rest[:i], rest[i+1:]
			} else {
				entry, more = rest, false
			}
			ip := addressOf(strings.TrimSpace(entry))
			if !ip.IsValid() { // who wrote it could have written anything
				return peer
			}
			if peer = ip.String(); !isTrusted(ip, trusted) {
				return peer
			}
		}
	}
	return peer
}

func isTrusted(ip netip.Addr, trusted []netip.Prefix) bool {
	return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// addressOf reads an address with or without its port, in the one spelling that
// prefixes have: IPv4 in IPv6 clothes is IPv4.
func addressOf(text string) netip.Addr {
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	if n := len(text); n > 2 && text[0] == '[' && text[n-1] == ']' {
		text = text[1 : n-1]
	}
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return ip.Unmap().WithZone("")
}
