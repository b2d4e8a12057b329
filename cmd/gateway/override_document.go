package main

import (
	"slices"
	"strings"
	"time"

	"iqgateway/override"
)

// overrideDocument is one override as the admin API shows it.
type overrideDocument struct {
	Key     string    `json:"key"`
	Value   string    `json:"value"`
	Reason  string    `json:"reason"`
	By      string    `json:"by"`      // address that the order came from
	Replica string    `json:"replica"` // that took it
	Set     time.Time `json:"set"`
	Until   time.Time `json:"until"`
	// UntilReload says that it ends with the next change of the configuration, too.
	UntilReload bool `json:"until_reload,omitempty"`
	// Unfit says why it does nothing on this replica.
	Unfit string `json:"unfit,omitempty"`
}

// overrideDocuments describe what holds, by key.
func (g *gateway) overrideDocuments() []overrideDocument {
	laid, all := g.current.Load().laid.Load(), []overrideDocument{}
	for _, h := range g.stores.overrides.Current() {
		d := describeOverride(h)
		if laid != nil {
			d.Unfit = laid.unfit[h.ID].why
		}
		all = append(all, d)
	}
	return all
}

func describeOverride(h override.Held) overrideDocument {
	return overrideDocument{
		Key: h.Key, Value: h.Value, Reason: h.Reason, By: h.By, Replica: h.Replica,
		Set: h.Set.UTC().Truncate(time.Second), Until: h.Until.UTC().Truncate(time.Second), UntilReload: h.UntilReload,
	}
}

func describeOverrides(held []override.Held) []overrideDocument {
	all := make([]overrideDocument, len(held))
	for i, h := range held {
		all[i] = describeOverride(h)
	}
	slices.SortFunc(all, func(a, b overrideDocument) int { return strings.Compare(a.Key, b.Key) })
	return all
}
