package main

import (
	"errors"
	"strings"

	"iqgateway/observability"
)

// checks are what readiness depends on, and what is only shown.
func (g *gateway) checks() []observability.Check {
	checks := []observability.Check{
		{Name: "configuration", Required: true, Err: func() error {
			if g.current.Load() == nil {
				return errors.New("none is loaded")
			}
			return nil
		}},
		{Name: "serving", Required: true, Err: func() error {
			if g.draining.Load() {
				return errors.New("draining")
			}
			return nil
		}},
		{Name: "certificate", Required: true, Err: g.certificateMissing},
		{Name: "certificates", Err: g.certificateTrouble},
		{Name: "reload", Err: g.reloads.trouble},
		{Name: "tokens", Err: g.tokenTrouble},
		{Name: "upstream_tls", Err: g.stores.trust.trouble},
		{Name: "secrets", Err: g.stores.secretTrouble},
		{Name: "jwt_issuers", Err: g.stores.keySetTrouble}, // a reload may bring the first
	}
	if g.stores.redis != nil {
		checks = append(checks, observability.Check{Name: storeName, Err: g.stores.redisTrouble})
	}
	if g.stores.cacheRedis != nil { // never unready: without it there is one tier less
		checks = append(checks, observability.Check{Name: cacheStoreName, Err: g.stores.cacheTrouble})
	}
	return checks
}

func (g *gateway) tokenTrouble() error {
	var troubled []string
	for _, s := range g.current.Load().tokens.Status() {
		if s.LastError != "" {
			troubled = append(troubled, s.Environment+"/"+s.Credential+" "+string(s.State))
		}
	}
	if len(troubled) > 0 {
		return errors.New(strings.Join(troubled, ", "))
	}
	return nil
}
