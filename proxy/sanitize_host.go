package proxy

import (
	"net/http"
	"strings"

	"iqgateway/internal/exchange"
)

// checkHost decides to whom the request is addressed: to the gateway, or to an
// upstream in one of the two forms that name its host.
func (s *sanitizer) checkHost(r *http.Request, t rawTarget) (exchange.Form, *exchange.Problem) {
	if t.scheme != "" {
		return s.checkAbsolute(r, t)
	}
	host, err := canonicalHost(r.Host)
	if err != nil {
		return 0, malformed(err)
	}
	if p := s.checkServerName(r, host); p != nil {
		return 0, p
	}
	switch {
	case s.hosts[host]:
		return exchange.FormPath, nil
	case s.NativeHost(host):
		return exchange.FormNative, nil
	case len(s.hosts) == 0:
		return exchange.FormPath, nil
	}
	return 0, unknownHost(host)
}

// checkAbsolute judges GET http://host/…; net/http takes the Host from it and
// drops the Host field (RFC 9112 section 3.2.2).
func (s *sanitizer) checkAbsolute(r *http.Request, t rawTarget) (exchange.Form, *exchange.Problem) {
	if r.ProtoMajor != 1 {
		return 0, malformed(errTargetForm)
	}
	if strings.Contains(t.authority, "@") {
		return 0, malformed(errTargetUser)
	}
	host, err := canonicalHost(t.authority)
	if err != nil {
		return 0, malformed(err)
	}
	if p := s.checkServerName(r, host); p != nil && !s.AllowAbsolute {
		return 0, p
	}
	switch {
	case s.hosts[host]:
		return exchange.FormPath, nil
	case !s.NativeHost(host):
		return 0, unknownHost(host)
	case !s.AllowAbsolute:
		return 0, exchange.Refuse(exchange.UnknownHost,
			"this listener is no HTTP proxy; use the gateway's own URL, or server.forward_proxy.address for HTTP_PROXY")
	case !strings.EqualFold(t.scheme, "http"):
		return 0, exchange.Refuse(exchange.MalformedRequest,
			"through HTTP_PROXY only http:// URLs can be called; the gateway itself goes on over HTTPS")
	}
	return exchange.FormAbsolute, nil
}

// checkServerName compares Host with the name that the TLS handshake was about.
func (s *sanitizer) checkServerName(r *http.Request, host string) *exchange.Problem {
	if r.TLS == nil || r.TLS.ServerName == "" {
		return nil
	}
	name := strings.ToLower(strings.TrimSuffix(r.TLS.ServerName, "."))
	if name == host || s.SameCertificate(name, host) {
		return nil
	}
	return exchange.Refuse(exchange.UnknownHost, "the connection was made for "+quoted(name)+
		", the request is for "+quoted(host)+"; open a connection for that name")
}

func unknownHost(host string) *exchange.Problem {
	return exchange.Refuse(exchange.UnknownHost,
		quoted(host)+" is neither a name of this gateway (server.hosts) nor an iQmetrix host that it serves")
}
