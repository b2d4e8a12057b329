package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"iqgateway/internal/fleet"
	"iqgateway/observability"
)

// Paths of the admin API that the commands use.
const (
	pathConfig       = "/api/v1/config"
	pathConfigReload = "/api/v1/config/reload"
)

// configAdmin is what the admin API needs to show the configuration and to have it
// read again: by the whole fleet, each replica its own files.
type configAdmin struct {
	show func() (configDocument, error)
	// reload answers what it has brought here, and who else has followed.
	reload func(context.Context) (reloaded, fleet.Result, error)
	// replicas asks all replicas what their last reload has brought.
	replicas func(context.Context) []replicaReload
	// audit writes what an operator has ordered.
	audit func(ctx context.Context, message string, attrs ...slog.Attr)
}

// configReload is the body of the order.
type configReload struct {
	orderWhy
}

// configDocument answers GET /api/v1/config.
type configDocument struct {
	Replica string    `json:"replica"`
	Hash    string    `json:"hash"`
	Since   time.Time `json:"since"`             // it serves
	Problem string    `json:"problem,omitempty"` // why the last reload brought nothing
	YAML    string    `json:"yaml"`              // merged, defaults included, secrets as their references or ***
}

// reloadAnswer answers a reload: what it has brought on the replica that was asked,
// and on each.
type reloadAnswer struct {
	reloaded

	Fleet    fleet.Result    `json:"fleet"`
	Replicas []replicaReload `json:"replicas"`
}

// replicaReload is what the last reload has brought on one replica.
type replicaReload struct {
	Replica string   `json:"replica"`
	Hash    string   `json:"hash,omitempty"` // of what serves there
	Changed []string `json:"changed"`
	Problem string   `json:"problem,omitempty"` // why it has failed, or is not known
}

func (c configAdmin) endpoints() []observability.Endpoint {
	return []observability.Endpoint{
		reads(pathConfig, observability.Operation{
			Serve: c.doShow, Summary: "Show the configuration that this replica serves below the overrides, secrets redacted", Answer: configDocument{},
			Problems: []int{http.StatusInternalServerError},
		}),
		changes(pathConfigReload, observability.Operation{
			Serve: c.doReload, Summary: "Have every replica read its configuration again, each whole or not at all", Body: configReload{}, Answer: reloadAnswer{},
			Problems: []int{http.StatusConflict, http.StatusUnprocessableEntity},
		}),
	}
}

func (c configAdmin) doShow(w http.ResponseWriter, _ *http.Request) {
	d, err := c.show()
	if err != nil {
		observability.WriteProblem(w, http.StatusInternalServerError, err.Error())
		return
	}
	observability.WriteJSON(w, http.StatusOK, d)
}

func (c configAdmin) doReload(w http.ResponseWriter, r *http.Request) {
	body, ok := readOrder(w, r, configReload.checkReason)
	if !ok {
		return
	}
	done, result, err := c.reload(r.Context())
	c.audit(r.Context(), "an operator has the configuration read again", body.with(
		slog.String("peer", r.RemoteAddr), slog.Int("replicas", result.Replicas), slog.Int("followed", result.Followed))...)
	switch {
	case errors.Is(err, errNoReload):
		observability.WriteProblem(w, http.StatusConflict, err.Error())
	case err != nil:
		observability.WriteProblem(w, http.StatusUnprocessableEntity,
			fmt.Sprintf("the configuration cannot be used, the last one stays: %v (of %d replicas %d have followed)", err, result.Replicas, result.Followed))
	default:
		observability.WriteJSON(w, http.StatusOK, reloadAnswer{done, result, c.replicas(r.Context())})
	}
}
