// Package certs provides the server certificates of the gateway: from files,
// or from a local authority of its own.
package certs
