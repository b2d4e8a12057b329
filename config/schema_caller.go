package config

// Auth is how callers prove who they are.
type Auth struct {
	// KeyHeaders carry a caller's key, beside Authorization: Bearer KEY and
	// Basic CALLER:KEY.
	KeyHeaders []HeaderName `yaml:"key_headers" default:"[X-Api-Key]"`
	// JWT are the issuers whose tokens name callers.
	JWT []JWTIssuer `yaml:"jwt"`
	// TokenEndpoint lets clients keep their own token call.
	TokenEndpoint TokenEndpoint `yaml:"token_endpoint"`
}

// JWTIssuer is who may vouch for callers by JWT.
type JWTIssuer struct {
	// Issuer is the iss claim, exactly.
	Issuer string `yaml:"issuer" required:"true"`
	// Audience must stand in the aud claim.
	Audience string `yaml:"audience" required:"true"`
	// JWKSURL is where the issuer's keys are.
	JWKSURL URL `yaml:"jwks_url" required:"true"`
	// CAFile holds the roots (PEM) for that URL; empty = the system's.
	CAFile File `yaml:"ca_file"`
	// TokenFile holds a bearer token for that URL, as a Kubernetes API server
	// wants one; it is read for each call. Empty = none.
	TokenFile File `yaml:"token_file"`
}

// TokenEndpoint answers a client's own token call with a gateway token, in
// exchange for the caller's key.
type TokenEndpoint struct {
	// Enabled turns it on.
	Enabled bool `yaml:"enabled" default:"false"`
	// SigningKey signs gateway tokens: 32 bytes, base64; the same on every
	// replica.
	SigningKey Key `yaml:"signing_key"`
	// PreviousKeys sign nothing any more, but tokens that they have signed stay
	// good: rotate without ending any.
	PreviousKeys []Key `yaml:"previous_keys"`
	// TTL of a gateway token.
	TTL Duration `yaml:"ttl" default:"1h" range:"1m..24h"`
}

// Caller is an internal application.
type Caller struct {
	// Environment is meant when a request names none; needed only by callers
	// that may use several.
	Environment string `yaml:"environment"`
	// Keys that it may present. Two allow to rotate.
	Keys []CallerKey `yaml:"keys"`
	// Certificates that it may present.
	Certificates []CallerCertificate `yaml:"certificates"`
	// Subjects of JWTs that name it.
	Subjects []CallerSubject `yaml:"subjects"`
	// Access is what it may use: everything else is refused.
	Access []Access `yaml:"access" required:"true"`
	// Class of its requests.
	Class string `yaml:"class" default:"interactive" enum:"interactive|batch|background"`
	// Classes that it may ask for with X-Request-Priority, beside its own.
	Classes []string `yaml:"classes" enum:"interactive|batch|background"`
	// Share is what it may count on in every bucket that names no share for it.
	Share Share `yaml:"share"`
	// RateLimit bounds it before any cache or quota.
	RateLimit CallerLimit `yaml:"rate_limit"`
	// Cache false never answers it from the cache.
	Cache bool `yaml:"cache" default:"true"`
	// Blocked refuses every request of the caller, stored answers included,
	// until it is taken back.
	Blocked bool `yaml:"blocked" default:"false"`
}

// CallerKey is a key, known by its digest only.
type CallerKey struct {
	// ID names the key in logs.
	ID string `yaml:"id" required:"true"`
	// SHA256 of the key, 64 hexadecimal digits (`gateway key hash`).
	SHA256 Digest `yaml:"sha256" required:"true"`
	// Expires is the last day on which the key works (UTC), or an instant as in
	// RFC 3339; none = never.
	Expires Date `yaml:"expires" default:"none" none:"limit"`
}

// CallerCertificate identifies a client certificate by one name in it.
type CallerCertificate struct {
	// URI among the subject alternative names, such as a SPIFFE id.
	URI string `yaml:"uri"`
	// DNS name among the subject alternative names.
	DNS string `yaml:"dns"`
}

// CallerSubject identifies a JWT.
type CallerSubject struct {
	// Issuer is one of auth.jwt.
	Issuer string `yaml:"issuer" required:"true"`
	// Subject is the sub claim, exactly.
	Subject string `yaml:"subject" required:"true"`
}

// Access is what a caller may do with one credential.
type Access struct {
	// Credential to use, or passthrough: the caller sends a token of its own,
	// which gets a bucket of its own and is never cached.
	Credential string `yaml:"credential" required:"true"`
	// Environment of a passthrough; others have their credential's.
	Environment string `yaml:"environment"`
	// Until is the last day of this access (UTC), or an instant as in RFC 3339;
	// none = for ever, which a passthrough may not be.
	Until Date `yaml:"until" default:"none" none:"limit"`
	// Default decides between two credentials for one service.
	Default bool `yaml:"default" default:"false"`
	// Services that it may use, by name or alias; "*" = every service that is
	// not sensitive.
	Services map[string]Grant `yaml:"services" required:"true"`
}

// Grant is what a caller may do with a service: the word read (GET, HEAD,
// OPTIONS and the catalogue's reading POSTs), the word write (all methods), or
// methods and paths.
type Grant struct {
	_ struct{} `shorthand:"level"`
	// Level is read or write; empty when methods and paths decide.
	Level string `yaml:"level" enum:"read|write"`
	// Methods that are allowed; empty = as level read.
	Methods []string `yaml:"methods"`
	// Paths that are allowed, matched on the raw path; empty = all.
	Paths []Pattern `yaml:"paths"`
}

// CallerLimit bounds a caller before any cache or quota.
type CallerLimit struct {
	// Rate of requests; none = no limit.
	Rate Rate `yaml:"rate" default:"none" none:"limit"`
	// Burst of requests above the rate; none = one second's worth.
	Burst int `yaml:"burst" default:"none" none:"limit" range:"1..1000000"`
	// Concurrency is requests at once; none = no limit.
	Concurrency int `yaml:"concurrency" default:"none" none:"limit" range:"1..1000000"`
}
