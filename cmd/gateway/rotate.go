package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"iqgateway/config"
	"iqgateway/internal/redisconn"
	"iqgateway/internal/secret"
	"iqgateway/tokencache"
)

// rotationInterval is how often files of secrets are read again.
const rotationInterval = 5 * time.Second

// rotation follows the files of some secrets that are not a credential's.
type rotation struct {
	what string // for the log
	read func() ([]secret.Text, error)
	use  func([]secret.Text) error
	log  *slog.Logger
	// told is told that what the files hold is used now, or why it is not; nil =
	// silent.
	told func(what string, err error)

	now     chan struct{} // asks to look at once
	used    []secret.Text
	problem atomic.Pointer[string] // why the files cannot be used now; nil = they can
}

// keyRotation keeps a keyring equal to the files that the configuration names.
func keyRotation(keys []config.Key, ring *redisconn.Keyring, log *slog.Logger) *rotation {
	return &rotation{
		what: "encryption keys of Redis", log: log, now: make(chan struct{}, 1), used: keyTexts(keys),
		use: ring.Replace,
		read: func() ([]secret.Text, error) {
			return readAll(keys, func(k config.Key) (secret.Text, error) {
				fresh, err := k.Reread(nil)
				return keyText(fresh), err
			})
		},
	}
}

// passwordRotation has new connections log in with what the files hold.
func passwordRotation(r *config.Redis, log *slog.Logger, conns ...*redisconn.Conn) *rotation {
	return secretRotation("passwords of Redis", log, func(password, sentinels secret.Text) {
		for _, conn := range conns {
			conn.SetCredentials(r.Username, password)
			conn.SetSentinelPassword(sentinels)
		}
	}, r.Password, r.SentinelPassword)
}

// adminRotation has the admin API take the tokens that the files hold.
func adminRotation(a config.Admin, use func(token, read secret.Text), log *slog.Logger) *rotation {
	return secretRotation("tokens of the admin API", log, use, a.Token, a.ReadToken)
}

// secretRotation keeps two secrets in use as their files hold them.
func secretRotation(what string, log *slog.Logger, use func(one, other secret.Text), one, other config.Secret) *rotation {
	return &rotation{
		what: what, log: log, now: make(chan struct{}, 1), used: []secret.Text{one.Text, other.Text},
		use:  func(fresh []secret.Text) error { use(fresh[0], fresh[1]); return nil },
		read: func() ([]secret.Text, error) { return readAll([]config.Secret{one, other}, rereadText) },
	}
}

func rereadText(s config.Secret) (secret.Text, error) {
	fresh, err := s.Reread(nil)
	return fresh.Text, err
}

// readAll reads secrets one by one, all or none.
func readAll[S any](secrets []S, read func(S) (secret.Text, error)) ([]secret.Text, error) {
	texts := make([]secret.Text, len(secrets))
	for i, s := range secrets {
		var err error
		if texts[i], err = read(s); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// look has the files read soon.
func (r *rotation) look() {
	select {
	case r.now <- struct{}{}:
	default:
	}
}

// run follows the files until ctx ends.
func (r *rotation) run(ctx context.Context) {
	tick := time.NewTicker(rotationInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-r.now:
		}
		r.follow()
	}
}

// follow takes over what the files hold now. Files that cannot be read, or are
// being changed, leave everything as it is.
func (r *rotation) follow() {
	fresh, err := r.read()
	if err == nil && !slices.EqualFunc(fresh, r.used, secret.Text.Equal) {
		if err = r.use(fresh); err == nil {
			r.used = fresh
			r.log.Info("rotated secrets are in use", slog.String("what", r.what))
			r.tell(nil)
		}
	}
	r.note(err)
}

// note logs each change of the problem, and shows it until it has gone.
func (r *rotation) note(err error) {
	before := r.problem.Load()
	switch {
	case err == nil && before == nil:
	case err == nil:
		r.problem.Store(nil)
		r.log.Info("files of secrets can be used again", slog.String("what", r.what))
	case before == nil || *before != err.Error():
		text := err.Error()
		r.problem.Store(&text)
		r.tell(err)
		r.log.Error("rotated secrets cannot be used, the last ones stay", slog.String("what", r.what), slog.String("error", text))
	}
}

func (r *rotation) tell(err error) {
	if r.told != nil {
		r.told(r.what, err)
	}
}

// trouble is the rotation's part of readiness: a replica that starts now would
// not.
func (r *rotation) trouble() error {
	if problem := r.problem.Load(); problem != nil {
		return fmt.Errorf("%s: %s; the last ones stay in use", r.what, *problem)
	}
	return nil
}

// rereadSecrets returns the func with which tokencache follows the files of a
// credential; nil when none of its secrets is in a file.
func rereadSecrets(c config.Credential) func(context.Context) (tokencache.Secrets, error) {
	parts := []config.Secret{c.ClientID, c.ClientSecret, c.Username, c.Password}
	if !slices.ContainsFunc(parts, config.Secret.Rotates) {
		return nil
	}
	return func(context.Context) (tokencache.Secrets, error) {
		fresh, err := readAll(parts, rereadText)
		if err != nil {
			return tokencache.Secrets{}, err
		}
		return tokencache.Secrets{ClientID: fresh[0], ClientSecret: fresh[1], Username: fresh[2], Password: fresh[3]}, nil
	}
}
