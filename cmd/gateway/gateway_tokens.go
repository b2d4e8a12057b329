package main

import (
	"context"
	"maps"
	"slices"

	"iqgateway/internal/fleet"
	"iqgateway/observability"
	"iqgateway/tokencache"
)

// Commands of operators that every replica follows.
const (
	commandInvalidateToken = "token.invalidate"
	commandRetryToken      = "token.retry"
)

// commands are what this replica does when an operator asks any replica.
func (s *stores) commands() map[string]fleet.Handler {
	return map[string]fleet.Handler{
		commandInvalidateToken: func(ctx context.Context, name []byte) error {
			s.tokens.Invalidate(ctx, string(name)) // a replica without that credential has nothing to do
			return nil
		},
		commandRetryToken: func(ctx context.Context, name []byte) error {
			s.tokens.Retry(ctx, string(name))
			return nil
		},
		commandPurgeCache:      s.purgeCommand,
		commandFollowBreakers:  s.followBreakers,
		commandFollowOverrides: s.followOverrides,
		commandReload:          func(ctx context.Context, payload []byte) error { return s.reload(ctx, payload) },
	}
}

// tokenAdmin shows and changes the tokens of what serves now.
func (g *gateway) tokenAdmin() tokenAdmin {
	send := func(kind string) func(context.Context, string) (fleet.Result, error) {
		return func(ctx context.Context, credential string) (fleet.Result, error) {
			return g.stores.fleet.Send(ctx, kind, []byte(credential))
		}
	}
	return tokenAdmin{
		replica:    g.replica,
		audit:      g.audit,
		list:       func() []tokencache.Status { return g.current.Load().tokens.Status() },
		known:      func() []string { return slices.Collect(maps.Keys(g.current.Load().cfg.Credentials)) },
		invalidate: send(commandInvalidateToken), retry: send(commandRetryToken),
	}
}

// tokenStates is what the token gauges show.
func (g *gateway) tokenStates() []observability.TokenState {
	var states []observability.TokenState
	for _, s := range g.current.Load().tokens.Status() {
		states = append(states, observability.TokenState{
			Environment: s.Environment, Credential: s.Credential, State: string(s.State), Expires: s.Expires, Refusals: s.Refusals,
		})
	}
	return states
}
