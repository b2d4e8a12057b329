package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"iqgateway/internal/fleet"
	"iqgateway/observability"
	"iqgateway/override"
)

// pathOverrides is a path of the admin API.
const pathOverrides = "/api/v1/overrides"

// overrideLimits bound overrides: what lasts longer belongs into the
// configuration.
func overrideLimits() orderLimits {
	return orderLimits{most: override.Longest, longest: "168h", readers: "whoever wonders about the setting"}
}

// overrideAdmin is what the admin API needs to show, set and clear overrides.
type overrideAdmin struct {
	replica string
	list    func() []overrideDocument
	serves  func() *reloadState
	all     *override.Overrides
	// follow has the other replicas follow the order that was given here.
	follow func(context.Context) fleet.Result
	// size is how many replicas there are.
	size func() int
	// audit writes what an operator has changed.
	audit func(ctx context.Context, message string, attrs ...slog.Attr)
}

// overrideAdmin shows and changes the overrides of this gateway.
func (g *gateway) overrideAdmin() overrideAdmin {
	return overrideAdmin{
		replica: g.replica, list: g.overrideDocuments, serves: g.reloads.state.Load,
		all: g.stores.overrides, follow: g.tellOverrides, size: g.stores.fleet.Size, audit: g.audit,
	}
}

// tellOverrides has the fleet follow an order that was given here, and holds here.
func (g *gateway) tellOverrides(ctx context.Context) fleet.Result {
	result, err := g.stores.fleet.Send(ctx, commandFollowOverrides, nil)
	if err != nil { // to read it again here; it holds all the same
		result.Followed++
		result.Behind = slices.DeleteFunc(result.Behind, func(name string) bool { return name == g.replica })
	}
	return result
}

// overrideList is the answer to GET /api/v1/overrides.
type overrideList struct {
	Replica   string             `json:"replica"`
	Overrides []overrideDocument `json:"overrides"`
}

// overrideSet is the body of a POST.
type overrideSet struct {
	Key    string `json:"key"` // as callers.reporting.blocked
	Value  string `json:"value"`
	For    string `json:"for"` // a Go duration: 10m
	Reason string `json:"reason"`
	// UntilReload ends it with the next change of the configuration, too.
	UntilReload bool `json:"until_reload,omitempty"`
}

// overrideClear is the body of a DELETE: one key, or all.
type overrideClear struct {
	Key string `json:"key,omitempty"`
	All bool   `json:"all,omitempty"`
	orderWhy
}

// overrideChanged answers both.
type overrideChanged struct {
	// Overrides are what was set, or what was cleared.
	Overrides []overrideDocument `json:"overrides"`
	Warnings  []string           `json:"warnings,omitempty"`
	// HereOnly says that the other replicas follow once Redis answers.
	HereOnly bool         `json:"here_only,omitempty"`
	Fleet    fleet.Result `json:"fleet"` // how many replicas have followed
}

func (o overrideAdmin) endpoints() []observability.Endpoint {
	return []observability.Endpoint{{Path: pathOverrides, Methods: map[string]observability.Operation{
		http.MethodGet: {Serve: o.show, Summary: "List the overrides that hold on this replica", Answer: overrideList{}, Problems: []int{http.StatusBadRequest}},
		http.MethodPost: {
			Serve: o.set, Summary: "Lay a setting over the configuration of the whole fleet, for a time",
			Body: overrideSet{}, Answer: overrideChanged{}, Problems: []int{http.StatusConflict, http.StatusUnprocessableEntity},
		},
		http.MethodDelete: {
			Serve: o.clear, Summary: "End one override, or all, on the whole fleet",
			Body: overrideClear{}, Answer: overrideChanged{}, Problems: []int{http.StatusNotFound},
		},
	}}}
}

func (o overrideAdmin) show(w http.ResponseWriter, r *http.Request) {
	if len(r.URL.Query()) > 0 {
		observability.WriteProblem(w, http.StatusBadRequest, pathOverrides+" takes no parameter: it lists all overrides")
		return
	}
	observability.WriteJSON(w, http.StatusOK, overrideList{o.replica, o.list()})
}

// check returns for how long, or what to correct.
func (s overrideSet) check() (time.Duration, error) {
	if s.Key == "" || len(s.Key) > override.MaxText || len(s.Value) > override.MaxText {
		return 0, errors.New(`name a setting and its value, as {"key": "callers.reporting.blocked", "value": "true", "for": "1h", "reason": "…"}`)
	}
	return overrideLimits().check(s.For, s.Reason)
}

func (o overrideAdmin) set(w http.ResponseWriter, r *http.Request) {
	var lasting time.Duration
	body, ok := readOrder(w, r, func(s overrideSet) (err error) {
		lasting, err = s.check()
		return err
	})
	if !ok {
		return
	}
	serves := o.serves()
	key, err := serves.base.CanonicalOverride(body.Key)
	if err != nil {
		observability.WriteProblem(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	var c overrideChanged
	done, err := o.all.Set(context.WithoutCancel(r.Context()), override.Override{
		Key: key, Value: body.Value, Reason: body.Reason, By: peerHost(r), Replica: o.replica,
		UntilReload: body.UntilReload, Config: serves.hash, Left: lasting,
	}, func(all []override.Held) error { return o.fits(all, key, &c) })
	switch {
	case errors.Is(err, override.ErrFull):
		observability.WriteProblem(w, http.StatusConflict, err.Error())
	case err != nil:
		observability.WriteProblem(w, http.StatusUnprocessableEntity, "nothing has changed: "+err.Error())
	default:
		observability.WriteJSON(w, http.StatusOK, o.tell(r, c, done, "an operator has set an override", orderWhy{}))
	}
}

// fits checks everything that would hold, and notes what to know of the new one.
// Those that do not fit any more, without it, are no fault of its.
func (o overrideAdmin) fits(all []override.Held, key string, c *overrideChanged) error {
	laid := layOver(o.serves().base, all)
	for _, u := range laid.unfit {
		if u.Key == key {
			return errors.New(u.why)
		}
	}
	for _, warning := range laid.warnings {
		if strings.Contains(warning, ": "+key+": ") {
			c.Warnings = append(c.Warnings, warning)
		}
	}
	return nil
}

func (o overrideAdmin) clear(w http.ResponseWriter, r *http.Request) {
	body, ok := readOrder(w, r, func(c overrideClear) error {
		if (c.Key == "") != c.All {
			return errors.New(`name one override, as {"key": "callers.reporting.blocked"}, or {"all": true}`)
		}
		return c.checkReason()
	})
	if !ok {
		return
	}
	key := body.Key
	if name, err := o.serves().base.CanonicalOverride(key); err == nil {
		key = name
	}
	done, err := o.all.Clear(context.WithoutCancel(r.Context()), func(h override.Held) bool { return body.All || h.Key == key })
	if err == nil && len(done.Held) == 0 && !body.All {
		observability.WriteProblem(w, http.StatusNotFound, o.unknown(body.Key))
		return
	}
	c := o.tell(r, overrideChanged{}, done, "an operator has cleared overrides", body.orderWhy)
	if err != nil { // what is cleared is cleared: the fleet follows and the audit log has it
		observability.WriteProblem(w, http.StatusInternalServerError, "cleared, but this replica goes by it until it can build its configuration, which it tries again: "+err.Error())
		return
	}
	observability.WriteJSON(w, http.StatusOK, c)
}

func (o overrideAdmin) unknown(key string) string {
	var keys []string
	for _, d := range o.list() {
		keys = append(keys, d.Key)
	}
	if len(keys) == 0 {
		return fmt.Sprintf("there is no override of %q; there is none at all", key)
	}
	return unknownName("override of", key, keys)
}

// tell has the fleet follow, writes the audit log, and returns what to answer.
func (o overrideAdmin) tell(r *http.Request, c overrideChanged, done override.Outcome, message string, why orderWhy) overrideChanged {
	c.Overrides = describeOverrides(done.Held)
	c.HereOnly = done.HereOnly != nil
	if c.HereOnly {
		c.Fleet = fleet.Result{Replicas: o.size(), Followed: 1, Alone: true, Reason: done.HereOnly.Error()}
	} else {
		c.Fleet = o.follow(r.Context())
	}
	attrs := why.with(slog.String("peer", r.RemoteAddr), slog.Bool("here_only", c.HereOnly), slog.Int("replicas", c.Fleet.Replicas), slog.Int("followed", c.Fleet.Followed))
	for _, d := range c.Overrides {
		attrs = append(attrs, slog.String(d.Key, d.Value+" until "+d.Until.Format(time.RFC3339)+": "+d.Reason))
	}
	o.audit(r.Context(), message, attrs...)
	return c
}

// peerHost is where an order comes from.
func peerHost(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
