package exchange

import (
	"net/http"
	"slices"
)

// ProblemType names one kind of gateway-made answer. It ends the "type" URI of
// the problem document and is the key of its entry in docs/errors.md.
type ProblemType string

// Every problem that the gateway makes. Each has its row in [Specs].
const (
	MalformedRequest           ProblemType = "malformed-request"
	MethodNotAllowed           ProblemType = "method-not-allowed"
	ConnectNotSupported        ProblemType = "connect-not-supported"
	BodyTooLarge               ProblemType = "body-too-large"
	URITooLong                 ProblemType = "uri-too-long"
	UnknownHost                ProblemType = "unknown-host"
	HeaderTooLarge             ProblemType = "header-too-large"
	ExpectationFailed          ProblemType = "expectation-failed"
	VersionNotSupported        ProblemType = "http-version-not-supported"
	LoopDetected               ProblemType = "loop-detected"
	CallerUnauthenticated      ProblemType = "caller-unauthenticated"
	ProxyUnauthenticated       ProblemType = "proxy-authentication-required"
	CallerUnverified           ProblemType = "caller-verification-unavailable"
	OwnTokenRejected           ProblemType = "own-token-rejected"
	CallerBlocked              ProblemType = "caller-blocked"
	UnknownService             ProblemType = "unknown-service"
	UnknownRequest             ProblemType = "unknown-request"
	ReplicaUnavailable         ProblemType = "replica-unavailable"
	EnvironmentAmbiguous       ProblemType = "environment-ambiguous"
	NotAllowed                 ProblemType = "not-allowed"
	PathDenied                 ProblemType = "path-denied"
	RequestTimeout             ProblemType = "request-timeout"
	QuotaExceeded              ProblemType = "quota-exceeded"
	QuotaUnavailable           ProblemType = "temporary-reduced-capacity"
	CallerTooFast              ProblemType = "caller-rate-exceeded"
	CallerBusy                 ProblemType = "caller-concurrency-exceeded"
	NotCached                  ProblemType = "not-cached"
	UpstreamBusy               ProblemType = "upstream-concurrency-exceeded"
	BreakerOpen                ProblemType = "breaker-open"
	GatewayOverloaded          ProblemType = "gateway-overloaded"
	TokenUnavailable           ProblemType = "token-unavailable"
	UpstreamCredentialRejected ProblemType = "upstream-credential-rejected"
	UpstreamUnreachable        ProblemType = "upstream-unreachable"
	UpstreamTLS                ProblemType = "upstream-tls-error"
	DestinationProhibited      ProblemType = "destination-prohibited"
	UpstreamProtocol           ProblemType = "upstream-protocol-error"
	UpstreamTimeout            ProblemType = "upstream-timeout"
	InternalError              ProblemType = "internal-error"
)

// ProblemSpec describes a problem type for responses and for the documentation.
type ProblemSpec struct {
	Type       ProblemType
	Status     int
	Title      string
	ProxyError string // error token of Proxy-Status (RFC 9209 section 2.3), "" = none fits
	Meaning    string // when it happens
	Remedy     string // what the caller or operator can do
}

// problemRegistry is where types that are not only ours are registered.
const problemRegistry = "https://iana.org/assignments/http-problem-types#"

// URI returns the registered "type" of t, "" for those that are only ours.
func (t ProblemType) URI() string {
	switch t {
	case QuotaExceeded, QuotaUnavailable:
		return problemRegistry + string(t)
	default:
		return ""
	}
}

// Spec returns the description of t; an unknown type is an internal error.
func (t ProblemType) Spec() ProblemSpec {
	for _, s := range Specs() {
		if s.Type == t {
			return s
		}
	}
	return ProblemSpec{Type: t, Status: http.StatusInternalServerError, Title: "Internal error", ProxyError: "proxy_internal_error"}
}

// Specs returns every problem type, in the order of docs/errors.md.
func Specs() []ProblemSpec {
	return slices.Concat(requestProblems(), callerProblems(), quotaProblems(), loadProblems(), cacheProblems(), upstreamProblems())
}

// requestProblems are about the message itself, whoever sent it.
func requestProblems() []ProblemSpec {
	return []ProblemSpec{
		{
			MalformedRequest, http.StatusBadRequest, "Malformed request", "http_request_error",
			"The request has more than one possible reading, or the gateway would have to change it to forward it: a bad percent escape, a dot segment, a backslash, a broken chunk, a header name with an underscore.",
			"Send the request in the one form that the detail names. Nothing was sent upstream, but for the beginning of a body that broke: see outcome.",
		},
		{
			ConnectNotSupported, http.StatusMethodNotAllowed, "CONNECT is not supported", "http_request_denied",
			"The client uses the gateway as an HTTP proxy for an https:// URL, which would hide the request from the gateway.",
			"Use the gateway's own URL (https://gateway/crm/…), or an http:// URL of the iQmetrix host with HTTP_PROXY: the gateway sends it upstream over HTTPS.",
		},
		{
			MethodNotAllowed, http.StatusMethodNotAllowed, "Method not allowed", "http_request_denied",
			"The method is not one of GET, HEAD, OPTIONS, POST, PUT, PATCH and DELETE.",
			"Use a method that the Allow field lists.",
		},
		{
			BodyTooLarge, http.StatusRequestEntityTooLarge, "Request body too large", "http_request_denied",
			"The request body is larger than the limit of the service (limits.max_body).",
			"Send less at once, or ask the platform team to raise the limit. A write whose length was not announced may have begun upstream: see outcome.",
		},
		{
			URITooLong, http.StatusRequestURITooLong, "URI too long", "http_request_denied",
			"The request target is longer than server.limits.max_uri.",
			"Split the request (fewer ids per call).",
		},
		{
			UnknownHost, http.StatusMisdirectedRequest, "Unknown host", "http_request_denied",
			"The Host field names neither the gateway (server.hosts) nor a host of the catalogue.",
			"Use the gateway's own name or an iQmetrix host that the gateway serves.",
		},
		{
			HeaderTooLarge, http.StatusRequestHeaderFieldsTooLarge, "Request header too large", "http_request_denied",
			"The header is larger than server.limits.max_header or has more than 100 lines.",
			"Send fewer or shorter header fields.",
		},
		{
			RequestTimeout, http.StatusRequestTimeout, "Request timeout", "http_request_error",
			"The caller's request body made no progress for server.limits.body_idle_timeout.",
			"Send the body without long pauses. See outcome: unknown means that the beginning of a write was sent; the upstream should drop it (RFC 9112 section 8), and nobody can promise that it did.",
		},
		{
			ExpectationFailed, http.StatusExpectationFailed, "Expectation failed", "http_request_denied",
			"The Expect field asks for something other than 100-continue.",
			"Remove the field.",
		},
		{
			VersionNotSupported, http.StatusHTTPVersionNotSupported, "HTTP version not supported", "http_request_denied",
			"The request uses a version other than HTTP/1.0, HTTP/1.1 and HTTP/2.",
			"Use HTTP/1.1 or HTTP/2.",
		},
		{
			LoopDetected, http.StatusLoopDetected, "Loop detected", "proxy_loop_detected",
			"The request has already passed through this gateway: the upstream's name resolves to the gateway itself.",
			"Set environments.*.resolver to a DNS server that knows the real addresses.",
		},
	}
}

// callerProblems are about who asks, and for what.
func callerProblems() []ProblemSpec {
	return []ProblemSpec{
		{
			CallerUnauthenticated, http.StatusUnauthorized, "Unknown caller", "http_request_denied",
			"The request carries no valid credentials of a caller of this gateway, or two that disagree.",
			"Send the key in X-Api-Key, as Authorization: Bearer KEY, or as Basic CALLER:KEY. This is never about the iQmetrix credentials.",
		},
		{
			ProxyUnauthenticated, http.StatusProxyAuthRequired, "Proxy authentication required", "http_request_denied",
			"As Unknown caller, of a request that came through HTTP_PROXY. Many clients send the user and password of a proxy only once it has asked for them so.",
			"Give the proxy's URL your caller name and key, http://CALLER:KEY@HOST:PORT, or send the key in X-Api-Key.",
		},
		{
			CallerUnverified, http.StatusServiceUnavailable, "Caller cannot be verified yet", "proxy_internal_error",
			"The request carries a JWT of a known issuer, and the gateway has never been able to fetch that issuer's keys, or not for a day. This says nothing about the token.",
			"Retry after the given time. Operators: /readyz?verbose and the log tell why auth.jwt[].jwks_url gives no keys.",
		},
		{
			OwnTokenRejected, http.StatusUnauthorized, "Own token rejected", "http_request_denied",
			"The upstream answered 401 to the iQmetrix token that the request brought itself (credential: passthrough), to a call that the gateway makes for it. The caller is known, and its key is fine.",
			"Get a new token from iQmetrix and send it as Authorization: Bearer TOKEN.",
		},
		{
			CallerBlocked, http.StatusForbidden, "Caller blocked", "http_request_denied",
			"The caller is known, and the platform team has stopped it for now (callers.NAME.blocked): every request of its is refused, whatever it asks for and whoever could answer.",
			"Ask the platform team why. Repeating the request changes nothing. Operators: `gateway override list` tells who blocked it, why and until when, unless the configuration itself does.",
		},
		{
			UnknownService, http.StatusNotFound, "Unknown service", "destination_not_found",
			"No environment or service of this gateway fits the path or host.",
			"Use /{service}/… or /{environment}/{service}/… with a name from the catalogue.",
		},
		{
			UnknownRequest, http.StatusNotFound, "Unknown request", "",
			"GET /-/requests/{id} was asked for a request, or a trace with a request, that is not there: it has not ended yet, is no longer remembered, was another caller's, or never was. Of a fleet with more than 65 replicas not all are asked for a trace.",
			"Use the id in X-Request-Id of an answer of your own, or the trace_id of a problem. The access log of the platform team goes further back.",
		},
		{
			ReplicaUnavailable, http.StatusServiceUnavailable, "Replica cannot be asked", "",
			"GET /-/requests/{id} was asked for a request that another replica has served, or for a trace that no replica which answers knows, and a replica could not be asked: Redis or that replica does not answer, or too many questions are open, of which a caller has two at most.",
			"Retry after the given time, one question after the other.",
		},
		{
			EnvironmentAmbiguous, http.StatusNotFound, "Environment not named", "destination_not_found",
			"The caller may use several environments, the path names none, and the caller has no default.",
			"Put one of the listed environments first in the path, or set the caller's environment in the configuration.",
		},
		{
			NotAllowed, http.StatusForbidden, "Not allowed", "http_request_denied",
			"The caller is known but has no right to this service, method or path.",
			"Ask the platform team for access (callers.NAME.access).",
		},
		{
			PathDenied, http.StatusForbidden, "Path denied", "http_request_denied",
			"The path hands out or ends tokens, or is otherwise closed to every caller.",
			"There is no way around it; the gateway keeps tokens and sessions itself.",
		},
	}
}

// quotaProblems are about how much may be asked of an upstream. Their types are
// those that draft-ietf-httpapi-ratelimit-headers registers.
func quotaProblems() []ProblemSpec {
	return []ProblemSpec{
		{
			QuotaExceeded, http.StatusTooManyRequests, "Quota exceeded", "http_request_denied",
			"The upstream's quota, or the caller's cap of it, is used up, and the request's turn would come later than it may wait. The detail names the bucket, who holds how much and when it opens.",
			"Retry after the given time; a lower X-Request-Priority may wait longer. Platform teams: services.NAME.quota.shares guarantees a part to a caller, `gateway quota show` tells who uses it.",
		},
		{
			QuotaUnavailable, http.StatusServiceUnavailable, "Temporarily reduced capacity", "http_request_denied",
			"Too many requests wait for the upstream's quota already, or Redis is away and services.NAME.quota.on_store_error is deny.",
			"Retry after the given time. Operators: look at iqgw_quota_queue_depth and iqgw_store_up.",
		},
	}
}

// loadProblems are refusals that keep the gateway and the upstream alive.
func loadProblems() []ProblemSpec {
	return []ProblemSpec{
		{
			CallerTooFast, http.StatusTooManyRequests, "Too many requests", "http_request_denied",
			"The caller sends more than its own rate and burst allow (callers.NAME.rate_limit.rate and burst), counted over all replicas, stored answers included. This is not about the quota of iQmetrix.",
			"Send more slowly, and again after the given time; or ask the platform team for a higher rate. Nothing was sent upstream.",
		},
		{
			CallerBusy, http.StatusTooManyRequests, "Too many requests at once", "http_request_denied",
			"The caller has as many requests under way as it may (callers.NAME.rate_limit.concurrency), over all replicas; or all that this replica has of them, and the others have the rest.",
			"Wait for answers before sending more, or ask the platform team for a higher number. Nothing was sent upstream.",
		},
		{
			UpstreamBusy, http.StatusServiceUnavailable, "Too many requests to the upstream", "connection_limit_reached",
			"As many requests to the upstream are under way as this replica sends at once (services.NAME.limits.max_in_flight), and none ended in time; or as many wait, and the place of this one went to a caller with fewer.",
			"Retry after the given time. Operators: the upstream is slower than usual, or the limit too low for it.",
		},
		{
			BreakerOpen, http.StatusServiceUnavailable, "Circuit breaker open", "destination_unavailable",
			"The upstream has failed too often lately, or an operator has stopped it: requests to it are refused at once until a probe succeeds.",
			"Retry after the given time. `gateway breaker list` tells why it opened and when the next probe goes out.",
		},
		{
			GatewayOverloaded, http.StatusServiceUnavailable, "Gateway overloaded", "connection_limit_reached",
			"This replica is short of memory, or serves as many calls of its token endpoint as it can, and takes no new work before it has finished some.",
			"Retry after the given time. Operators: add replicas or memory (server.limits.max_memory).",
		},
	}
}

// cacheProblems are about what the gateway has in store.
func cacheProblems() []ProblemSpec {
	return []ProblemSpec{
		{
			NotCached, http.StatusGatewayTimeout, "Not in the cache", "",
			"The request asks for a stored answer and nothing else (Cache-Control: only-if-cached), and the gateway has none that it may use. The upstream was not asked.",
			"Send it without only-if-cached: its answer can then be stored for the next one.",
		},
	}
}

// upstreamProblems are about the far side, or the gateway itself.
func upstreamProblems() []ProblemSpec {
	return []ProblemSpec{
		{
			TokenUnavailable, http.StatusServiceUnavailable, "No upstream token", "proxy_internal_error",
			"The gateway holds no valid token for this credential and could not get one.",
			"Retry after the given time. Operators: look at the token metrics and the log for the reason.",
		},
		{
			UpstreamCredentialRejected, http.StatusBadGateway, "Upstream refused the gateway's credential", "http_request_denied",
			"The upstream answered 401 to the gateway's own token, also after one replacement. The caller's credentials are fine.",
			"Operators: check the account's rights and whether the service belongs to the credential's environment.",
		},
		{
			UpstreamUnreachable, http.StatusBadGateway, "Upstream unreachable", "destination_unavailable",
			"No connection to the upstream could be made, or it ended before an answer came.",
			"See outcome: not_executed may be repeated; unknown may have been executed.",
		},
		{
			UpstreamTLS, http.StatusBadGateway, "Upstream TLS error", "tls_certificate_error",
			"The TLS handshake with the upstream failed or its certificate is not trusted. Nothing was sent.",
			"Operators: check the upstream's certificate and environments.*.upstream_tls.",
		},
		{
			DestinationProhibited, http.StatusBadGateway, "Destination prohibited", "destination_ip_prohibited",
			"The upstream's name resolved to an address that this gateway never calls. Nothing was sent.",
			"Operators: check the DNS of the upstream's host, or environments.*.resolver.",
		},
		{
			UpstreamProtocol, http.StatusBadGateway, "Bad upstream answer", "http_protocol_error",
			"The upstream's answer was not well-formed HTTP.",
			"See outcome. Operators: the log has the cause.",
		},
		{
			UpstreamTimeout, http.StatusGatewayTimeout, "Upstream timeout", "http_response_timeout",
			"The upstream did not answer in time, or the caller's own deadline passed.",
			"See outcome; operators can raise timeouts of the service.",
		},
		{
			InternalError, http.StatusInternalServerError, "Internal error", "proxy_internal_error",
			"A defect of the gateway. The process goes on.",
			"Report it with the request id.",
		},
	}
}
