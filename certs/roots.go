package certs

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"iqgateway/internal/roots"
)

// RootsOptions configure [NewRoots].
type RootsOptions struct {
	// Name is what errors and events call the file: its key in the configuration.
	Name string
	// Source is what events call it; "" = client_ca.
	Source string
	// File holds CA certificates in PEM.
	File string
	// Now is the clock; nil = time.Now.
	Now func() time.Time
	// Changed is called when other authorities are in use; nil = not.
	Changed func()
	// Hooks report what happens; zero = silent.
	Hooks Hooks
}

// Roots are the authorities whose certificates are believed: of clients, or of the
// CA's own endpoint. Their
// file is followed as those of a pair are: one that cannot be read, or that
// holds no certificate, changes nothing.
type Roots struct {
	options RootsOptions
	current atomic.Pointer[rootSet]

	mu    sync.Mutex
	files followed
	doubt doubt
}

type rootSet struct {
	digest [sha256.Size]byte
	pool   *x509.CertPool
	list   []*x509.Certificate
}

// NewRoots loads the file.
func NewRoots(o RootsOptions) (*Roots, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Source == "" {
		o.Source = "client_ca"
	}
	r := &Roots{options: o, files: follow(o.File)}
	r.files.moved(o.Now())
	set, err := r.read()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Name, err)
	}
	r.current.Store(set)
	return r, nil
}

// Name is what errors and events call the file.
func (r *Roots) Name() string { return r.options.Name }

// Pool returns the authorities in use.
func (r *Roots) Pool() *x509.CertPool { return r.current.Load().pool }

// List returns the authorities in use; it must not be changed.
func (r *Roots) List() []*x509.Certificate { return r.current.Load().list }

// Trouble says why the file cannot be used now; nil = it is in use.
func (r *Roots) Trouble() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.doubt.err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w; the last ones stay in use", r.options.Name, r.doubt.err)
}

// Run follows the file until ctx ends.
func (r *Roots) Run(ctx context.Context) { every(ctx, lookInterval, r.Look) }

// Look takes over what the file holds now.
func (r *Roots) Look() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.files.moved(r.options.Now()) && !r.doubt.open() {
		return
	}
	set, err := r.read()
	if err != nil {
		if r.doubt.with(err) {
			r.options.Hooks.changed(Event{Certificate: r.options.Name, Source: r.options.Source, Outcome: Refused, Err: err})
		}
		return
	}
	r.doubt.with(nil)
	if set.digest == r.current.Load().digest {
		return
	}
	r.current.Store(set)
	if r.options.Changed != nil {
		r.options.Changed()
	}
	r.options.Hooks.changed(Event{Certificate: r.options.Name, Source: r.options.Source, Outcome: Loaded, Names: set.subjects()})
}

func (r *Roots) read() (*rootSet, error) {
	data, err := r.files.read()
	if err != nil {
		return nil, err
	}
	list, err := roots.Parse(data[0])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.options.File, err)
	}
	set := &rootSet{digest: sha256.Sum256(data[0]), pool: x509.NewCertPool(), list: list}
	for _, c := range list {
		set.pool.AddCert(c)
	}
	return set, nil
}

func (s *rootSet) subjects() []string {
	names := make([]string, len(s.list))
	for i, c := range s.list {
		names[i] = c.Subject.String()
	}
	return names
}
