// Package config reads the gateway's configuration: one strict YAML schema,
// merged from the built-in catalogue, files, environment variables and flags,
// and checked as a whole. Each effective value knows where it comes from.
//
// The schema_*.go files are the reference of the schema: `gateway config
// schema` takes its descriptions from the comments there. Their struct tags
// mean:
//
//	yaml:"key"        name of the key
//	default:"text"    value where no source gives one, written as in YAML
//	enum:"a|b"        the only texts allowed (of each element, in a list)
//	range:"1..10"     bounds of a number, a duration or a size, both included
//	none:"limit"      the word none is allowed and decodes to the zero value
//	required:"true"   some source must give it
//	shorthand:"key"   on a struct's blank field: a bare value stands for {key: value}
//	literal:"ok"      a secret that may be written in the open
//	empty:"absent"    an address that may be empty, which means none
package config

// Document is the whole configuration as it is written, environment variables
// and flags included, with defaults filled in where a section does not depend
// on a service. Settings of services are effective only in an
// [EffectiveService].
type Document struct {
	// Version of the schema; this is version 1.
	Version int `yaml:"version" required:"true" range:"1..1"`
	// Include names further files, as patterns relative to this file; they are
	// merged in name order, and a key given twice is an error.
	Include []string `yaml:"include"`
	// DataDir is a directory for what must outlive the process: the local CA of
	// self_signed, ACME files when there is no Redis. Empty = nothing is kept.
	DataDir string `yaml:"data_dir"`

	// Server is where callers connect.
	Server Server `yaml:"server"`
	// Admin is the administration listener.
	Admin Admin `yaml:"admin"`
	// Status is an optional listener with /livez, /readyz and /metrics only.
	Status *Status `yaml:"status"`
	// Redis shares state between replicas. Absent: one replica, everything in
	// memory.
	Redis *Redis `yaml:"redis"`

	// Environments are sets of upstream hosts, by name. production, sandbox and
	// rc are built in.
	Environments map[string]Environment `yaml:"environments"`
	// Credentials are iQmetrix accounts, by name.
	Credentials map[string]Credential `yaml:"credentials"`

	// Defaults are settings for every service, below those of the catalogue.
	Defaults Service `yaml:"defaults"`
	// Services are settings by service (name or alias), above those of the
	// catalogue, and services that the catalogue does not know.
	Services map[string]Service `yaml:"services"`

	// Auth is how callers prove who they are.
	Auth Auth `yaml:"auth"`
	// Callers are internal applications, by name.
	Callers map[string]Caller `yaml:"callers"`

	// Cache bounds the response cache.
	Cache Cache `yaml:"cache"`
	// Telemetry is traces, logs and metrics.
	Telemetry Telemetry `yaml:"telemetry"`
}

// Cache bounds the response cache. What is cached is a setting of the service.
type Cache struct {
	// Memory is the most that stored answers may take in this process.
	Memory Size `yaml:"memory" default:"256MiB" range:"1MiB..1TiB"`
	// Coalesce answers equal requests that run at the same time from one
	// upstream request, where a rule allows to store the answer.
	Coalesce bool `yaml:"coalesce" default:"true"`
	// Redis is the second tier.
	Redis CacheRedis `yaml:"redis"`
}

// CacheRedis is the cache's second tier. It is used only when there is a
// redis section.
type CacheRedis struct {
	// Enabled turns the second tier on.
	Enabled bool `yaml:"enabled" default:"true"`
	// Addresses of a Redis of its own, with an eviction policy; empty = the one
	// of the redis section, where eviction would also touch quota and tokens.
	Addresses []HostPort `yaml:"addresses"`
}

// Telemetry is what the gateway tells about itself.
type Telemetry struct {
	// Traces is the export of spans.
	Traces Traces `yaml:"traces"`
	// Logs is the access log and the gateway's own.
	Logs Logs `yaml:"logs"`
	// Audit is the log of decisions.
	Audit Audit `yaml:"audit"`
	// Metrics is what /metrics serves.
	Metrics Metrics `yaml:"metrics"`
}

// Traces is the export of spans by OTLP.
type Traces struct {
	// Exporter is otlp or none.
	Exporter string `yaml:"exporter" default:"none" enum:"otlp|none"`
	// Endpoint is the OTLP/HTTP address of the collector; required with otlp.
	Endpoint URL `yaml:"endpoint"`
	// Sample is the part of new traces that is kept.
	Sample Ratio `yaml:"sample" default:"1%"`
	// Always keeps traces that the sample would drop, 50 a second of each kind.
	// Error is also background work that failed. Token fetches are exported
	// whatever stands here, also at a sample of 0%.
	Always []string `yaml:"always" default:"[error, refused, slow]" enum:"error|refused|slow"`
	// SlowAfter is the duration above which a request counts as slow.
	SlowAfter Duration `yaml:"slow_after" default:"2s" range:"1ms..1h"`
	// TraceURL is the address of a trace in your tracing UI, with {trace_id}.
	TraceURL string `yaml:"trace_url"`
}

// Logs are written to standard output.
type Logs struct {
	// Level is the least that is written. Access lines are of level info.
	Level string `yaml:"level" default:"info" enum:"debug|info|warn|error"`
	// Format is json or text.
	Format string `yaml:"format" default:"json" enum:"json|text"`
	// QueryParameters are the only parts of a query string that are logged.
	// Danger: values of other parameters hold names and numbers of people.
	QueryParameters []string `yaml:"query_parameters"`
}

// Audit is the log of decisions: who was let in or not, and what operators and
// files have changed. Its records are JSON, whatever telemetry.logs says.
type Audit struct {
	// Output is stdout, stderr, none, or the path of a file, which is opened
	// anew once it was renamed or removed. Records have "log": "audit" in them.
	Output string `yaml:"output" default:"stdout"`
	// Allowed is what is told of requests that were allowed: summary (one record
	// a minute of each credential and service), each or none.
	Allowed string `yaml:"allowed" default:"summary" enum:"summary|each|none"`
}

// Metrics are served in the Prometheus and OpenMetrics formats.
type Metrics struct {
	// Exemplars link histogram buckets to traces.
	Exemplars bool `yaml:"exemplars" default:"true"`
}
