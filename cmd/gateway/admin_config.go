package main

import (
	"context"
	"errors"
	"net/http"

	"iqgateway/observability"
)

// pathConfigReload is a path of the admin API.
const pathConfigReload = "/api/v1/config/reload"

// configAdmin is what the admin API needs to reload the configuration of this
// replica: each has its own files.
type configAdmin struct {
	reload func(ctx context.Context, trigger string) (reloaded, error)
}

// configAdmin reloads what serves now.
func (g *gateway) configAdmin() configAdmin { return configAdmin{reload: g.reload} }

func (c configAdmin) endpoints() []observability.Endpoint {
	return []observability.Endpoint{changes(pathConfigReload, observability.Operation{
		Serve: c.doReload, Summary: "Have this replica read its configuration again, whole or not at all", Body: struct{}{}, Answer: reloaded{},
		Problems: []int{http.StatusConflict, http.StatusUnprocessableEntity},
	})}
}

func (c configAdmin) doReload(w http.ResponseWriter, r *http.Request) {
	if _, ok := readOrder(w, r, func(struct{}) error { return nil }); !ok {
		return
	}
	done, err := c.reload(context.WithoutCancel(r.Context()), "api") // half a reload is none
	switch {
	case errors.Is(err, errNoReload):
		observability.WriteProblem(w, http.StatusConflict, err.Error())
	case err != nil:
		observability.WriteProblem(w, http.StatusUnprocessableEntity, "the configuration cannot be used, the last one stays: "+err.Error())
	default:
		observability.WriteJSON(w, http.StatusOK, done)
	}
}
