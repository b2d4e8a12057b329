package main

import (
	"context"
	"net/http"
	"time"

	"iqgateway/auth"
	authstore "iqgateway/auth/redisstore"
	"iqgateway/config"
	"iqgateway/observability"
)

// pathCallers is a path of the admin API that commands use.
const pathCallers = "/api/v1/callers"

// callerAdmin is what the admin API needs to show callers.
type callerAdmin struct {
	replica string
	// list returns the callers, with why the fleet's uses are not in it.
	list func(context.Context) ([]callerDocument, error)
}

// callerList is the answer to GET /api/v1/callers.
type callerList struct {
	Replica string           `json:"replica"`
	Callers []callerDocument `json:"callers"`
	// HereOnly says why the uses are those of this replica alone; "" = they are
	// the fleet's.
	HereOnly string `json:"here_only,omitempty"`
}

func (c callerAdmin) endpoints() []observability.Endpoint {
	return []observability.Endpoint{reads(pathCallers, observability.Operation{
		Serve: c.show, Summary: "List all callers, what they may do and when they were last seen", Answer: callerList{}, Problems: []int{http.StatusBadRequest},
	})}
}

func (c callerAdmin) show(w http.ResponseWriter, r *http.Request) {
	if len(r.URL.Query()) > 0 {
		observability.WriteProblem(w, http.StatusBadRequest, pathCallers+" takes no parameter: it lists all callers")
		return
	}
	list, err := c.list(r.Context())
	answer := callerList{Replica: c.replica, Callers: list}
	if err != nil {
		answer.HereOnly = err.Error()
	}
	observability.WriteJSON(w, http.StatusOK, answer)
}

// callerAdmin shows the callers of what serves now.
func (g *gateway) callerAdmin() callerAdmin {
	return callerAdmin{replica: g.replica, list: func(ctx context.Context) ([]callerDocument, error) {
		cfg := g.current.Load().cfg
		last, err := g.lastUses(ctx, cfg)
		return describeCallers(cfg, last, g.stores.callers.State(), time.Now()), err
	}}
}

// openUses makes the memory of when credentials were used.
func (s *stores) openUses() {
	o := auth.UsesOptions{}
	if s.redis != nil { // when is no secret, and names are hidden
		o.Store = authstore.NewUses(s.redis)
	}
	s.uses = auth.NewUses(o)
}

// keyExpiries is what the gauge of keys shows.
func (g *gateway) keyExpiries() []observability.KeyExpiry {
	return keyExpiries(g.current.Load().cfg)
}

func keyExpiries(cfg *config.Config) []observability.KeyExpiry {
	var all []observability.KeyExpiry
	for name, c := range cfg.Callers {
		for _, k := range c.Keys {
			if !k.Expires.IsZero() {
				all = append(all, observability.KeyExpiry{Caller: name, KeyID: k.ID, Expires: k.Expires})
			}
		}
	}
	return all
}
