package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"strconv"
	"strings"
)

// parseAddress reads what names a place: URLs, hosts, networks, files, fields.
func parseAddress(t reflect.Type, text string) (any, error) {
	if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return nil, errors.New("must not hold control characters")
	}
	switch t {
	case reflect.TypeFor[URL]():
		return parseURL(text)
	case reflect.TypeFor[ProxyURL]():
		return parseProxyURL(text)
	case reflect.TypeFor[URLTemplate]():
		return parseURLTemplate(text)
	case reflect.TypeFor[HostPort]():
		return parseHostPort(text)
	case reflect.TypeFor[Prefix]():
		return parsePrefix(text)
	case reflect.TypeFor[PathPrefix]():
		return parsePathPrefix(text)
	case reflect.TypeFor[HeaderName]():
		return parseHeaderName(text)
	case reflect.TypeFor[File]():
		return File(text), nil
	default:
		return nil, fmt.Errorf("is of type %s, which the schema must not have", t)
	}
}

func parseURL(text string) (URL, error) {
	u, err := parseAnyURL(text)
	if err == nil && u.User != nil {
		return nil, errors.New("must not hold a user or password")
	}
	return u, err
}

// parseProxyURL accepts a user and a password, unlike [parseURL].
func parseProxyURL(text string) (ProxyURL, error) {
	u, err := parseAnyURL(text)
	return ProxyURL{u}, err
}

func parseAnyURL(text string) (URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil: // the error would quote a password in the text
		return nil, errors.New("is no URL")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Opaque != "":
		return nil, errors.New("must be an absolute URL with http:// or https://")
	case u.Fragment != "" || u.RawQuery != "" || u.ForceQuery:
		return nil, errors.New("must not have a query or fragment")
	}
	return u, checkHost(u.Host, u.Hostname(), u.Port())
}

// checkHost refuses what url.Parse lets pass: empty names, ports out of range
// and names with spaces or delimiters in them.
func checkHost(host, name, port string) error {
	if name == "" || strings.HasSuffix(host, ":") {
		return errors.New("must have a host name, and a port after a colon")
	}
	if n, err := strconv.Atoi(port); port != "" && (err != nil || n < 1 || n > 65535) {
		return fmt.Errorf("has port %s, which is out of range", port)
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return nil
	}
	if strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789.-_") != "" {
		return errors.New("has a host that is no name: use the ASCII form of it")
	}
	return nil
}

// The placeholders of a [URLTemplate].
const (
	servicePlace = "{service}"
	suffixPlace  = "{suffix}"
)

func parseURLTemplate(text string) (URLTemplate, error) {
	t := URLTemplate(text)
	rest := strings.ReplaceAll(strings.ReplaceAll(text, servicePlace, ""), suffixPlace, "")
	if at := strings.IndexAny(rest, "{}"); at >= 0 {
		return "", errors.New("has braces around something else than {service} and {suffix}")
	}
	u, err := t.Expand("service", "suffix")
	if err != nil {
		return "", err
	}
	if u.Path != "" && u.EscapedPath() != cleanPath(u.EscapedPath()) {
		return "", errors.New("must have a path without dot segments, empty segments or a slash at its end")
	}
	return t, nil
}

// Expand returns the URL for a host stem and a suffix.
func (t URLTemplate) Expand(service, suffix string) (*url.URL, error) {
	return parseURL(strings.NewReplacer(servicePlace, service, suffixPlace, suffix).Replace(string(t)))
}

func parsePathPrefix(text string) (PathPrefix, error) {
	if !strings.HasPrefix(text, "/") || text != cleanPath(text) || strings.ContainsAny(text, "?#% ") {
		return "", errors.New("must be a path such as /rqpurchaseorders, without a slash at its end")
	}
	return PathPrefix(text), nil
}

// cleanPath removes dot segments, empty segments and the last slash.
func cleanPath(path string) string {
	var clean strings.Builder
	for segment := range strings.SplitSeq(path, "/") {
		if segment != "" && segment != "." && segment != ".." {
			clean.WriteByte('/')
			clean.WriteString(segment)
		}
	}
	return clean.String()
}

func parseHostPort(text string) (HostPort, error) {
	if text == "" {
		return "", errors.New("is empty: write host:port")
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return "", errors.New("is no host:port; an IPv6 address needs brackets, [::1]:8443")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 || strconv.Itoa(n) != port {
		return "", errors.New("must end with a port number, 0 to 65535")
	}
	if host == "" {
		return HostPort(text), nil
	}
	return HostPort(text), checkHost(text, host, "")
}

// Loopback reports whether the host is this machine only. Names other than
// localhost are not: they are resolved by others.
func (h HostPort) Loopback() bool {
	host, _, err := net.SplitHostPort(string(h))
	return err == nil && isLoopback(host)
}

func isLoopback(host string) bool {
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

func parsePrefix(text string) (Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return Prefix{}, errors.New("is no network: write 10.0.0.0/8, or one address")
	}
	if p.Addr().Is4In6() { // peers are compared as IPv4
		if p.Bits() < 96 {
			return Prefix{}, errors.New("is wider than the IPv4 addresses in IPv6: write an IPv4 network")
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if p != p.Masked() {
		return Prefix{}, fmt.Errorf("has bits beyond its length: write %s", p.Masked())
	}
	return p, nil
}

func parseHeaderName(text string) (HeaderName, error) {
	const token = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz" // RFC 9110 section 5.6.2
	if text == "" || strings.Trim(strings.ToLower(text), token) != "" {
		return "", errors.New("is no name of an HTTP field")
	}
	return HeaderName(text), nil
}
