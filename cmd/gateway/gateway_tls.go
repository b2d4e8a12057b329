package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"iqgateway/certs"
	"iqgateway/config"
)

// serverTLS returns the settings of the callers' listener; nil = plain HTTP.
func (g *gateway) serverTLS() (*tls.Config, certs.GetCertificate, error) {
	var get certs.GetCertificate
	var err error
	switch t := g.cfg.Server.TLS; t.Mode {
	case "none":
		return nil, nil, nil
	case "files":
		pairs := make([]certs.Pair, len(t.Certificates))
		for i, c := range t.Certificates {
			pairs[i] = certs.Pair{CertFile: string(c.CertFile), KeyFile: string(c.KeyFile)}
		}
		get, err = certs.Files(pairs, time.Now)
	case "self_signed":
		g.local, err = certs.NewLocal(certs.LocalOptions{Dir: g.caDir(), Names: g.certificateNames()})
		if err == nil {
			get = g.local.Certificate
		}
	default:
		err = checkTLSMode(g.cfg)
	}
	if err != nil {
		return nil, nil, err
	}
	return certs.TLSConfig(get), get, nil
}

// checkTLSMode refuses a mode that the schema knows and this program does not.
func checkTLSMode(cfg *config.Config) error {
	switch mode := cfg.Server.TLS.Mode; mode {
	case "none", "files", "self_signed":
		return nil
	default:
		return fmt.Errorf("%s: server.tls.mode: %s is not active yet; use files, self_signed or none", cfg.Source("server.tls.mode"), mode)
	}
}

func (g *gateway) caDir() string {
	if g.cfg.DataDir == "" {
		return ""
	}
	return filepath.Join(g.cfg.DataDir, "ca")
}

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

// adminTLS encrypts the admin listener; nil = plain HTTP.
func (g *gateway) adminTLS() (*tls.Config, error) {
	t := g.cfg.Admin.TLS
	if t.CertFile == "" {
		return nil, nil //nolint:nilnil // no TLS is a setting, not an error
	}
	get, err := certs.Files([]certs.Pair{{CertFile: string(t.CertFile), KeyFile: string(t.KeyFile)}}, time.Now)
	if err != nil {
		return nil, err
	}
	c := certs.TLSConfig(get)
	if t.ClientCAFile == "" {
		return c, nil
	}
	pem, err := os.ReadFile(string(t.ClientCAFile))
	if err != nil {
		return nil, fmt.Errorf("admin.tls.client_ca_file: %w", err)
	}
	c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("admin.tls.client_ca_file: %s holds no PEM certificate", t.ClientCAFile)
	}
	return c, nil
}
