package proxy

import (
	"errors"
	"net/netip"
)

// errProhibited is found in every refusal of a destination.
var errProhibited = errors.New("destination prohibited")

// prohibitedError is such a refusal.
type prohibitedError struct{ text string }

// Error implements error.
func (e *prohibitedError) Error() string { return errProhibited.Error() + ": " + e.text }

// Is makes it an errProhibited.
func (*prohibitedError) Is(target error) bool { return target == errProhibited }

// addressPolicy says which addresses a host may resolve to.
type addressPolicy struct {
	// loopback is set when the configured host itself is a loopback name or
	// address: only then may its name lead back to this machine.
	loopback bool
	// only is set when it must lead there: what is said would cross any network
	// readable.
	only bool
}

// checkAddress refuses addresses that no upstream has: those of the machine
// itself, of the local link and of cloud metadata services, which a poisoned
// DNS answer would otherwise let callers read.
//
// Private ranges (RFC 1918, fc00::/7) are allowed: staging systems, egress
// proxies and private links live there, and the names that lead to them come
// from the configuration alone, never from a request.
func checkAddress(ip netip.Addr, policy addressPolicy) error {
	ip = ip.WithZone("").Unmap()
	if policy.only && !ip.IsLoopback() {
		return prohibited(ip, "is not this machine, and plain HTTP may not leave it: use https, or set allow_plaintext of the environment")
	}
	ip = embedded(ip)
	switch {
	case !ip.IsValid() || ip.IsUnspecified():
		return prohibited(ip, "is no destination")
	case ip.IsLoopback() && !policy.loopback:
		return prohibited(ip, "is this machine, and the configured host is not")
	case ip.IsMulticast() || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return prohibited(ip, "is a multicast or broadcast address")
	case ip.IsLinkLocalUnicast():
		return prohibited(ip, "is link-local, where cloud metadata lives")
	case ip.Is4() && ip.As4()[0] == 0:
		return prohibited(ip, "means this network (RFC 1122 section 3.2.1.3)")
	case isMetadata(ip):
		return prohibited(ip, "is a cloud metadata service")
	}
	return nil
}

func prohibited(ip netip.Addr, why string) error {
	return &prohibitedError{ip.String() + " " + why}
}

// isMetadata knows the well-known metadata addresses outside of link-local:
// Alibaba Cloud, Azure's wire server, Oracle Cloud, AWS and Google over IPv6.
func isMetadata(ip netip.Addr) bool {
	switch ip.String() {
	case "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254":
		return true
	}
	return false
}

// embedded returns the IPv4 address that a translating IPv6 address leads to:
// NAT64 (RFC 6052, the well-known prefix), 6to4 (RFC 3056) and the deprecated
// IPv4-compatible form. Every other address is returned as it is.
func embedded(ip netip.Addr) netip.Addr {
	if !ip.Is6() || ip.IsLoopback() || ip.IsUnspecified() {
		return ip
	}
	b := ip.As16()
	switch {
	case netip.PrefixFrom(ip, 96).Masked() == netip.MustParsePrefix("64:ff9b::/96"),
		netip.PrefixFrom(ip, 96).Masked() == netip.MustParsePrefix("::/96"):
		return netip.AddrFrom4([4]byte(b[12:16]))
	case b[0] == 0x20 && b[1] == 0x02:
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return ip
}
