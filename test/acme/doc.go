// Package acme runs a certificate authority for gateways to get their
// certificates from: pebble, with validation as the public ones do it, by names
// that a DNS server of the test resolves, on ports that lead to any replica.
package acme
