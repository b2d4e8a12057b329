package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"iqgateway/config"
	"iqgateway/internal/redisconn"
	"iqgateway/internal/roots"
	"iqgateway/internal/secret"
	"iqgateway/internal/steady"
)

// What metrics and readiness call the shared stores.
const (
	storeName      = "redis"
	cacheStoreName = "cache_redis" // of the cache alone
)

// connectTimeout bounds how long a start waits for Redis: long enough for one
// that is there, so that a new replica takes the fleet's token and does not
// fetch its own.
const connectTimeout = 500 * time.Millisecond

// newRedis returns the connection to the configured Redis, which it does not
// dial yet, and the keys that seal what is stored there; nil without one.
func newRedis(cfg *config.Config, hooks redisconn.Hooks) (*redisconn.Conn, *redisconn.Keyring, error) {
	if cfg.Redis == nil {
		return nil, nil, nil
	}
	o, err := redisOptions(cfg.Redis, hooks)
	if err != nil {
		return nil, nil, err
	}
	if keys := cfg.Redis.EncryptionKeys; len(keys) > 0 {
		if o.Keys, err = redisconn.NewKeyring(keyTexts(keys)); err != nil {
			return nil, nil, fmt.Errorf("redis: %w", err)
		}
	}
	conn, err := redisconn.New(o)
	if err != nil {
		return nil, nil, err
	}
	return conn, o.Keys, nil
}

// newCacheRedis returns the connection to the cache's own Redis, nil where the
// second tier has none. How to log in, TLS and keys are those of the other one;
// what it is, the server tells itself.
func newCacheRedis(cfg *config.Config, keys *redisconn.Keyring, hooks redisconn.Hooks) (*redisconn.Conn, error) {
	own := cfg.Cache.Redis
	if cfg.Redis == nil || keys == nil || !own.Enabled || len(own.Addresses) == 0 {
		return nil, nil //nolint:nilnil // no server of its own is a setting, not a failure
	}
	o, err := redisOptions(cfg.Redis, hooks)
	if err != nil {
		return nil, err
	}
	o.Addresses, o.Mode, o.Keys = hostPorts(own.Addresses), redisconn.ModeAuto, keys
	conn, err := redisconn.New(o)
	if err != nil {
		return nil, fmt.Errorf("cache.%w", err)
	}
	return conn, nil
}

// redisOptions are those of the redis section, but for the keys.
func redisOptions(r *config.Redis, hooks redisconn.Hooks) (redisconn.Options, error) {
	o := redisconn.Options{
		Addresses: hostPorts(r.Addresses), Mode: redisconn.Mode(r.Mode), MasterName: r.MasterName,
		Username: r.Username, Password: r.Password.Text, SentinelPassword: r.SentinelPassword.Text,
		KeyPrefix: r.KeyPrefix, Timeout: r.Timeout, NameKey: keyText(r.NameKey), Hooks: hooks,
	}
	var err error
	if o.TLS, err = redisTLS(r.TLS); err != nil {
		return o, fmt.Errorf("redis.tls: %w", err)
	}
	return o, nil
}

func hostPorts(addresses []config.HostPort) []string {
	texts := make([]string, len(addresses))
	for i, a := range addresses {
		texts[i] = string(a)
	}
	return texts
}

func redisTLS(t config.RedisTLS) (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil //nolint:nilnil // no TLS is a setting, not a failure
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CAFile == "" {
		return c, nil
	}
	var err error
	if c.RootCAs, err = roots.ReadFile(string(t.CAFile)); err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	return c, nil
}

func keyText(k config.Key) secret.Text { return secret.New(string(k.Bytes())) }

func keyTexts(keys []config.Key) []secret.Text {
	texts := make([]secret.Text, len(keys))
	for i, k := range keys {
		texts[i] = keyText(k)
	}
	return texts
}

// connectRedis waits for Redis a little. A gateway serves without it.
func (s *stores) connectRedis(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	var both sync.WaitGroup
	for name, conn := range s.connections() {
		both.Go(func() { steady.Try(func() { s.connect(ctx, name, conn) }, s.loopPanicked(ctx, name)) })
	}
	both.Wait()
}

func (s *stores) connect(ctx context.Context, name string, conn *redisconn.Conn) {
	if err := conn.Connect(ctx); err != nil {
		s.log.Warn("starting without Redis", slog.String("store", name), slog.String("error", err.Error()))
	}
}

// connections are all servers of the process, by what metrics call them.
func (s *stores) connections() map[string]*redisconn.Conn {
	all := map[string]*redisconn.Conn{}
	if s.redis != nil {
		all[storeName] = s.redis
	}
	if s.cacheRedis != nil {
		all[cacheStoreName] = s.cacheRedis
	}
	return all
}

// redisTrouble is the store's part of readiness.
func (s *stores) redisTrouble() error {
	if s.redis == nil {
		return nil
	}
	if problems := connTrouble(s.redis); len(problems) > 0 {
		return errors.New(strings.Join(problems, "; "))
	}
	return nil
}

// secretTrouble tells of files of secrets that cannot be used.
func (s *stores) secretTrouble() error {
	var problems []string
	for _, r := range s.rotations {
		if err := r.trouble(); err != nil {
			problems = append(problems, err.Error())
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return errors.New(strings.Join(problems, "; "))
}

// connTrouble says why a server is not in use; nothing while it is.
func connTrouble(conn *redisconn.Conn) []string {
	switch status := conn.Status(); {
	case status.Up:
		return nil
	case status.LastError == "":
		return []string{"not found yet"}
	default:
		return []string{status.LastError}
	}
}

// redisHooks are those of the server that metrics call name.
func (s *stores) redisHooks(name string) redisconn.Hooks {
	of := server{stores: s, name: name}
	return redisconn.Hooks{Called: of.called, StateChanged: of.stateChanged, Rejected: of.rejected}
}

// server is one Redis by the name that metrics have for it.
type server struct {
	stores *stores
	name   string
}

func (s server) called(c redisconn.Called) {
	s.stores.metrics.StoreCalled(context.Background(), s.name, c.Operation, c.Outcome, c.Duration)
}

func (s server) stateChanged(status redisconn.Status) {
	store := slog.String("store", s.name)
	if status.Up {
		s.stores.log.Info("Redis is in use", slog.String("mode", string(status.Mode)), store)
		return
	}
	s.stores.log.Warn("doing without Redis", slog.String("error", status.LastError), store)
}

func (s server) rejected(kind string, reason redisconn.RejectReason) {
	s.stores.valueRejected(s.name, kind, reason)
}

// valueRejected is told of sealed values that do not open.
func (s *stores) valueRejected(store, kind string, reason redisconn.RejectReason) {
	s.discardedIn(store, kind, string(reason))
	if reason == redisconn.UnknownKey && s.keys != nil {
		s.keys.look() // another replica may have the next key already
	}
}

func (s *stores) valueDiscarded(kind, reason string) { s.discardedIn(storeName, kind, reason) }

func (s *stores) discardedIn(store, kind, reason string) {
	s.metrics.StoreRejected(context.Background(), store, kind, reason)
	s.log.Warn("a value in Redis cannot be used and counts as absent",
		slog.String("kind", kind), slog.String("reason", reason), slog.String("store", store))
}
