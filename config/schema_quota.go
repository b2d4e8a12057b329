package config

// Quota is the upstream's limit and who may use how much of it.
type Quota struct {
	// Kind is window (so many per fixed window), concurrency (so many at once)
	// or none.
	Kind string `yaml:"kind" default:"window" enum:"window|concurrency|none"`
	// Assume is the limit until the upstream's own headers say otherwise; none
	// = nothing is assumed.
	Assume Rate `yaml:"assume" default:"none" none:"limit"`
	// Max is the tokens of each window (or requests at once) that we may use;
	// none = all that the upstream allows.
	Max int `yaml:"max" default:"none" none:"limit" range:"1..1000000000"`
	// Scope is what the upstream counts by.
	Scope string `yaml:"scope" default:"client" enum:"client|credential|egress"`
	// OutsideUse is polite to leave room for others that use the same quota.
	OutsideUse string `yaml:"outside_use" default:"greedy" enum:"greedy|polite"`
	// Shares are what single callers may count on, by caller. Others get the
	// share of their caller entry.
	Shares map[string]Share `yaml:"shares"`
	// Enforce false is a shadow mode: decide and count, never hold.
	Enforce bool `yaml:"enforce" default:"true"`
	// OnStoreError is what happens while Redis is away: local (a local part of
	// the limit), deny or allow. Danger: allow overshoots the upstream's limit.
	OnStoreError string `yaml:"on_store_error" default:"local" enum:"local|deny|allow"`
	// MaxWait is how long a request may wait for its turn.
	MaxWait MaxWait `yaml:"max_wait"`
}

// MaxWait is how long a request may wait for quota, by class. A wait is cut to
// timeouts.total; 0s = never wait.
type MaxWait struct {
	// Interactive requests: somebody looks at a screen.
	Interactive Duration `yaml:"interactive" default:"2s" range:"0s..24h"`
	// Batch requests.
	Batch Duration `yaml:"batch" default:"60s" range:"0s..24h"`
	// Background requests.
	Background Duration `yaml:"background" default:"110s" range:"0s..24h"`
	// Unsafe is the upper bound for writes of any class.
	Unsafe Duration `yaml:"unsafe" default:"25s" range:"0s..24h"`
}

// Share is what a caller may count on in a bucket.
type Share struct {
	_ struct{} `shorthand:"guarantee"`
	// Guarantee is the part of each window that it always gets: a percentage or
	// a number of tokens.
	Guarantee Amount `yaml:"guarantee" default:"none" none:"limit"`
	// Cap is the most that it gets; none = no cap.
	Cap Amount `yaml:"cap" default:"none" none:"limit"`
	// Weight divides what is left among the callers that want it.
	Weight int `yaml:"weight" default:"1" range:"1..1000"`
}
