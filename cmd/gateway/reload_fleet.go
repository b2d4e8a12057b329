package main

import (
	"context"
	"encoding/json"
	"strings"

	"iqgateway/config"
	"iqgateway/internal/fleet"
)

const (
	// commandReload has every replica read its own files.
	commandReload = "config.reload"
	// questionReload asks what that has brought.
	questionReload = "config.reloaded"
)

// configAdmin reloads what serves now, on every replica.
func (g *gateway) configAdmin() configAdmin {
	return configAdmin{show: g.showConfig, reload: g.reloadFleet, replicas: g.reloadedReplicas, audit: g.audit}
}

func (g *gateway) showConfig() (configDocument, error) {
	state, text := g.reloads.state.Load(), strings.Builder{}
	d := configDocument{Replica: g.replica, Hash: state.hash, Since: state.at.UTC()}
	if state.failed != nil {
		d.Problem = state.failed.Error()
	}
	err := state.base.Print(&text, config.PrintOptions{})
	d.YAML = text.String()
	return d, err
}

// reloadFleet reloads here, then everywhere else.
func (g *gateway) reloadFleet(ctx context.Context) (reloaded, fleet.Result, error) {
	result, err := g.stores.fleet.Send(ctx, commandReload, nil)
	if err != nil {
		return reloaded{}, result, err
	}
	return *g.reloads.state.Load().done, result, nil
}

// reloadCommand is this replica's part.
func (g *gateway) reloadCommand(ctx context.Context, _ []byte) error {
	return g.reload(context.WithoutCancel(ctx), "api") // half a reload is none
}

// reloadAnswer answers another replica.
func (g *gateway) reloadAnswer(context.Context, []byte) ([]byte, error) {
	state := g.reloads.state.Load()
	a := replicaReload{Replica: g.replica, Hash: state.hash, Changed: []string{}}
	switch {
	case state.failed != nil:
		a.Problem = boundedText(state.failed)
	case state.done != nil:
		a.Changed = state.done.Changed
	}
	return json.Marshal(a)
}

// reloadedReplicas asks everybody.
func (g *gateway) reloadedReplicas(ctx context.Context) []replicaReload {
	answers, err := g.stores.fleet.AskAll(ctx, "", questionReload, nil)
	all := make([]replicaReload, 0, len(answers))
	for _, a := range answers {
		r := replicaReload{Replica: a.Replica, Changed: []string{}}
		if a.Err == nil {
			a.Err = json.Unmarshal(a.Text, &r)
		}
		if a.Err != nil {
			r.Problem = "not known: " + a.Err.Error()
		}
		all = append(all, r)
	}
	if err != nil && len(all) == 0 {
		all = append(all, replicaReload{Replica: g.replica, Hash: g.reloads.state.Load().hash, Changed: []string{}, Problem: "not known: " + err.Error()})
	}
	return all
}
