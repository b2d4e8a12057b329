package config

// Server is where callers connect.
type Server struct {
	// Address is the listener of callers, host:port; an empty host is every
	// interface.
	Address HostPort `yaml:"address" default:"127.0.0.1:8443"`
	// Hosts are the names that path-form callers may use; empty = any. A
	// self-signed certificate has those of the start.
	Hosts []string `yaml:"hosts"`
	// TLS is how the listener encrypts and which callers' certificates it knows.
	TLS ServerTLS `yaml:"tls"`
	// ForwardProxy is a listener for absolute-form clients (HTTP_PROXY).
	ForwardProxy *ForwardProxy `yaml:"forward_proxy"`
	// Limits protect the gateway from its callers.
	Limits ServerLimits `yaml:"limits"`
	// ResponseHeaders is how much the gateway adds to an answer: minimal = ids,
	// cache and Retry-After; debug = timings too.
	ResponseHeaders string `yaml:"response_headers" default:"standard" enum:"minimal|standard|debug"`
	// TrustedProxies are the networks (CIDR) whose X-Forwarded-For names the
	// peer in logs. It never decides who a caller is.
	TrustedProxies []Prefix `yaml:"trusted_proxies"`
	// LameDuck is how long the gateway says not ready, and still serves, before
	// it stops accepting: longer than readiness takes to reach every balancer.
	LameDuck Duration `yaml:"lame_duck" default:"5s" range:"0s..10m"`
	// DrainTimeout is how long running requests may take to end after that; then
	// they are cut. Whatever kills must wait 5 s longer than both together.
	DrainTimeout Duration `yaml:"drain_timeout" default:"30s" range:"0s..1h"`
}

// ServerTLS is how the callers' listener encrypts.
type ServerTLS struct {
	// Mode is files (certificates below), acme, self_signed (a local CA, made
	// on first use) or none (plain HTTP).
	Mode string `yaml:"mode" default:"self_signed" enum:"files|acme|self_signed|none"`
	// AllowPlaintext permits mode none beyond loopback. Danger: keys of callers
	// and customers' data cross the network readable.
	AllowPlaintext bool `yaml:"allow_plaintext" default:"false"`
	// Certificates are chosen by server name; renewed files are picked up.
	Certificates []CertificateFiles `yaml:"certificates"`
	// ClientCAFile holds the CA certificates (PEM) that callers' certificates
	// must chain to; empty = no client certificates.
	ClientCAFile File `yaml:"client_ca_file"`
	// ACME gets certificates from a CA that speaks ACME (RFC 8555).
	ACME ACME `yaml:"acme"`
}

// CertificateFiles is a certificate with its key, in PEM files.
type CertificateFiles struct {
	// CertFile holds the certificate and its chain.
	CertFile File `yaml:"cert_file" required:"true"`
	// KeyFile holds the private key.
	KeyFile File `yaml:"key_file" required:"true"`
}

// ACME says where certificates come from in mode acme.
type ACME struct {
	// Domains are the names to hold a certificate for.
	Domains []string `yaml:"domains"`
	// Email is the account's contact.
	Email string `yaml:"email"`
	// CA is the URL of the directory; empty = Let's Encrypt.
	CA URL `yaml:"ca"`
	// CARootFile holds the root (PEM) of a private CA's own endpoint.
	CARootFile File `yaml:"ca_root_file"`
	// HTTPAddress is the listener for HTTP-01 challenges; empty = TLS-ALPN-01
	// only.
	HTTPAddress HostPort `yaml:"http_address" empty:"absent"`
}

// ForwardProxy is a plain-HTTP listener for clients that use HTTP_PROXY.
type ForwardProxy struct {
	// Address must be loopback: callers' keys cross it readable.
	Address HostPort `yaml:"address" required:"true"`
}

// ServerLimits protect the gateway from its callers.
type ServerLimits struct {
	// MaxHeader bounds the header of a request.
	MaxHeader Size `yaml:"max_header" default:"32KiB" range:"1KiB..1MiB"`
	// MaxURI bounds path and query.
	MaxURI Size `yaml:"max_uri" default:"16KiB" range:"256B..1MiB"`
	// MaxBody bounds a request's body; limits.max_body of a service may be
	// lower.
	MaxBody Size `yaml:"max_body" default:"32MiB" none:"limit" range:"1B..1TiB"`
	// MaxConnections bounds open connections of callers.
	MaxConnections int `yaml:"max_connections" default:"10000" none:"limit" range:"1..10000000"`
	// MaxMemory is what the process may use, the cache included: above 90 % of it
	// new requests are refused with 503 until it is below 85 %. Where it is known,
	// garbage is collected less often (GOGC and GOMEMLIMIT are obeyed if set).
	// auto = the smaller of the control group's limit and GOMEMLIMIT.
	MaxMemory AutoSize `yaml:"max_memory" default:"auto" none:"limit" range:"64MiB..64TiB"`
	// ReadHeaderTimeout is how long a request's header may take.
	ReadHeaderTimeout Duration `yaml:"read_header_timeout" default:"5s" range:"10ms..10m"`
	// BodyIdleTimeout is how long a request's body may pause.
	BodyIdleTimeout Duration `yaml:"body_idle_timeout" default:"30s" none:"limit" range:"10ms..1h"`
	// WriteIdleTimeout is how long a caller may take no byte of an answer.
	WriteIdleTimeout Duration `yaml:"write_idle_timeout" default:"30s" none:"limit" range:"10ms..1h"`
	// IdleTimeout is how long a kept-alive connection may rest.
	IdleTimeout Duration `yaml:"idle_timeout" default:"120s" none:"limit" range:"10ms..24h"`
}

// Admin is the administration listener: everything, changes too.
type Admin struct {
	// Address is host:port; beyond loopback only with a token or client
	// certificates.
	Address HostPort `yaml:"address" default:"127.0.0.1:9090"`
	// Token allows to read and change. Without it, client certificates of
	// tls.client_ca_file do, and nothing else; with both, both are needed.
	Token Secret `yaml:"token"`
	// ReadToken allows to read.
	ReadToken Secret `yaml:"read_token"`
	// Hosts are the names it answers to, beside its address: a page in a
	// browser must not reach it under a name of its own (DNS rebinding).
	Hosts []string `yaml:"hosts"`
	// TLS encrypts the listener; without files it is plain HTTP.
	TLS ListenerTLS `yaml:"tls"`
	// Pprof serves Go's profiles below /debug/pprof/ to whoever may change.
	// Danger: a heap profile may hold secrets.
	Pprof bool `yaml:"pprof" default:"false"`
}

// ListenerTLS is the certificate of a listener; all empty = plain HTTP.
type ListenerTLS struct {
	// CertFile holds the certificate and its chain (PEM).
	CertFile File `yaml:"cert_file"`
	// KeyFile holds the private key (PEM).
	KeyFile File `yaml:"key_file"`
	// ClientCAFile makes client certificates of this CA (PEM) mandatory.
	ClientCAFile File `yaml:"client_ca_file"`
}

// Status is a listener for probes and scrapers, without a secret.
type Status struct {
	// Address is host:port.
	Address HostPort `yaml:"address" required:"true"`
}

// Redis is the store that replicas share.
type Redis struct {
	// Addresses are host:port of the server, of the sentinels, or of some nodes
	// of the cluster.
	Addresses []HostPort `yaml:"addresses" required:"true"`
	// Mode is what the addresses are; auto asks the server.
	Mode string `yaml:"mode" default:"auto" enum:"auto|single|sentinel|cluster"`
	// MasterName is the name that sentinels know the master by.
	MasterName string `yaml:"master_name"`
	// SentinelPassword is the sentinels' own password.
	SentinelPassword Secret `yaml:"sentinel_password"`
	// Username is the ACL user; empty = default.
	Username string `yaml:"username"`
	// Password of the user.
	Password Secret `yaml:"password"`
	// TLS encrypts the connections.
	TLS RedisTLS `yaml:"tls"`
	// KeyPrefix begins every key name.
	KeyPrefix string `yaml:"key_prefix" default:"iqgw"`
	// Timeout bounds each command; a request never waits longer for Redis.
	Timeout Duration `yaml:"timeout" default:"50ms" range:"1ms..5s"`
	// EncryptionKeys seal tokens and certificates: 32 bytes each, base64. The
	// first seals, all open: rotate by prepending. Without, tokens and
	// certificates stay out of Redis.
	EncryptionKeys []Key `yaml:"encryption_keys"`
	// NameKey hides names of callers and credentials in key names: 32 bytes,
	// base64. Danger: another key finds none of what was stored under the old.
	NameKey Key `yaml:"name_key"`
}

// RedisTLS encrypts connections to Redis.
type RedisTLS struct {
	// Enabled turns TLS on.
	Enabled bool `yaml:"enabled" default:"false"`
	// CAFile holds the root (PEM) of the server's certificate; empty = the
	// system's roots.
	CAFile File `yaml:"ca_file"`
}
