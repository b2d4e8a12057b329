package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"iqgateway/internal/roots"
)

// adminFlags are the flags of every command that asks a running gateway. The
// token is none of them: other users of the machine can read command lines.
type adminFlags struct {
	address, ca, cert, key string
}

func (f *adminFlags) register(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	flags.StringVar(&f.address, "admin-address", "", "admin server, as host:port or https://host:port (default $"+envAdminAddress+", else "+defaultAdminAddress+")")
	flags.StringVar(&f.ca, "admin-ca", "", "file with the CA certificates (PEM) of an https admin server (default the system's)")
	flags.StringVar(&f.cert, "admin-cert", "", "file with the client certificate (PEM) that it may ask for")
	flags.StringVar(&f.key, "admin-key", "", "file with that certificate's key (PEM)")
	for _, name := range []string{"admin-ca", "admin-cert", "admin-key"} {
		_ = cmd.MarkPersistentFlagFilename(name, "pem", "crt", "key")
	}
}

// getenv returns the last value that the environment has for name.
func (p program) getenv(name string) string {
	value := ""
	for _, entry := range p.environ {
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			value = v
		}
	}
	return value
}

// adminURL reads an address as an operator writes it, or as the gateway's own
// configuration has it: there an empty host and 0.0.0.0 mean every interface.
func adminURL(address string, encrypted bool) (*url.URL, error) {
	if address == "" {
		address = defaultAdminAddress
	}
	text := address
	if !strings.Contains(text, "://") {
		if _, _, err := net.SplitHostPort(text); err != nil {
			return nil, fmt.Errorf("%q: want host:port as %s, or https://host:port", address, defaultAdminAddress)
		}
		scheme := "http://"
		if encrypted {
			scheme = "https://"
		}
		text = scheme + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || strings.Trim(u.Path, "/") != "" {
		return nil, fmt.Errorf("%q: want host:port as %s, or https://host:port", address, defaultAdminAddress)
	}
	if encrypted && u.Scheme == "http" {
		return nil, fmt.Errorf("%q: certificates are given, so write https://", address)
	}
	if ip, err := netip.ParseAddr(u.Hostname()); u.Hostname() == "" || err == nil && ip.IsUnspecified() {
		u.Host = net.JoinHostPort("127.0.0.1", u.Port())
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// loopback reports whether a host is this machine without asking anybody.
func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func (f *adminFlags) tlsConfig() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.ca != "" {
		var err error
		if c.RootCAs, err = roots.ReadFile(f.ca); err != nil {
			return nil, fmt.Errorf("--admin-ca: %w", err)
		}
	}
	if (f.cert == "") != (f.key == "") {
		return nil, errors.New("--admin-cert and --admin-key go together")
	}
	if f.cert != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, fmt.Errorf("--admin-cert, --admin-key: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// adminHelp ends the help of the commands that ask a running gateway.
const adminHelp = `The gateway is asked through its admin server (--admin-address, else
` + envAdminAddress + `, else ` + defaultAdminAddress + `); the admin token is taken from
` + envAdminToken + `.`
