// Package observability shows what the gateway does: the observe stage with
// its access log and metrics, the loggers, and the admin HTTP server.
//
// It is the only package beside cmd/gateway that knows OpenTelemetry and
// Prometheus. Labels come from the configuration alone, never from a path, a
// host or a header of a request.
package observability
