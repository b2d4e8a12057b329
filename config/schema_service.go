package config

// Service is the settings of one service. The same type serves defaults, the
// catalogue, services and environments.*.services; maps merge, lists replace.
type Service struct {
	// Host is the host stem in {host}{suffix}.iqmetrix.net; empty = the
	// service's name.
	Host string `yaml:"host"`
	// Prefix is the path on the host under which the service lies, such as
	// /rqpurchaseorders on the shared host api; empty = the root.
	Prefix PathPrefix `yaml:"prefix"`
	// URL replaces host and prefix. {suffix} is the environment's, {service}
	// the host stem. It does not reach into environments with a url of their
	// own.
	URL URLTemplate `yaml:"url"`
	// Aliases are further names, usable in URLs, access rules and settings.
	Aliases []string `yaml:"aliases"`
	// APIs are the provider's names of what this service offers.
	APIs []string `yaml:"apis"`
	// Document is the provider's page about it.
	Document URL `yaml:"document"`
	// Ping is a cheap path that answers without a token, for probes; empty =
	// not known.
	Ping string `yaml:"ping"`

	// Proxied is false for a service that is listed only, see reason.
	Proxied bool `yaml:"proxied" default:"true"`
	// Reason says why a service is not proxied.
	Reason string `yaml:"reason"`
	// Authentication is bearer (a token of the credential), anonymous (none,
	// counted by the anonymous quota) or none (credentials are in the body).
	Authentication string `yaml:"authentication" default:"bearer" enum:"bearer|anonymous|none"`
	// Anonymous are paths that need no token.
	Anonymous []Pattern `yaml:"anonymous"`
	// Denied are paths that no caller may use. They match decoded and
	// case-folded paths, as the upstream does.
	Denied []Pattern `yaml:"denied"`
	// SideEffects are requests that need the right to write whatever their
	// method is.
	SideEffects []SideEffect `yaml:"side_effects"`
	// Reads are POSTs that only read.
	Reads []ReadingPost `yaml:"reads"`
	// Sensitive services are not part of "*" in access rules.
	Sensitive bool `yaml:"sensitive" default:"false"`

	// Timeouts bound one request to the upstream.
	Timeouts Timeouts `yaml:"timeouts"`
	// Retry is when an attempt is repeated.
	Retry Retry `yaml:"retry"`
	// Breaker stops requests to an upstream that fails.
	Breaker Breaker `yaml:"breaker"`
	// ThrottleBreaker stops requests after 429s that carry no usable reset.
	ThrottleBreaker ThrottleBreaker `yaml:"throttle_breaker"`
	// ClientMistakes are failures of requests that were wrong, as the upstream
	// words them: the breaker does not count them, and nothing repeats them.
	ClientMistakes []ClientMistake `yaml:"client_mistakes"`
	// Replayable are writes that may be sent again when nobody knows whether
	// they were executed.
	Replayable []ReplayableWrite `yaml:"replayable"`
	// Quota is the upstream's limit and who may use how much of it.
	Quota Quota `yaml:"quota"`
	// Limits protect the gateway and the upstream.
	Limits ServiceLimits `yaml:"limits"`
	// Cache is which answers are kept.
	Cache ServiceCache `yaml:"cache"`
	// Session keeps the upstream's session.
	Session Session `yaml:"session"`
	// Headers are fields of a request that pass the allow-list.
	Headers Headers `yaml:"headers"`
}

// SideEffect marks requests that change something although their method is
// safe. Path and parameter match decoded and case-folded.
type SideEffect struct {
	// Path pattern of the requests.
	Path Pattern `yaml:"path" required:"true"`
	// Parameter of the query that makes the difference; empty = every request
	// to the path.
	Parameter string `yaml:"parameter"`
	// Values of the parameter that do, in any case; a leading * stands for any
	// beginning; empty = any value.
	Values []string `yaml:"values"`
}

// ReadingPost is a POST that only reads.
type ReadingPost struct {
	// Path pattern, matched on the raw path: it grants.
	Path Pattern `yaml:"path" required:"true"`
	// WithoutBody grants it only to requests without a body, where a body could
	// carry parameters that write.
	WithoutBody bool `yaml:"without_body" default:"false"`
}

// ClientMistake is an answer that looks like a failure of the upstream and is
// one of the request.
type ClientMistake struct {
	// Path pattern of the requests, matched on the raw path.
	Path Pattern `yaml:"path" required:"true"`
	// Status of the answer.
	Status int `yaml:"status" default:"500" range:"400..599"`
	// Body is a text within its first 4 KiB, in any case; empty = any body.
	Body string `yaml:"body"`
}

// ReplayableWrite is a write whose repetition changes nothing more, because the
// caller has chosen the identifier of what it writes.
type ReplayableWrite struct {
	// Path pattern of the requests, matched on the raw path: it grants.
	Path Pattern `yaml:"path" required:"true"`
	// Method of the requests.
	Method string `yaml:"method" default:"PUT" enum:"POST|PUT|PATCH|DELETE"`
}

// Timeouts bound one request to the upstream.
type Timeouts struct {
	// Connect bounds DNS, TCP and TLS together.
	Connect Duration `yaml:"connect" default:"2s" range:"1ms..5m"`
	// ResponseHeader is how long the upstream may take to begin its answer.
	ResponseHeader Duration `yaml:"response_header" default:"30s" none:"limit" range:"1ms..24h"`
	// BodyIdle is how long a body may pause, in either direction: how long the
	// upstream may send nothing of its answer, or take nothing of the request.
	BodyIdle Duration `yaml:"body_idle" default:"30s" none:"limit" range:"1ms..24h"`
	// Total bounds the exchange: waiting for quota, all attempts, the body.
	Total Duration `yaml:"total" default:"120s" none:"limit" range:"1ms..24h"`
}

// Retry is when an attempt is repeated: safe or proven-unsent requests only.
type Retry struct {
	// MaxAttempts in total, whatever repeats; 1 = never repeat what failed. One
	// repetition after a 401 or a 429, which were not executed, is always left.
	MaxAttempts int `yaml:"max_attempts" default:"3" range:"1..10"`
	// Budget is how many repetitions there may be per request, over all
	// requests to the service.
	Budget Ratio `yaml:"budget" default:"10%"`
	// Statuses that are repeated.
	Statuses []int `yaml:"statuses" default:"[502, 503, 504]" range:"400..599"`
}

// Breaker stops requests to an upstream that fails.
type Breaker struct {
	// Window is the time over which failures are counted.
	Window Duration `yaml:"window" default:"30s" range:"1s..1h"`
	// MinRequests in the window before the ratio means anything; as many
	// failures in a row open the breaker whatever was before.
	MinRequests int `yaml:"min_requests" default:"20" range:"1..1000000"`
	// FailureRatio from which the breaker opens.
	FailureRatio Ratio `yaml:"failure_ratio" default:"0.5"`
	// OpenFor is how long it stays open at first; doubles while the upstream
	// fails probes. Where nothing listens, the next probe follows after it.
	OpenFor Duration `yaml:"open_for" default:"1s" range:"10ms..1h"`
	// OpenForMax is where doubling ends.
	OpenForMax Duration `yaml:"open_for_max" default:"30s" range:"10ms..24h"`
	// HalfOpenProbes that may run at once, per fleet; as many must succeed.
	HalfOpenProbes int `yaml:"half_open_probes" default:"1" range:"1..1000"`
	// Failures is what counts as one.
	Failures []string `yaml:"failures" default:"[5xx, timeout, connect]" enum:"5xx|timeout|connect"`
	// ActiveProbe asks the service's ping every open_for while open; costs quota.
	ActiveProbe bool `yaml:"active_probe" default:"false"`
}

// ThrottleBreaker stops requests after 429s that carry no usable reset.
type ThrottleBreaker struct {
	// Consecutive such answers that open it.
	Consecutive int `yaml:"consecutive" default:"3" range:"1..1000"`
	// OpenFor is how long.
	OpenFor Duration `yaml:"open_for" default:"10s" range:"100ms..1h"`
}

// ServiceLimits protect the gateway and the upstream.
type ServiceLimits struct {
	// MaxBody bounds a request's body.
	MaxBody Size `yaml:"max_body" default:"32MiB" none:"limit" range:"1B..1TiB"`
	// MaxInFlight bounds requests to the service that run at once, per replica.
	MaxInFlight int `yaml:"max_in_flight" default:"256" none:"limit" range:"1..1000000"`
}

// Session keeps the upstream's session on behalf of callers.
type Session struct {
	// Cookies of the upstream are kept per credential and sent with every
	// request; callers never see them.
	Cookies bool `yaml:"cookies" default:"false"`
	// PreferredEndpoint sends requests to the host that the upstream's session
	// call names, within the environment's domain.
	PreferredEndpoint bool `yaml:"preferred_endpoint" default:"false"`
}

// Headers are fields of a request that pass the allow-list.
type Headers struct {
	// Forward names further fields that go upstream, such as SOAPAction.
	Forward []HeaderName `yaml:"forward"`
}
