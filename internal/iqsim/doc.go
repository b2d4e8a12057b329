// Package iqsim is a simulated iQmetrix: one http.Handler that answers as the
// provider's services are documented and were observed to answer, quirks
// included, and that records what it executed.
//
// New builds the whole simulation. Each part of its behaviour has a switch in
// Options, and most can be changed while it runs, by method or over HTTP
// below /_sim/.
package iqsim
