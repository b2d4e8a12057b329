package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"iqgateway/config"
)

// errNoReload is what a gateway says that no file has configured.
var errNoReload = errors.New("this gateway was started without a file to read its configuration from again")

// filesChanged is what triggers a reload when files have changed.
const filesChanged = "files"

// reloads is how a gateway reads its configuration anew, and what became of it.
type reloads struct {
	sources
	// hangups ask for a reload; nil = nothing does but the admin API.
	hangups  <-chan os.Signal
	pipeline pipelineOptions

	one   sync.Mutex // reload at a time
	state atomic.Pointer[reloadState]
}

// reloadState is the last reload, and the configuration that serves.
type reloadState struct {
	base   *config.Config // that serves, below the overrides
	hash   string         // of that
	at     time.Time      // since when it does
	failed error          // why the last reload brought nothing; nil = it did not fail
	done   *reloaded      // what the last one brought that did not fail; nil = there was none
}

// reloaded is what a reload has changed.
type reloaded struct {
	Replica  string   `json:"replica"`
	Hash     string   `json:"hash"`
	Previous string   `json:"previous"`
	Changed  []string `json:"changed"` // key paths
	// NeedsRestart are those of Changed that this process keeps, all or in part, as they were
	// when it started.
	NeedsRestart []string `json:"needs_restart"`
	Warnings     []string `json:"warnings"`
}

// began notes the configuration of the start.
func (g *gateway) began() error {
	hash, err := configHash(g.cfg)
	if err != nil {
		return err
	}
	g.serves(&reloadState{base: g.cfg, hash: hash, at: g.started})
	return nil
}

// serves notes which configuration serves, and tells the other replicas.
func (g *gateway) serves(s *reloadState) {
	g.reloads.state.Store(s)
	g.stores.fleet.Serve(s.hash)
}

// reload reads the configuration again and has new requests served by it. Any
// error leaves everything as it is. What stores hold stays: quota, tokens,
// cached answers, breakers, connections; only parameters are new.
func (g *gateway) reload(ctx context.Context, trigger string) error {
	done, err := g.reloadOnce(ctx, trigger)
	if err == nil && done.Hash != done.Previous {
		g.endUntilReload(ctx, done.Hash)
	}
	return err
}

// reloadOnce is reload, but for what only a change of the configuration ends.
func (g *gateway) reloadOnce(ctx context.Context, trigger string) (reloaded, error) {
	g.reloads.one.Lock()
	defer g.reloads.one.Unlock()
	if trigger == filesChanged && !g.reloads.seen.Moved() {
		return reloaded{}, nil // another trigger was faster
	}
	before := g.reloads.state.Load()
	done, err := g.replace(before) //nolint:contextcheck // a reload is done whole, also when who asked has gone
	g.stores.auditReload(trigger, before.hash, done, err)
	if err != nil {
		g.reloads.seen.Refused()
		failed := *before
		failed.failed = err
		g.reloads.state.Store(&failed)
		g.log.LogAttrs(ctx, slog.LevelError, "the configuration cannot be used, the last one stays",
			slog.String("trigger", trigger), slog.String("hash", before.hash), slog.String("error", err.Error()))
		return reloaded{}, err
	}
	for _, w := range done.Warnings {
		g.log.LogAttrs(ctx, slog.LevelWarn, "configuration", slog.String("warning", w))
	}
	if len(done.NeedsRestart) > 0 {
		g.log.LogAttrs(ctx, slog.LevelWarn, "settings have changed that this process keeps until it starts again", slog.Any("settings", done.NeedsRestart))
	}
	g.log.LogAttrs(ctx, slog.LevelInfo, "configuration reloaded", slog.String("trigger", trigger),
		slog.String("hash", done.Hash), slog.String("previous", done.Previous), slog.Any("changed", done.Changed))
	return done, nil
}

// generation builds one, whose requests name the configuration below the overrides.
func (g *gateway) generation(cfg *config.Config, hash string) (*generation, error) {
	o := g.reloads.pipeline
	o.hash = hash
	return newGeneration(cfg, g.stores, o)
}

// replace builds a generation of what the sources hold now and swaps it in.
func (g *gateway) replace(before *reloadState) (reloaded, error) {
	if g.reloads.read == nil {
		return reloaded{}, errNoReload
	}
	cfg, warnings, err := g.reloads.read()
	if err != nil {
		return reloaded{}, err
	}
	hash, err := configHash(cfg)
	if err != nil {
		return reloaded{}, err
	}
	next := &reloadState{hash: hash, base: cfg}
	if err := g.serveFrom(context.Background(), next, g.outlasting(before.hash, hash)); err != nil {
		return reloaded{}, err
	}
	for _, r := range g.stores.rotations { // who rotates a secret and reloads means now
		r.look()
	}
	done := reloaded{
		Replica: g.replica, Hash: hash, Previous: before.hash, Changed: append([]string{}, changed(cfg, before.base)...),
		NeedsRestart: append([]string{}, fixedAmong(cfg, g.cfg)...), Warnings: []string{},
	}
	for _, w := range warnings {
		done.Warnings = append(done.Warnings, w.String())
	}
	next.at, next.done = time.Now(), &done
	g.serves(next)
	return done, nil
}

// followHangups reloads when it is asked to, until ctx ends.
func (g *gateway) followHangups(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.reloads.hangups:
			g.stores.audit.Reopen()     // as tools that rotate logs expect
			_ = g.reload(ctx, "signal") // it logs
		}
	}
}

// followFiles reloads when the files of the configuration change, until ctx ends.
func (g *gateway) followFiles(ctx context.Context) {
	w := config.Watcher{
		Seen:    g.reloads.seen,
		Changed: func() { _ = g.reload(ctx, filesChanged) }, // it logs
		Troubled: func(err error) {
			if err == nil {
				g.log.InfoContext(ctx, "changes of the configuration's files are told again")
				return
			}
			g.log.WarnContext(ctx, "changes of the configuration's files are not told, they are looked at every ten seconds", slog.String("error", err.Error()))
		},
	}
	w.Run(ctx)
}

// trouble is the reloads' part of readiness: a replica that starts now would
// not, or not with what this one serves.
func (r *reloads) trouble() error {
	s := r.state.Load()
	if s == nil || s.failed == nil {
		return nil
	}
	return fmt.Errorf("the last one failed, the configuration of %s serves: %w", s.at.UTC().Format(time.RFC3339), s.failed)
}

// configHash names a configuration. Secrets are not in what it is made of.
func configHash(cfg *config.Config) (string, error) {
	h := sha256.New()
	if err := cfg.Print(h, config.PrintOptions{}); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)[:6]), nil
}
