package config

// ServiceCache is which answers of a service are kept.
type ServiceCache struct {
	// Mode is policy (only what a rule names is stored), rfc9111 (obey the
	// upstream's own headers) or none.
	Mode string `yaml:"mode" default:"policy" enum:"policy|rfc9111|none"`
	// Catalogue is what becomes of the catalogue's rules: apply, suggest (only
	// count what would have hit) or ignore.
	Catalogue string `yaml:"catalogue" default:"apply" enum:"apply|suggest|ignore"`
	// Targeted obeys CDN-Cache-Control (RFC 9213) before Cache-Control, in mode
	// rfc9111: for upstreams that mean this gateway by it.
	Targeted bool `yaml:"targeted" default:"false"`
	// MaxObject is the largest answer that is stored.
	MaxObject Size `yaml:"max_object" default:"4MiB" range:"1B..1GiB"`
	// Rules by path pattern; a rule of the configuration beats every rule of
	// the catalogue, then the most specific one wins.
	Rules []CacheRule `yaml:"rules"`
}

// CacheRule says how long answers to a path may be kept.
type CacheRule struct {
	// Path pattern, matched on the raw path.
	Path Pattern `yaml:"path" required:"true"`
	// TTL is how long an answer is fresh; none = not stored.
	TTL Duration `yaml:"ttl" required:"true" none:"storing" range:"1s..8760h"`
	// NegativeTTL is how long a 404 or 410 is fresh; none = not stored.
	NegativeTTL Duration `yaml:"negative_ttl" default:"none" none:"storing" range:"1s..24h"`
	// StaleWhileRevalidate is how long a stale answer is served while a new one
	// is fetched.
	StaleWhileRevalidate Duration `yaml:"stale_while_revalidate" default:"none" none:"stale answers" range:"1s..8760h"`
	// StaleIfError is how long a stale answer is served while the upstream
	// fails, its breaker is open or its quota is spent.
	StaleIfError Duration `yaml:"stale_if_error" default:"none" none:"stale answers" range:"1s..8760h"`
	// Share is who may be given the answer: every caller of the credential, or
	// the caller only.
	Share string `yaml:"share" default:"credential" enum:"credential|caller"`
	// Vary are request fields that the answer depends on.
	Vary []HeaderName `yaml:"vary" default:"[Accept, Accept-Language]"`
	// NoCache is what a caller's no-cache or max-age=0 does in mode policy:
	// limit asks the upstream at most once a second for one answer, obey asks it
	// each time, ignore never. Danger: with obey a caller spends quota as it
	// likes.
	NoCache string `yaml:"no_cache" default:"limit" enum:"limit|obey|ignore"`
	// Tags are words by which answers can be purged, such as prices.
	Tags []string `yaml:"tags"`
	// Invalidates are paths whose stored answers a write to this path drops.
	Invalidates []Pattern `yaml:"invalidates"`
}
