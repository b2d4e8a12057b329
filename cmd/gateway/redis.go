package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"iqgateway/config"
	"iqgateway/internal/redisconn"
	"iqgateway/internal/secret"
)

// storeName is what metrics and readiness call the shared store.
const storeName = "redis"

// connectTimeout bounds how long a start waits for Redis: long enough for one
// that is there, so that a new replica takes the fleet's token and does not
// fetch its own.
const connectTimeout = 500 * time.Millisecond

// newRedis returns the connection to the configured Redis, which it does not
// dial yet, and the keys that seal what is stored there; nil without one.
func newRedis(cfg *config.Config, hooks redisconn.Hooks) (*redisconn.Conn, *redisconn.Keyring, error) {
	r := cfg.Redis
	if r == nil {
		return nil, nil, nil
	}
	o := redisconn.Options{
		Mode: redisconn.Mode(r.Mode), MasterName: r.MasterName,
		Username: r.Username, Password: r.Password.Text, SentinelPassword: r.SentinelPassword.Text,
		KeyPrefix: r.KeyPrefix, Timeout: r.Timeout, NameKey: keyText(r.NameKey), Hooks: hooks,
	}
	for _, a := range r.Addresses {
		o.Addresses = append(o.Addresses, string(a))
	}
	var err error
	if o.TLS, err = redisTLS(r.TLS); err != nil {
		return nil, nil, fmt.Errorf("redis.tls: %w", err)
	}
	if len(r.EncryptionKeys) > 0 {
		if o.Keys, err = redisconn.NewKeyring(keyTexts(r.EncryptionKeys)); err != nil {
			return nil, nil, fmt.Errorf("redis: %w", err)
		}
	}
	conn, err := redisconn.New(o)
	if err != nil {
		return nil, nil, err
	}
	return conn, o.Keys, nil
}

func redisTLS(t config.RedisTLS) (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil //nolint:nilnil // no TLS is a setting, not a failure
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CAFile == "" {
		return c, nil
	}
	pem, err := os.ReadFile(string(t.CAFile))
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca_file: %s holds no PEM certificate", t.CAFile)
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
	if s.redis == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if err := s.redis.Connect(ctx); err != nil {
		s.log.Warn("starting without Redis", slog.String("error", err.Error()))
	}
}

// redisTrouble is the store's part of readiness.
func (s *stores) redisTrouble() error {
	if s.redis == nil {
		return nil
	}
	var problems []string
	switch status := s.redis.Status(); {
	case status.Up:
	case status.LastError == "":
		problems = append(problems, "not found yet")
	default:
		problems = append(problems, status.LastError)
	}
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

func (s *stores) redisHooks() redisconn.Hooks {
	return redisconn.Hooks{
		Called: s.redisCalled,
		StateChanged: func(status redisconn.Status) {
			if status.Up {
				s.log.Info("Redis is in use", slog.String("mode", string(status.Mode)))
				return
			}
			s.log.Warn("doing without Redis", slog.String("error", status.LastError))
		},
		Rejected: s.valueRejected,
	}
}

func (s *stores) redisCalled(c redisconn.Called) {
	s.metrics.StoreCalled(context.Background(), storeName, c.Operation, c.Outcome, c.Duration)
}

// valueRejected is told of sealed values that do not open.
func (s *stores) valueRejected(kind string, reason redisconn.RejectReason) {
	s.valueDiscarded(kind, string(reason))
	if reason == redisconn.UnknownKey && s.keys != nil {
		s.keys.look() // another replica may have the next key already
	}
}

func (s *stores) valueDiscarded(kind, reason string) {
	s.metrics.StoreRejected(context.Background(), storeName, kind, reason)
	s.log.Warn("a value in Redis cannot be used and counts as absent", slog.String("kind", kind), slog.String("reason", reason))
}
