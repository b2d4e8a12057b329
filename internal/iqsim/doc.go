// Package iqsim is a simulated iQmetrix: one http.Handler that answers as the
// provider's services are documented and were observed to answer, quirks
// included, and that records what it executed.
//
// New builds the whole simulation. A service is addressed in one of three
// forms:
//
//	http://host/crm/v1/…              the default environment
//	http://host/~production/crm/v1/…  a named one
//	Host: crmdemo.iqmetrix.net        as at the provider
//
// A request passes, in this order: faults at arrival, the token, the quota,
// faults before, the service, faults after, the service's header habits, and
// faults of headers and body. The ledger has an entry of it from its arrival
// on.
//
// Each part of the behaviour has a switch in Options, and nearly all can be
// changed while it runs, by method or over HTTP below /_sim/ (GET /_sim/ lists
// the endpoints).
//
// The credentials, customers and tokens in here are inventions; nothing of it
// opens anything at the provider.
package iqsim
