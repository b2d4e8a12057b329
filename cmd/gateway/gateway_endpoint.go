package main

import (
	"fmt"
	"net/http"

	"iqgateway/auth"
	"iqgateway/config"
	"iqgateway/internal/exchange"
	"iqgateway/proxy"
)

// gatewayTokens are what the gateway's own token endpoint gives out; nil = it is
// off.
func gatewayTokens(cfg *config.Config, callers []auth.Caller) (*auth.GatewayTokens, error) {
	e := cfg.Auth.TokenEndpoint
	if !e.Enabled {
		return nil, nil //nolint:nilnil // both are an answer
	}
	tokens, err := auth.NewGatewayTokens(auth.GatewayTokensOptions{SigningKey: e.SigningKey.Bytes(), TTL: e.TTL, Callers: callers})
	if err != nil {
		return nil, fmt.Errorf("auth.token_endpoint: %w", err)
	}
	return tokens, nil
}

func (s stack) tokenEndpoint() auth.TokenEndpointOptions {
	return auth.TokenEndpointOptions{
		Tokens: s.generation.ourTokens, Asks: isTokenCall(s.generation.router), Refuse: s.errors.Refuse,
	}
}

// isTokenCall returns the func that recognises token calls, of callers that are
// not known yet.
func isTokenCall(router *proxy.Router) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return router.TokenCall(proxy.RequestOf(r, exchange.From(r.Context())))
	}
}
