package main

import (
	"net/http"
	"slices"

	"iqgateway/observability"
)

// adminAPI is everything below /api/v1/. Its zero value declares the endpoints
// and serves none: the OpenAPI document is made of it.
type adminAPI struct {
	tokens   tokenAdmin
	quotas   quotaAdmin
	breakers breakerAdmin
	cache    cacheAdmin
	status   statusAdmin
	services serviceAdmin
	requests requestAdmin
	config   configAdmin
	callers  callerAdmin
	log      logAdmin
	usage    usageAdmin
	override overrideAdmin
	overview *overviewAdmin
}

// adminAPI acts on this gateway.
func (g *gateway) adminAPI() adminAPI {
	a := adminAPI{
		tokens: g.tokenAdmin(), quotas: g.quotaAdmin(), breakers: g.breakerAdmin(), cache: g.cacheAdmin(), status: g.statusAdmin(),
		services: g.serviceAdmin(), requests: requestAdmin{g.stores.requests}, config: g.configAdmin(), callers: g.callerAdmin(), log: g.logAdmin(), usage: g.usageAdmin(),
		override: g.overrideAdmin(),
	}
	a.overview = g.overviewAdmin(a)
	return a
}

func (a adminAPI) endpoints() []observability.Endpoint {
	return slices.Concat(a.tokens.endpoints(), a.quotas.endpoints(), a.breakers.endpoints(), a.cache.endpoints(), a.status.endpoints(),
		a.services.endpoints(), a.requests.endpoints(), a.config.endpoints(), a.callers.endpoints(), a.log.endpoints(), a.usage.endpoints(), a.override.endpoints(),
		a.overview.endpoints())
}

// reads is an endpoint that only GET has.
func reads(path string, o observability.Operation) observability.Endpoint {
	return observability.Endpoint{Path: path, Methods: map[string]observability.Operation{http.MethodGet: o}}
}

// changes is an endpoint that only POST has.
func changes(path string, o observability.Operation) observability.Endpoint {
	return observability.Endpoint{Path: path, Methods: map[string]observability.Operation{http.MethodPost: o}}
}
