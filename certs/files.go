package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ErrNoPairs is returned when there is nothing to serve.
var ErrNoPairs = errors.New("no certificate files are configured")

// FilesOptions configure [NewFiles].
type FilesOptions struct {
	// Pairs are the certificates, by preference; at least one.
	Pairs []Pair
	// Now is the clock; nil = time.Now.
	Now func() time.Time
	// Hooks report what happens; zero = silent.
	Hooks Hooks
}

// Files serves certificates from files and follows them: [Files.Run] looks about
// every second and takes over a pair that fits together and is valid. Half a
// pair, or one that has expired, changes nothing. What expires while it serves is
// chosen for no client any more, unless all have.
type Files struct {
	options FilesOptions
	serving atomic.Pointer[[]*tls.Certificate]

	mu    sync.Mutex
	pairs []*pair
}

var _ Source = (*Files)(nil)

// NewFiles loads the pairs. One that does not match is an error, and so it is if
// all have expired; one of several has the others serve.
func NewFiles(o FilesOptions) (*Files, error) {
	if len(o.Pairs) == 0 {
		return nil, ErrNoPairs
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	f := &Files{options: o}
	for _, named := range o.Pairs {
		p := newPair(named)
		p.files.moved(o.Now())
		c, digest, err := p.fresh(o.Now())
		if err != nil {
			return nil, err
		}
		p.serving, p.digest = c, digest
		f.pairs = append(f.pairs, p)
	}
	if p := f.pairs[0]; !slices.ContainsFunc(f.pairs, func(p *pair) bool { return p.valid(o.Now()) }) {
		return nil, p.expired(p.serving.Leaf)
	}
	f.swap()
	return f, nil
}

// Certificate implements [Source]: the first pair whose names and key fit what
// the client asks for, else the first of all.
func (f *Files) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	serving := *f.serving.Load()
	for _, c := range serving {
		if hello.SupportsCertificate(c) == nil {
			return c, nil
		}
	}
	return serving[0], nil
}

// Run implements [Source].
func (f *Files) Run(ctx context.Context) { every(ctx, lookInterval, f.Look) }

// Look takes over what the files hold now. Files that do not fit together are
// told of at the second look in a row, as they may just be being replaced.
func (f *Files) Look() {
	f.mu.Lock()
	defer f.mu.Unlock()
	var events []Event
	for _, p := range f.pairs {
		if e, changed := p.look(f.options.Now()); changed {
			events = append(events, e)
		}
		if e, ended := p.ending(f.options.Now()); ended {
			events = append(events, e)
		}
	}
	f.swap()
	for _, e := range events {
		f.options.Hooks.changed(e)
	}
}

func (p *pair) look(now time.Time) (Event, bool) {
	if !p.files.moved(now) && !p.doubt.open() {
		return Event{}, false
	}
	c, digest, err := p.fresh(now)
	if err != nil {
		return p.event(Refused, err), p.doubt.with(err)
	}
	p.doubt.with(nil)
	if c == nil {
		return Event{}, false
	}
	p.serving, p.digest = c, digest
	return p.event(Loaded, nil), true
}

// swap has handshakes see all pairs as they are now.
func (f *Files) swap() {
	now := f.options.Now()
	var valid, all []*tls.Certificate
	for _, p := range f.pairs {
		all = append(all, p.serving)
		if p.valid(now) {
			valid = append(valid, p.serving)
		}
	}
	if len(valid) == 0 { // it still tells clients whom they are talking to
		valid = all
	}
	f.serving.Store(&valid)
}

// Certificates implements [Source].
func (f *Files) Certificates() []Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]Status, len(f.pairs))
	for i, p := range f.pairs {
		all[i] = statusOf(p.Name, "files", p.serving.Leaf)
		all[i].Err = p.doubt.err
	}
	return all
}

func statusOf(name, source string, leaf *x509.Certificate) Status {
	return Status{Certificate: name, Source: source, Names: namesOf(leaf), NotAfter: leaf.NotAfter}
}

func namesOf(leaf *x509.Certificate) []string {
	names := append([]string(nil), leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}
