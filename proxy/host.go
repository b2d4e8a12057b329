package proxy

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// The reasons for which a Host is refused; the texts are public.
var (
	errHostEmpty     = errors.New("the Host field is missing or empty")
	errHostCharacter = errors.New("the Host field may hold a name or address and a port, nothing else")
	errHostAddress   = errors.New("the Host field has a malformed address")
	errHostPort      = errors.New("the port in the Host field must be a number from 1 to 65535")
)

// canonicalHost returns the name of a Host field in lower case, without port
// and trailing dot, in the form in which names are compared. The port says how
// the caller reached us, never where a request goes: it is only checked.
func canonicalHost(host string) (string, error) {
	name, port, hasPort, err := cutPort(host)
	if err != nil {
		return "", err
	}
	if hasPort {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || port[0] == '+' {
			return "", errHostPort
		}
	}
	name = strings.TrimSuffix(name, ".")
	if name == "" {
		return "", errHostEmpty
	}
	for i := range len(name) {
		if !hostByte(name[i]) {
			return "", fmt.Errorf("%w: %s", errHostCharacter, quoted(host))
		}
	}
	if strings.Contains(name, "..") || name[0] == '.' || name[len(name)-1] == '.' {
		return "", fmt.Errorf("%w: %s", errHostCharacter, quoted(host))
	}
	return strings.ToLower(name), nil
}

// cutPort splits "name:port" and "[address]:port"; an address in brackets is
// returned in its canonical form, without them. An empty port is none.
func cutPort(host string) (name, port string, hasPort bool, err error) {
	inner, ok := strings.CutPrefix(host, "[")
	if !ok {
		name, port, _ = strings.Cut(host, ":")
		return name, port, port != "", nil
	}
	inner, after, ok := strings.Cut(inner, "]")
	addr, parseErr := netip.ParseAddr(inner)
	if !ok || parseErr != nil || addr.Zone() != "" || !addr.Is6() || after != "" && after[0] != ':' {
		return "", "", false, errHostAddress
	}
	port = strings.TrimPrefix(after, ":")
	return addr.Unmap().String(), port, port != "", nil
}

// hostByte: letters, digits, "-", "." and "_" (names inside clusters), and the
// colon of an address that came in brackets. No comma, "@", "%", or control.
func hostByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c == '-' || c == '.' || c == '_' || c == ':'
}
