package main

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"iqgateway/config"
	"iqgateway/internal/exchange"
	"iqgateway/observability"
	"iqgateway/override"
	overridestore "iqgateway/override/redisstore"
)

// commandFollowOverrides is what every replica does when an operator has set or
// cleared an override. The order itself lies in the overrides' store, where
// replicas that start later find it too.
const commandFollowOverrides = "override.follow"

// followOverrides reads the orders at once, so that the sender learns that they
// hold here.
func (s *stores) followOverrides(ctx context.Context, _ []byte) error { return s.overrides.Sync(ctx) }

// openOverrides makes what keeps the overrides, by which nothing goes yet.
func (g *gateway) openOverrides() {
	o := override.Options{Apply: g.applyOverrides, Applied: g.appliedOverrides, Hooks: override.Hooks{
		Ended: g.overrideEnded, StoreState: g.stores.overrideStoreState, Full: g.stores.overridesFull,
		ApplyFailed: g.stores.overridesFailed, Panicked: g.stores.overridesPanicked,
	}}
	if g.stores.sealing() {
		o.Store = overridestore.New(g.stores.redis)
	} else { // whoever could write to Redis would command the fleet
		o.Store = override.NewFile(g.cfg.DataDir, nil)
	}
	g.stores.overrides = override.New(o)
}

// applyOverrides builds the configuration that serves anew, with the overrides
// that hold now.
func (g *gateway) applyOverrides(ctx context.Context) error {
	g.reloads.one.Lock()
	defer g.reloads.one.Unlock()
	return g.serveFrom(ctx, g.reloads.state.Load(), g.stores.overrides.Current())
}

// appliedOverrides are those that what serves was built with.
func (g *gateway) appliedOverrides() []override.Held {
	if laid := g.current.Load().laid.Load(); laid != nil {
		return laid.all
	}
	return nil
}

// serveFrom builds a generation of a configuration and overrides, and swaps it in.
// g.reloads.one is held.
func (g *gateway) serveFrom(ctx context.Context, s *reloadState, held []override.Held) error {
	laid := layOver(s.base, held)
	next, err := g.generation(laid.cfg, s.hash)
	if err != nil {
		return err
	}
	next.laid.Store(&laid)
	if err := g.stores.useTraces(next); err != nil { //nolint:contextcheck // spans on their way are sent, whatever ends
		next.close()
		return err
	}
	last := g.current.Swap(next)
	next.limits.Apply()
	g.setLevel()
	last.users.retire()
	for _, u := range laid.unfit {
		if before := last.laid.Load(); before == nil || before.unfit[u.ID].why != u.why {
			g.log.LogAttrs(ctx, slog.LevelWarn, "an override does not fit the configuration of this replica, and does nothing here",
				slog.String("key", u.Key), slog.String("error", u.why))
		}
	}
	return nil
}

// setLevel has the log follow what serves.
func (g *gateway) setLevel() {
	if level, err := observability.ParseLevel(g.current.Load().cfg.Telemetry.Logs.Level); err == nil { // validated
		g.level.Configure(level)
	}
}

// overridden is a configuration with overrides on it.
type overridden struct {
	cfg      *config.Config
	all      []override.Held  // that were laid, by key
	held     []override.Held  // that are in cfg
	unfit    map[string]unfit // by id: those that do not fit it
	warnings []string
}

type unfit struct {
	override.Held

	why string
}

// layOver lays the overrides over a configuration. Those with which it would not
// be valid, as when their caller is gone, are left out: the oldest first wins.
func layOver(base *config.Config, held []override.Held) overridden {
	laid := overridden{cfg: base, all: held, unfit: map[string]unfit{}}
	if cfg, warnings, err := base.With(settings(held)); err == nil {
		laid.cfg, laid.held, laid.warnings = cfg, held, texts(warnings)
		return laid
	}
	byAge := slices.SortedStableFunc(slices.Values(held), func(a, b override.Held) int { return a.Set.Compare(b.Set) })
	for _, h := range byAge {
		with := append(slices.Clone(laid.held), h)
		cfg, warnings, err := base.With(settings(with))
		if err != nil {
			laid.unfit[h.ID] = unfit{h, err.Error()}
			continue
		}
		laid.cfg, laid.held, laid.warnings = cfg, with, texts(warnings)
	}
	return laid
}

func settings(held []override.Held) []config.Override {
	all := make([]config.Override, len(held))
	for i, h := range held {
		all[i] = config.Override{Key: h.Key, Value: h.Value, Reason: h.Reason}
	}
	return all
}

func texts(problems config.Problems) []string {
	all := make([]string, len(problems))
	for i, p := range problems {
		all[i] = p.String()
	}
	return all
}

// touching returns the keys of the overrides that an exchange has met, parted by
// spaces: those of its caller, and of its service.
func (o *overridden) touching(ex *exchange.Exchange) string {
	var keys []string
	for _, h := range o.held {
		if touches(h.Key, ex) {
			keys = append(keys, h.Key)
		}
	}
	return strings.Join(keys, " ")
}

func touches(key string, ex *exchange.Exchange) bool {
	if rest, ok := strings.CutPrefix(key, "callers."); ok {
		return ex.Caller != nil && strings.HasPrefix(rest, ex.Caller.Name+".")
	}
	if rest, ok := strings.CutPrefix(key, "services."); ok {
		return ex.Target != nil && strings.HasPrefix(rest, ex.Target.Service+".")
	}
	if rest, ok := strings.CutPrefix(key, "environments."); ok {
		return ex.Target != nil && strings.HasPrefix(rest, ex.Target.Environment+".services."+ex.Target.Service+".")
	}
	return false
}

// noteOverrides is the stage that notes which overrides an exchange has met, for
// its access line and its span.
func (g *generation) noteOverrides(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if laid := g.laid.Load(); laid != nil && len(laid.held) > 0 {
			ex := exchange.From(r.Context())
			defer func() { ex.Overrides = laid.touching(ex) }()
		}
		next.ServeHTTP(w, r)
	})
}
