package config

// Environment is one set of upstream hosts.
type Environment struct {
	// URL is where every host of the catalogue is found in this environment,
	// with {service} for the host stem and {suffix}; empty = the provider's
	// hosts.
	URL URLTemplate `yaml:"url"`
	// Suffix ends every host stem: "" in production, demo in the sandbox, rc.
	Suffix string `yaml:"suffix"`
	// Resolver is a DNS server, host:port, for the upstreams' names: needed
	// when your own DNS points the native names at this gateway.
	Resolver HostPort `yaml:"resolver" empty:"absent"`
	// TrustedTracing sends traceparent upstream.
	TrustedTracing bool `yaml:"trusted_tracing" default:"false"`
	// AllowPlaintext permits http:// upstreams beyond loopback. Danger: the
	// token crosses the network readable.
	AllowPlaintext bool `yaml:"allow_plaintext" default:"false"`
	// UpstreamTLS is the trust in upstreams and our certificate there.
	UpstreamTLS UpstreamTLS `yaml:"upstream_tls"`
	// ProxyURL is the company's egress proxy; it is never taken from the
	// environment variables of the process. Empty = none. As a whole it may be
	// ${env:NAME} or ${file:/path}: it may hold a password.
	ProxyURL ProxyURL `yaml:"proxy_url"`
	// Services are settings by service for this environment only.
	Services map[string]Service `yaml:"services"`
}

// UpstreamTLS is the trust in an environment's upstreams.
type UpstreamTLS struct {
	// CAFile holds the roots (PEM); empty = the system's.
	CAFile File `yaml:"ca_file"`
	// CertFile holds our client certificate (PEM); empty = none.
	CertFile File `yaml:"cert_file"`
	// KeyFile holds its private key (PEM).
	KeyFile File `yaml:"key_file"`
}

// Credential is an iQmetrix account in one environment.
type Credential struct {
	// Environment that the account belongs to.
	Environment string `yaml:"environment" required:"true"`
	// Grant is how tokens are got. refresh_token logs in with the password once
	// and then refreshes; danger: each refresh revokes the token before it, also
	// one that another replica or application still uses.
	Grant string `yaml:"grant" default:"password" enum:"password|refresh_token|client_credentials"`
	// TokenURL is the token endpoint; empty = the environment's accounts
	// service, /v1/oauth2/token.
	TokenURL URL `yaml:"token_url"`
	// ClientID is the OAuth client.
	ClientID Secret `yaml:"client_id" required:"true" literal:"ok"`
	// ClientSecret is the client's secret.
	ClientSecret Secret `yaml:"client_secret" required:"true"`
	// Username of the account; not for client_credentials.
	Username Secret `yaml:"username" literal:"ok"`
	// Password of the account; not for client_credentials.
	Password Secret `yaml:"password"`
	// RefreshAhead is how long before its expiry a token is replaced.
	RefreshAhead Duration `yaml:"refresh_ahead" default:"10m" range:"1s..6h"`
	// QuotaGroup joins credentials that one upstream counter counts together,
	// whatever scope says; empty = none.
	QuotaGroup string `yaml:"quota_group"`
}
