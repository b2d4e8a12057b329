package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"iqgateway/bulkhead"
	"iqgateway/config"
	"iqgateway/internal/roots"
)

// certificateSoon is when the end of a certificate is worth a warning.
const certificateSoon = 14 * 24 * time.Hour

func (d *doctor) lookAtDataDir(context.Context) {
	f := finding{Check: "data_dir", Subject: d.gateway.cfg.DataDir, Status: findingOK, Value: "writable"}
	defer func() { d.report(f) }()
	if f.Subject == "" {
		f.Status, f.Value = findingSkipped, "data_dir is not set"
		return
	}
	probe, err := os.CreateTemp(f.Subject, ".doctor-")
	if err != nil {
		f.Status, f.Value = findingFailure, err.Error()
		f.Why = "refused passwords, certificates and the authority of mode self_signed are kept there over restarts"
		f.Remedy = "make the directory, and let the gateway's user write there"
		return
	}
	_ = probe.Close()
	_ = os.Remove(probe.Name())
}

// lookAtPorts binds each address for a moment. One that is taken is a warning:
// the gateway that will be replaced may have it.
func (d *doctor) lookAtPorts(ctx context.Context) {
	cfg := d.gateway.cfg
	addresses := map[string]config.HostPort{"server.address": cfg.Server.Address, "admin.address": cfg.Admin.Address}
	if cfg.Server.ForwardProxy != nil {
		addresses["server.forward_proxy.address"] = cfg.Server.ForwardProxy.Address
	}
	if cfg.Status != nil {
		addresses["status.address"] = cfg.Status.Address
	}
	for name, address := range addresses {
		f := finding{Check: "ports", Subject: name, Status: findingOK, Value: string(address) + " is free"}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", string(address))
		if err != nil {
			f.Status, f.Value = findingWarning, err.Error()
			f.Why = "a gateway that cannot bind an address does not start"
			f.Remedy = "nothing, if the gateway that is to be replaced has it; else end what listens there, or change " + name
		} else {
			_ = l.Close()
		}
		d.report(f)
	}
}

func (d *doctor) lookAtMemory(context.Context) {
	f := finding{Check: "memory", Status: findingOK}
	defer func() { d.report(f) }()
	most, has := memoryLimit(d.gateway.cfg, os.DirFS("/")), bulkhead.FindLimit(os.DirFS("/"))
	switch {
	case most == 0:
		f.Status, f.Value = findingWarning, "no limit, neither of the container nor by server.limits.max_memory"
		f.Why = "a gateway that knows no limit cannot refuse work before the system kills it"
		f.Remedy = "set server.limits.max_memory, or limit the container"
	case has > 0 && most > has:
		f.Status, f.Value = findingFailure, fmt.Sprintf("server.limits.max_memory is %s, the container has %s", config.Size(most), config.Size(has))
		f.Why = "the system would kill the gateway before it refuses work"
		f.Remedy = "lower server.limits.max_memory or leave it at auto, or raise the container's limit"
	default:
		f.Value = config.Size(most).String()
	}
}

func (d *doctor) lookAtCertificates(context.Context) {
	g := d.gateway
	if g.cfg.Server.TLS.Mode != tlsSelfSigned { // which would be made now
		if _, _, err := g.serverTLS(); err != nil {
			d.report(finding{Check: "certificate", Subject: "server.tls", Status: findingFailure, Value: err.Error(), Remedy: "put the files right"})
			return
		}
	}
	if _, err := g.adminTLS(); err != nil {
		d.report(finding{Check: "certificate", Subject: "admin.tls", Status: findingFailure, Value: err.Error(), Remedy: "put the files right"})
		return
	}
	for _, s := range g.certificates.statuses() {
		if s.Source == tlsACME {
			continue // it comes when the gateway runs
		}
		f := finding{Check: "certificate", Subject: s.Certificate, Status: findingOK}
		f.Value = strings.Join(s.Names, ", ") + ", until " + s.NotAfter.UTC().Format(time.RFC3339)
		switch {
		case s.Trouble(time.Now()) != nil:
			f.Status, f.Value = findingFailure, s.Trouble(time.Now()).Error()
			f.Why, f.Remedy = "callers refuse the connection", "renew it: the files are followed, no restart is needed"
		case time.Until(s.NotAfter) < certificateSoon:
			f.Status, f.Why, f.Remedy = findingWarning, "it ends soon", "see that what renews it works"
		}
		d.report(f)
	}
	d.lookAtNames()
}

// lookAtNames reports names of server.hosts that no certificate of files fits.
func (d *doctor) lookAtNames() {
	g := d.gateway
	if g.cfg.Server.TLS.Mode != tlsFiles {
		return
	}
	fits := sameCertificate(g.certificates.server.Certificate)
	for _, host := range g.cfg.Server.Hosts {
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if !fits(host, host) {
			d.report(finding{
				Check: "certificate", Subject: host, Status: findingFailure, Value: "no certificate is for this name",
				Why: "callers that ask for it refuse the connection", Remedy: "add a certificate for it to server.tls.certificates, or take it from server.hosts",
			})
		}
	}
}

// lookAtACME reads the directory of the CA. Nothing is ordered.
func (d *doctor) lookAtACME(ctx context.Context) {
	a, f := d.gateway.cfg.Server.TLS.ACME, finding{Check: "acme", Status: findingOK}
	defer func() { d.report(f) }()
	if d.gateway.cfg.Server.TLS.Mode != tlsACME {
		f.Status, f.Value = findingSkipped, "server.tls.mode is not acme"
		return
	}
	directory := "https://acme-v02.api.letsencrypt.org/directory"
	if a.CA != nil {
		directory = a.CA.String()
	}
	f.Subject = directory
	if err := askDirectory(ctx, directory, string(a.CARootFile)); err != nil {
		f.Status, f.Value = findingFailure, err.Error()
		f.Why, f.Remedy = "no certificate can be got or renewed", "open the way to the CA, or see server.tls.acme.ca and ca_root_file"
		return
	}
	f.Value = "its directory answers"
}

func askDirectory(ctx context.Context, directory, rootsFile string) error {
	transport := &http.Transport{Proxy: nil, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}
	if rootsFile != "" {
		var err error
		if transport.TLSClientConfig.RootCAs, err = roots.ReadFile(rootsFile); err != nil {
			return err
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, directory, nil)
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(r)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return nil
}

// usedServices are those that some caller may use.
func (d *doctor) usedServices() []*config.EffectiveService {
	var all []*config.EffectiveService
	for s := range d.gateway.cfg.Proxied() {
		if d.meant(s.Environment) && len(d.gateway.cfg.CredentialsOf(s)) > 0 {
			all = append(all, s)
		}
	}
	return all
}

// usedCredentials are those of the environments that are looked at.
func (d *doctor) usedCredentials() []string {
	var all []string
	for name, c := range d.gateway.cfg.Credentials {
		if d.meant(c.Environment) {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}
