package main

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"

	"iqgateway/certs"
	"iqgateway/config"
)

func (g *gateway) caDir() string {
	if g.cfg.DataDir == "" {
		return ""
	}
	return localCADir(g.cfg)
}

// localCADir is where the authority of mode self_signed is kept.
func localCADir(cfg *config.Config) string { return filepath.Join(cfg.DataDir, "ca") }

// certificateNames are the names of a certificate of our own: those that
// callers may use, the address, and this machine's loopback names.
func (g *gateway) certificateNames() []string {
	names := append([]string{"localhost", "127.0.0.1", "::1"}, g.cfg.Server.Hosts...)
	host, _, err := net.SplitHostPort(string(g.cfg.Server.Address))
	if ip := net.ParseIP(host); err == nil && host != "" && (ip == nil || !ip.IsUnspecified()) {
		names = append(names, host)
	}
	if hostname, err := os.Hostname(); err == nil {
		names = append(names, hostname)
	}
	return names
}

// sameCertificate reports whether the certificate that a connection for one
// name got is also one for another (RFC 9110 section 7.4).
func sameCertificate(get certs.GetCertificate) func(serverName, host string) bool {
	if get == nil {
		return nil
	}
	return func(serverName, host string) bool {
		c, err := get(&tls.ClientHelloInfo{
			ServerName:        serverName,
			SupportedVersions: []uint16{tls.VersionTLS13},
			SignatureSchemes:  []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256, tls.PSSWithSHA256, tls.Ed25519},
		})
		if err != nil {
			return false
		}
		leaf := c.Leaf
		if leaf == nil {
			if leaf, err = x509.ParseCertificate(c.Certificate[0]); err != nil {
				return false
			}
		}
		return leaf.VerifyHostname(strings.Trim(host, "[]")) == nil
	}
}
