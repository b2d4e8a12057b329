// Package certs provides the server certificates of the gateway: from files,
// from a CA by ACME, or from a local authority of its own. All of them change
// while connections are accepted: an [Endpoint] takes each handshake's settings
// from what is current, and what cannot be used never takes the place of what
// can.
package certs
