package certs

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"

	"iqgateway/internal/steady"
)

const (
	// challengeEvery bounds how often the storage is asked for a challenge of one
	// domain, which strangers may have it do as often as they like.
	challengeEvery = 10 * time.Millisecond
	// challengeBound is how long one such look may take.
	challengeBound = 5 * time.Second
)

var errLook = errors.New("looking for the challenge has failed")

// acmeStorage is the storage as the ACME client sees it.
type acmeStorage struct {
	certmagic.Storage

	// copies holds certificates as they were last seen, for while the storage
	// cannot tell; nil = none are kept.
	copies   *certmagic.FileStorage
	log      *slog.Logger
	panicked steady.Panicked

	mu    sync.Mutex
	looks map[string]*looker // by key; there are no more than domains
	told  string             // what was last wrong with the copies
}

func isChallenge(key string) bool { return strings.Contains(key, "/challenge_tokens/") }

func isCertificate(key string) bool { return strings.HasPrefix(key, "certificates/") }

// Load implements certmagic.Storage.
func (s *acmeStorage) Load(ctx context.Context, key string) ([]byte, error) {
	if isChallenge(key) {
		return s.looker(key).get(ctx, s.panicked)
	}
	data, err := s.Storage.Load(ctx, key)
	if s.copies == nil || !isCertificate(key) || errors.Is(err, fs.ErrNotExist) {
		return data, err
	}
	if err == nil {
		s.keep(ctx, key, data)
		return data, nil
	}
	if kept, copyErr := s.copies.Load(ctx, key); copyErr == nil {
		return kept, nil
	}
	return nil, err
}

// Store implements certmagic.Storage.
func (s *acmeStorage) Store(ctx context.Context, key string, value []byte) error {
	err := s.Storage.Store(ctx, key, value)
	if err == nil && s.copies != nil && isCertificate(key) {
		s.keep(ctx, key, value)
	}
	return err
}

// Delete implements certmagic.Storage.
func (s *acmeStorage) Delete(ctx context.Context, key string) error {
	err := s.Storage.Delete(ctx, key)
	if err == nil && s.copies != nil && isCertificate(key) {
		s.tell(s.copies.Delete(ctx, key))
	}
	return err
}

// TryLock implements certmagic.TryLocker where the storage does.
func (s *acmeStorage) TryLock(ctx context.Context, name string) (bool, error) {
	if l, ok := s.Storage.(certmagic.TryLocker); ok {
		return l.TryLock(ctx, name)
	}
	return true, s.Lock(ctx, name)
}

// keep has the copy be what the storage holds. Certificates are served without
// it, too.
func (s *acmeStorage) keep(ctx context.Context, key string, data []byte) {
	if kept, err := s.copies.Load(ctx, key); err != nil || !bytes.Equal(kept, data) {
		s.tell(s.copies.Store(ctx, key, data))
	}
}

func (s *acmeStorage) tell(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	s.mu.Lock()
	before := s.told
	s.told = text
	s.mu.Unlock()
	if err != nil && text != before {
		s.log.Warn("acme: a certificate has no copy for while the storage is away", slog.String("error", text))
	}
}

func (s *acmeStorage) looker(key string) *looker {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.looks == nil {
		s.looks = map[string]*looker{}
	}
	if s.looks[key] == nil {
		s.looks[key] = &looker{turn: make(chan struct{}, 1), read: func(ctx context.Context) ([]byte, error) { return s.Storage.Load(ctx, key) }}
	}
	return s.looks[key]
}

// looker looks for one challenge on behalf of all who ask. Nothing is remembered:
// who asks gets the result of a look that began later, so that neither a stranger
// who came first nor one who hangs up decides what the CA is told.
type looker struct {
	read func(context.Context) ([]byte, error)

	turn  chan struct{} // of size 1: one look at a time
	began time.Time     // the last one

	mu   sync.Mutex
	next *look // nil = nobody waits for one to begin
}

type look struct {
	done chan struct{}
	data []byte
	err  error
}

func (l *looker) get(ctx context.Context, panicked steady.Panicked) ([]byte, error) {
	found := l.join(context.WithoutCancel(ctx), panicked)
	select {
	case <-found.done:
		return found.data, found.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *looker) join(ctx context.Context, panicked steady.Panicked) *look {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next == nil {
		next := &look{done: make(chan struct{}), err: errLook}
		l.next = next
		go steady.Try(func() { l.run(ctx, next) }, panicked)
	}
	return l.next
}

func (l *looker) run(ctx context.Context, this *look) {
	defer close(this.done)
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	steady.Pause(ctx, challengeEvery-time.Since(l.began))
	l.began = time.Now()
	l.mu.Lock()
	l.next = nil
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, challengeBound)
	defer cancel()
	this.data, this.err = l.read(ctx)
}
