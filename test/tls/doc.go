// Package tls looks at the callers' port of a gateway with the tools of the
// field: h2spec, nmap and testssl.sh, and with handshakes that no tool makes.
package tls
