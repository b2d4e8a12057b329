package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"iqgateway/config"
	"iqgateway/internal/secret"
	"iqgateway/proxy"
)

// maxTrustFile bounds a file of upstream_tls; the bundle of all public
// authorities has a quarter of it.
const maxTrustFile = 1 << 20

// trustFiles name one trust: the pools of generations that name the same files
// share it, whatever the files hold by then.
type trustFiles struct {
	environment string
	config.UpstreamTLS
}

// upstreamTrust is what environments trust by files of their own. The files are
// followed while a generation uses them.
type upstreamTrust struct {
	log  *slog.Logger
	told func(what string, err error) // as of a rotation

	mu   sync.Mutex
	held map[trustFiles]*heldTrust
}

type heldTrust struct {
	*rotation
	trust *proxy.Trust
	users int // guarded by upstreamTrust.mu
}

func newUpstreamTrust(log *slog.Logger) *upstreamTrust {
	return &upstreamTrust{log: log, held: make(map[trustFiles]*heldTrust)}
}

// use returns the trust of an environment, nil for the system's, and the func
// that gives it up. Files that are of no use are an error.
func (u *upstreamTrust) use(environment string, files config.UpstreamTLS) (*proxy.Trust, func(), error) {
	if files == (config.UpstreamTLS{}) {
		return nil, func() {}, nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	name := trustFiles{environment, files}
	h := u.held[name]
	if h == nil {
		var err error
		if h, err = u.hold(name); err != nil {
			return nil, nil, err
		}
		u.held[name] = h
	}
	h.users++
	return h.trust, func() { u.release(name) }, nil
}

func (u *upstreamTrust) release(name trustFiles) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if h := u.held[name]; h != nil {
		if h.users--; h.users == 0 {
			delete(u.held, name)
		}
	}
}

func (u *upstreamTrust) hold(name trustFiles) (*heldTrust, error) {
	first, err := readTrust(name.UpstreamTLS)
	if err != nil {
		return nil, fmt.Errorf("environments.%s: %w", name.environment, err)
	}
	trust, err := proxy.NewTrust(trustPEM(first))
	if err != nil {
		return nil, fmt.Errorf("environments.%s: %w%s", name.environment, err, filesOf(name.UpstreamTLS))
	}
	return &heldTrust{trust: trust, rotation: &rotation{
		what: "upstream_tls of environment " + name.environment, log: u.log, told: u.told, used: first,
		read: func() ([]secret.Text, error) { return readTrust(name.UpstreamTLS) },
		use:  func(fresh []secret.Text) error { return trust.Replace(trustPEM(fresh)) },
	}}, nil
}

// filesOf says where to look.
func filesOf(t config.UpstreamTLS) string {
	named := slices.DeleteFunc([]string{string(t.CAFile), string(t.CertFile), string(t.KeyFile)}, func(name string) bool { return name == "" })
	return " (" + strings.Join(named, ", ") + ")"
}

// readTrust reads the files, of which each may be left out: authorities,
// certificate, key.
func readTrust(t config.UpstreamTLS) ([]secret.Text, error) {
	texts := make([]secret.Text, 3)
	for i, f := range []struct {
		setting string
		name    config.File
	}{{"ca_file", t.CAFile}, {"cert_file", t.CertFile}, {"key_file", t.KeyFile}} {
		if f.name == "" {
			continue
		}
		text, err := readBounded(string(f.name))
		if err != nil {
			return nil, fmt.Errorf("upstream_tls.%s: %w", f.setting, err)
		}
		texts[i] = secret.New(text)
	}
	return texts, nil
}

func readBounded(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	var text strings.Builder
	n, err := io.Copy(&text, io.LimitReader(f, maxTrustFile+1))
	switch {
	case err != nil:
		return "", err
	case n > maxTrustFile:
		return "", fmt.Errorf("%s is larger than 1 MiB", name)
	case n == 0:
		return "", fmt.Errorf("%s is empty", name)
	}
	return text.String(), nil
}

func trustPEM(texts []secret.Text) proxy.TrustPEM {
	return proxy.TrustPEM{Roots: texts[0].Reveal(), Certificate: texts[1].Reveal(), Key: texts[2]}
}

// run follows the files until ctx ends.
func (u *upstreamTrust) run(ctx context.Context) {
	tick := time.NewTicker(rotationInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			for _, h := range u.all() {
				h.follow()
			}
		}
	}
}

func (u *upstreamTrust) all() []*heldTrust {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := make([]*heldTrust, 0, len(u.held))
	for _, h := range u.held {
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b *heldTrust) int { return strings.Compare(a.what, b.what) })
	return all
}

// trouble is the files' part of readiness: what a replica that starts now would
// not take, and a certificate that no upstream takes any more.
func (u *upstreamTrust) trouble() error {
	var all []error
	for _, h := range u.all() {
		if err := h.trouble(); err != nil {
			all = append(all, err)
		}
		if ends := h.trust.Expires(); !ends.IsZero() && time.Now().After(ends) {
			all = append(all, fmt.Errorf("%s: the client certificate ended at %s", h.what, ends.UTC().Format(time.RFC3339)))
		}
	}
	return errors.Join(all...)
}
